"""From the library's entry of a model to what the runtime starts, and to what users see of it."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import msgspec

from jan_host.contract.engine import CAPABILITIES, Engine
from jan_host.contract.errors import (
    ConflictError,
    EngineNotInstalledError,
    ModelBrokenError,
    UnsupportedError,
    ValidationError,
)
from jan_host.contract.events import DownloadInfo
from jan_host.contract.model import Model, ModelInfo, ModelStatus
from jan_host.host.settings import masked, merged
from jan_host.library import Entry, Library
from jan_host.plugins import Plugins
from jan_host.runtime import Launch, RuntimeStatus

REMOTE_FORMAT = "api"
"""The seeds' `format` of a model whose weights are somewhere else."""


def engine_of(model: Model, plugins: Plugins) -> Engine:
    """The engine that a model asks for, or the one for its format where it names none.

    Raises:
        EngineNotInstalledError: There is none.
    """
    if model.engine:
        return plugins.engine(model.engine)
    engine = plugins.engine_for_format(model.format)
    if engine is None:
        raise EngineNotInstalledError(
            f"No installed engine runs {model.format or 'unnamed'!r} models such as {model.id!r}."
            " Name an engine in its model.json, or install one for that format."
        )
    return engine


def launch_of(
    entry: Entry, plugins: Plugins, library: Library, overrides: Mapping[str, Any] | None = None
) -> Launch:
    """All that is needed to start a model: its settings in layers, weakest first.

    Raises:
        ModelBrokenError: The entry can't be read as a model.
        ConflictError: Its files are not here.
        EngineNotInstalledError: No plugin offers its engine.
        ValidationError: An override that the engine does not know.
    """
    if entry.problem is not None:
        raise ModelBrokenError(f"The model {entry.model.id!r} can't be used: {entry.problem}", param="model")
    if entry.available:
        raise ConflictError(
            f"The files of the model {entry.model.id!r} are not here. Fetch them: jan-host pull"
            f" {entry.model.id}",
            param="model",
        )
    engine = engine_of(entry.model, plugins)
    overrides = merged(engine, overrides or {})
    if overrides:
        _check_overrides(overrides, engine)
    return Launch(
        model=entry.model,
        folder=entry.folder,
        engine=engine,
        origin=plugins.engine_origin(engine.name),
        settings=merged(engine, library.engine_defaults(engine.name), entry.model.settings, overrides),
    )


def _check_overrides(overrides: Mapping[str, Any], engine: Engine) -> None:
    known = [field.encode_name for field in msgspec.structs.fields(engine.Settings)]
    for name in overrides:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"It knows: {', '.join(known) or 'none'}."
            raise ValidationError(
                f"The engine {engine.name!r} does not know the setting {name!r}. {hint}", param="settings"
            )
    try:
        msgspec.convert(dict(overrides), engine.Settings, strict=False)
    except msgspec.ValidationError as error:
        raise ValidationError(f"These settings can't be used: {error}", param="settings") from error


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
