"""Which of the three importers an origin is for, by its text alone: exactly one takes each."""

import re
from typing import Literal

from jan_host_huggingface.origins import Origin, recognise
from jan_host_huggingface.settings import Settings, endpoint_of

Name = Literal["default", "thebloke", "janhq"]

_JAN = frozenset({"janhq", "cortexso"})
_GGUF_NAME = re.compile(r".+-GGUF", re.IGNORECASE)


def importer_for(text: str, settings: Settings) -> Name | None:
    """The importer's name, or ``None`` where the text names no repository of a hub for certain."""
    origin = recognise(text, endpoint_of(settings))
    return None if origin is None else layout_of(origin)


def layout_of(origin: Origin) -> Name:
    """Which importer knows how such a repository is laid out."""
    organisation = origin.organisation.lower()
    if organisation == "thebloke" and _GGUF_NAME.fullmatch(origin.title):
        return "thebloke"
    return "janhq" if organisation in _JAN else "default"
