"""Ids are keys. This is the one place where a path is made from one.

An id becomes a single path component, so that no id lies inside another's folder: what a file
system or a shell reads as something else is written as ``%XX`` (the bytes of its UTF-8), and
a long one is cut and ends in a hash of the whole.
"""

import hashlib
import re
from pathlib import Path

from jan_host.contract.errors import InvalidRequestError

MAX_ID_CHARACTERS = 512
MAX_COMPONENT_BYTES = 200
"""File systems take 255; the names of temporary files are longer than the component by a few."""

_ESCAPED = re.compile(r'[%/\\:*?"<>|\x00-\x1f\x7f]|^[. ]|[. ]$')
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.IGNORECASE)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def check_id(text: str) -> str:
    """The id as it is used: without white space around it and without leading slashes.

    Raises:
        InvalidRequestError: It is empty, too long, or has characters that are no text.
    """
    model_id = text.strip().lstrip("/")
    if not model_id:
        raise InvalidRequestError("A model's id can't be empty.", param="id")
    if len(model_id) > MAX_ID_CHARACTERS:
        raise InvalidRequestError(
            f"A model's id has at most {MAX_ID_CHARACTERS} characters; this one has {len(model_id)}.",
            param="id",
        )
    if _CONTROLS.search(model_id):
        raise InvalidRequestError(
            f"The id {model_id!r} has control characters. Use characters that can be seen.", param="id"
        )
    return model_id


def shown_id(text: str) -> str:
    """An id for something whose name may not be an id: a folder or file that is listed as broken."""
    cleaned = _CONTROLS.sub("\ufffd", text).strip().lstrip("/")
    return cleaned[:MAX_ID_CHARACTERS] or "unnamed"


def path_for(root: Path, key: str) -> Path:
    """The path below `root` that belongs to a key: a model's id, an engine's name.

    Raises:
        InvalidRequestError: The key is not one, or a symbolic link leads out of `root` there.
    """
    path = root / _component(check_id(key))
    if path.resolve().parent != root.resolve():
        raise InvalidRequestError(
            f"{path} is a link that leads elsewhere; jan-host does not write there.", param="id"
        )
    return path


def _component(key: str) -> str:
    name = _ESCAPED.sub(lambda match: _escape(match[0]), key)
    if _DEVICES.match(name):
        name = _escape(name[0]) + name[1:]
    encoded = name.encode()
    if len(encoded) <= MAX_COMPONENT_BYTES:
        return name
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"{encoded[: MAX_COMPONENT_BYTES - 33].decode(errors='ignore')}-{digest}"


def _escape(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())
