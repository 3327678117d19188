"""A model: what its model.json says of it, and what the host knows of it."""

from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import msgspec

from jan_host.contract.errors import ModelBrokenError

HOST_SETTINGS = frozenset({"keep_alive"})
"""Names in the `settings` of any model that the host reads itself; no engine sees them."""


class Source(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A file that belongs to a model.

    `filename` is relative to the model's folder, with forward slashes. `url` is where the
    file came from; a ``file://`` URL names a file that is used in place (a linked model).
    """

    filename: str
    url: str = ""


class Model(msgspec.Struct, kw_only=True):
    """A model in canonical form (generation 3 of model.json; the fields are the seeds' own).

    `settings` are for loading and belong to the engine, `parameters` are defaults for
    requests; both keep the names that the seeds use (``ctx_len``, ``temperature``, ...).
    """

    id: str
    object: str = "model"
    created: int = 0
    """Unix time in seconds."""
    owned_by: str = "you"
    name: str = ""
    version: str = "1"
    description: str | None = None
    format: str = ""
    engine: str = ""
    sources: list[Source] = []
    settings: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    assets: list[str] = []
    origin: str | None = None
    """Where the model came from, in the words of its importer."""
    import_format: str | None = None
    """The name of the importer that brought it."""

    def files(self, folder: Path) -> list[Path]:
        """Where the model's files lie, in the order of `sources`, whether they exist or not.

        Args:
            folder: The folder that holds the model.json.

        Raises:
            ModelBrokenError: A filename leaves the folder.
        """
        return [_locate(source, folder) for source in self.sources]


def _locate(source: Source, folder: Path) -> Path:
    url = urlsplit(source.url)
    if url.scheme == "file":
        from urllib.request import url2pathname  # a third of the import time of `jan_host`

        return Path(url2pathname(url.path) if url.netloc in ("", "localhost") else url.path)
    name = PurePosixPath(source.filename.replace("\\", "/"))
    if not name.parts or name.is_absolute() or ".." in name.parts or ":" in name.parts[0]:
        raise ModelBrokenError(
            f"The source {source.filename!r} leads out of the model's folder. Name a file inside"
            " it, or give a file:// url to use a file in place.",
            param="sources",
        )
    return folder.joinpath(*name.parts)


class ModelStatus(StrEnum):
    """Where a model stands in its life."""

    AVAILABLE = "available"
    """Described by a model.json here; its files are not here yet, and a pull would bring them."""
    DOWNLOADING = "downloading"
    DOWNLOADED = "downloaded"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    FAILED = "failed"
    BROKEN = "broken"
    REMOTE = "remote"


class ModelInfo(Model, kw_only=True):
    """A `Model` with what the host knows of it now: an item of ``GET /v1/models``."""

    status: ModelStatus = ModelStatus.DOWNLOADED
    status_reason: str | None = None
    """Why the model is broken or failed, or what its process died of last; ``None`` when all is well."""
    capabilities: list[str] = []
    """What the running model can do: ``chat``, ``complete``, ``embed``, ``rerank``, ``tokenize``,
    ``vision``."""
    warnings: list[str] = []
    """What was read and could not be used, such as a setting that the engine does not know."""
    requests: int = 0
    """How many requests the model works on now."""
    overrides: dict[str, Any] = {}
    """Settings of the start request, which go over `settings` until the model is stopped."""
    memory: int | None = None
    """Bytes of main memory that its process takes now, as far as known."""
    expires_at: int | None = None
    """Unix time in seconds at which the idle model leaves memory; ``None``: it is used, or it stays."""
    pinned: bool = False
    """Whether the running model stays in memory whoever needs it (``keep_alive: -1``)."""
