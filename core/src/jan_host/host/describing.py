"""A model as users see it: what its model.json says, and how it stands."""

from typing import Any

import msgspec

from jan_host.contract.engine import CAPABILITIES
from jan_host.contract.errors import EngineNotInstalledError, UnsupportedError
from jan_host.contract.events import DownloadInfo
from jan_host.contract.model import Model, ModelInfo, ModelStatus
from jan_host.host.launches import engine_of
from jan_host.host.settings import masked
from jan_host.library import Entry
from jan_host.plugins import Plugins
from jan_host.runtime import RuntimeStatus

REMOTE_FORMAT = "api"
"""The seeds' `format` of a model whose weights are somewhere else."""


def describe(entry: Entry, *, status: RuntimeStatus, downloading: bool, plugins: Plugins) -> ModelInfo:
    """A model as users see it."""
    warnings = list(entry.warnings)
    problem = entry.problem
    engine = None
    try:
        engine = engine_of(entry.model, plugins)
    except EngineNotInstalledError as error:
        if problem is None:
            warnings.append(error.message)
    return _info(
        msgspec.structs.replace(entry.model, settings=masked(entry.model.settings, engine)),
        status=_status(entry, status, downloading),
        status_reason=problem or status.reason,
        capabilities=status.capabilities,
        warnings=warnings,
        requests=status.requests,
        overrides=masked(status.overrides, engine),
        memory=status.memory,
        expires_at=None if status.rests_until is None else round(status.rests_until),
        pinned=status.pinned,
    )


def _status(entry: Entry, status: RuntimeStatus, downloading: bool) -> ModelStatus:
    if status.status is not None:
        return status.status
    if downloading:
        return ModelStatus.DOWNLOADING
    if entry.problem is not None:
        return ModelStatus.BROKEN
    if entry.available:
        return ModelStatus.AVAILABLE
    return ModelStatus.REMOTE if entry.model.format == REMOTE_FORMAT else ModelStatus.DOWNLOADED


def _info(model: Model, **state: Any) -> ModelInfo:
    fields = {name: getattr(model, name) for name in Model.__struct_fields__}
    return ModelInfo(**fields, **state)


def describe_download(download: DownloadInfo) -> ModelInfo:
    """A model of which only the download is known yet."""
    return ModelInfo(
        id=download.model,
        name=download.model,
        created=download.created,
        origin=download.origin,
        import_format=download.importer,
        status=ModelStatus.DOWNLOADING,
        metadata={"download": download.id},
    )


def unsupported(model: Model, wanted: type, capabilities: list[str]) -> UnsupportedError:
    """The error for a model that can't do what was asked."""
    name = next((name for name, protocol in CAPABILITIES.items() if protocol is wanted), wanted.__name__)
    able = ", ".join(capabilities) or "nothing"
    return UnsupportedError(
        f"The model {model.id!r} can't {name}; it can: {able}. Choose another model.", param="model"
    )
