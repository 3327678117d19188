"""What is known of a download that has not ended well yet: it outlives the process.

``download.json`` in the download's folder holds the plan, secrets by reference only.
"""

import logging
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from jan_host.contract.events import DownloadInfo, FileProgress
from jan_host.contract.importer import ImportPlan
from jan_host.downloads.saving import save

FILENAME = "download.json"
INTERRUPTED = "The download was interrupted. Resume it, or pull the model again."
_log = logging.getLogger(__name__)


class Record(msgspec.Struct, kw_only=True):
    """A download as its folder keeps it."""

    status: str
    """``active``: it goes on when the host starts again. ``failed`` and ``cancelled`` wait to be resumed."""
    created: int
    """Unix time in seconds."""
    plan: ImportPlan
    target: Path
    """The model's folder."""
    placing: bool = False
    """Whether complete files have begun to move into `target`."""
    files: list[FileProgress] = []
    """How far each file was when this was written."""
    error: str | None = None

    def info(self, download_id: str) -> DownloadInfo:
        """The download as it is shown."""
        return DownloadInfo(
            id=download_id,
            model=self.plan.model.id,
            origin=self.plan.origin,
            importer=self.plan.importer,
            status="cancelled" if self.status == "cancelled" else "failed",
            files=self.files,
            created=self.created,
            error=INTERRUPTED if self.status == "active" else self.error,
        )


def write_record(folder: Path, record: Record) -> None:
    """Keep a record; it is on disk when this returns.

    A plan with a password in an address is not kept: such a download has to be asked for again.
    """
    if any(urlsplit(one.url or "").password for asset in record.plan.assets for one in asset.fetched()):
        return
    save(folder / FILENAME, msgspec.json.encode(record, enc_hook=str))


def read_record(folder: Path) -> Record | None:
    """The record of a download's folder; ``None`` where there is none that can be read."""
    try:
        return msgspec.json.decode((folder / FILENAME).read_bytes(), type=Record, dec_hook=_decode)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        _log.warning("The download in %s can't be taken up again: %s", folder, error)
        return None


def _decode(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError
