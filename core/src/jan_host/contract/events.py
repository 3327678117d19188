"""What happens in the host, for whoever subscribes: the API's event stream, extras."""

from typing import Any

import msgspec

from jan_host.contract.model import ModelStatus


class FileProgress(msgspec.Struct, kw_only=True):
    """How far one file of a download is. What comes out of one archive shares the archive's numbers."""

    filename: str
    """As in the plan's assets, or in their parts: relative to the model's folder."""
    status: str = "waiting"
    """``waiting``, ``running``, ``verifying`` (or being unpacked), ``done`` or ``failed``."""
    received: int = 0
    """Bytes that are on disk, those of earlier attempts included; it falls when a file starts again."""
    total: int | None = None
    """Bytes; ``None`` when unknown."""


class DownloadInfo(msgspec.Struct, kw_only=True):
    """A download as ``GET /v1/downloads/{id}`` shows it.

    ``waiting`` (for its turn) and ``running`` go on by themselves, also after a restart of the
    host. ``failed`` (`error` says why) and ``cancelled`` wait for ``POST .../resume`` or for the
    same pull. ``done`` is the end: the model is in the library.
    """

    id: str
    object: str = "download"
    model: str
    """The id that the model will have."""
    origin: str
    importer: str
    status: str
    """``waiting``, ``running``, ``done``, ``failed`` or ``cancelled``."""
    received: int = 0
    """Bytes that are on disk; an archive of several files counts once."""
    total: int | None = None
    """Bytes; ``None`` when unknown."""
    bytes_per_second: int | None = None
    """Over the last seconds; ``None`` when nothing is being fetched."""
    seconds_left: int | None = None
    """At that speed; ``None`` when unknown."""
    files: list[FileProgress] = []
    """In the order of the plan."""
    created: int = 0
    """Unix time in seconds."""
    error: str | None = None

    @property
    def active(self) -> bool:
        """Whether it is on its way: running, or waiting for its turn."""
        return self.status in ("waiting", "running")


class ModelEvent(msgspec.Struct, kw_only=True, tag_field="type", tag="model.status"):
    """A model changed its status."""

    model: str
    status: ModelStatus
    reason: str | None = None


class ModelProgressEvent(msgspec.Struct, kw_only=True, tag_field="type", tag="model.progress"):
    """A model is being loaded; `progress` goes from 0 to 1."""

    model: str
    progress: float


class LibraryEvent(msgspec.Struct, kw_only=True, tag_field="type", tag="library.changed"):
    """Models came, went or changed on disk."""

    models: list[str]


class DownloadEvent(msgspec.Struct, kw_only=True, tag_field="type", tag="download"):
    """A download went on, ended or failed."""

    download: DownloadInfo


class ExtraEvent(msgspec.Struct, kw_only=True, tag_field="type", tag="extra"):
    """Something that a plugin tells."""

    name: str
    data: Any = None


class EventsMissed(msgspec.Struct, kw_only=True, tag_field="type", tag="events.missed"):
    """Events were lost for this follower, which was slow or away for long: ask for the state anew."""


Event = ModelEvent | ModelProgressEvent | LibraryEvent | DownloadEvent | ExtraEvent | EventsMissed
