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
    content = {
        name: value for name in Model.__struct_fields__ if (value := getattr(model, name)) not in (None, [])
    }
    try:
        text = msgspec.json.format(msgspec.json.encode(content), indent=2)
        file.parent.mkdir(parents=True, exist_ok=True)
        _replace(file, text + b"\n")
    except OSError as error:
        raise ModelError(f"{file} can't be written: {error.strerror}.") from None


def _replace(file: Path, content: bytes) -> None:
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
