"""Write files so that a reader sees the old one or the new one, and never a part."""

import contextlib
import os
import secrets
from pathlib import Path

import msgspec

from jan_host.contract.errors import ModelError
from jan_host.contract.model import Model


def write_model(file: Path, model: Model) -> None:
    """Write `model` as plain JSON (generation 3), indented; makes the folder where there is none.

    Raises:
        ModelError: The file can't be written; the old one, if any, is as it was.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, encode_model(model))
    except OSError as error:
        raise ModelError(f"{file} can't be written: {error.strerror}.") from None


def encode_model(model: Model) -> bytes:
    """The model as plain JSON (generation 3), indented, without what is not set."""
    content = {
        name: value for name in Model.__struct_fields__ if (value := getattr(model, name)) not in (None, [])
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def replace_file(file: Path, content: bytes) -> None:
    """Give the file this content in one step that lasts.

    Raises:
        OSError: It can't be written; it is as it was.
    """
    # The leading dot hides the file from the scan; the same folder makes the rename atomic.
    partial = file.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with partial.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    _sync_folder(file.parent)


def _sync_folder(folder: Path) -> None:
    """Make the rename last through a power cut, where the platform can."""
    with contextlib.suppress(OSError):  # Windows opens no folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
