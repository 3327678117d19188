"""What chat and completions have in common: an answer's heading, and that every choice ends."""

import secrets
import time
from collections.abc import Iterable

import msgspec

from jan_host.contract.errors import EngineError
from jan_host.contract.model import ModelStatus
from jan_host.host import JanHost


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that every piece of an answer repeats."""

    id: str
    created: int
    """Unix time in seconds."""
    model: str


def heading(prefix: str, model: str) -> Heading:
    """A heading with a new id that begins with `prefix`."""
    return Heading(id=new_id(prefix), created=int(time.time()), model=model)


def new_id(prefix: str) -> str:
    """A new id of an answer, that begins with `prefix`."""
    return f"{prefix}-{secrets.token_hex(12)}"


def plain_id(model_id: str | None) -> str | None:
    """A model's id as the library knows it: a leading slash does not count."""
    return model_id.lstrip("/") if model_id else None


def model_name(host: JanHost, model_id: str | None) -> str:
    """The id to name in an answer; for a request that named none, the one that is running."""
    if model_id is not None:
        return model_id
    running = [model.id for model in host.models() if model.status is ModelStatus.RUNNING]
    return running[0] if len(running) == 1 else ""


def check_finished(open_choices: Iterable[int]) -> None:
    """Refuse to pass off a cut answer as a whole one.

    Raises:
        EngineError: A choice has no finish reason.
    """
    cut = sorted(open_choices)
    if cut:
        raise EngineError(f"The engine ended without finishing choice {cut[0]}. Try again.")
