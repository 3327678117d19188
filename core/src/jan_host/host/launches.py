"""From the library's entry of a model to what the runtime starts."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

import msgspec

from jan_host.contract.engine import Engine
from jan_host.contract.errors import (
    ConflictError,
    EngineNotInstalledError,
    JanHostError,
    ModelBrokenError,
    ValidationError,
)
from jan_host.contract.model import HOST_SETTINGS, Model
from jan_host.contract.wording import refusal
from jan_host.host.keeping import keep_alive_of
from jan_host.host.settings import merged
from jan_host.library import Entry, Library
from jan_host.plugins import Plugins
from jan_host.runtime import Launch


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


class _Around(NamedTuple):
    """The settings below a model's own, and above them."""

    defaults: Mapping[str, Any]
    overrides: dict[str, Any]


class _Made(NamedTuple):
    """A launch and what it was made of: every request asks for one, and putting it together takes longer."""

    entry: Entry
    around: _Around
    launch: Launch


class Launches:
    """All that is needed to start each model: its settings in layers, weakest first.

    What a start request says goes over the rest, and stays with the model until somebody stops it:
    a model that made room for another, or crashed, comes back as it was started.
    """

    def __init__(self, plugins: Plugins, library: Library) -> None:
        self._plugins = plugins
        self._library = library
        self._overrides: dict[str, dict[str, Any]] = {}
        self._made: dict[str, _Made] = {}

    def of(self, entry: Entry) -> Launch:
        """How to start a model.

        Raises:
            ModelBrokenError: The entry can't be read as a model.
            ConflictError: Its files are not here.
            EngineNotInstalledError: No plugin offers its engine.
            ValidationError: Its ``keep_alive`` is no duration.
        """
        made = self._made.get(entry.model.id)
        # The library makes a new entry of a model of which anything has changed.
        if made is None or made.entry is not entry or made.around != self._around(made.launch.engine, entry):
            self._made[entry.model.id] = made = self._make(entry)
        return made.launch

    def _around(self, engine: Engine, entry: Entry) -> _Around:
        overrides = self._overrides.get(entry.model.id) or {}
        return _Around(self._library.engine_defaults(engine.name), overrides)

    def _make(self, entry: Entry) -> _Made:
        _check_startable(entry)
        engine = engine_of(entry.model, self._plugins)
        around = self._around(engine, entry)
        settings = merged(engine, around.defaults, entry.model.settings, around.overrides)
        launch = Launch(
            model=entry.model,
            folder=entry.folder,
            engine=engine,
            origin=self._plugins.engine_origin(engine.name),
            keep_alive=keep_alive_of(settings.pop("keep_alive", None)),
            settings=settings,
            overrides=around.overrides,
        )
        return _Made(entry, around, launch)

    def is_current(self, entry: Entry, settings: Mapping[str, Any]) -> bool:
        """Whether a model that was started with `settings` would be started so again."""
        try:
            return self.of(entry).settings == settings
        except JanHostError:  # it can't be started as it lies there now, which its status tells
            return True

    def override(self, entry: Entry, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Put settings over those of a model, in place of earlier ones; returns them for `withdraw`.

        Raises:
            ValidationError: The engine does not know one of them, or can't use its value.
            JanHostError: As `of`.
        """
        _check_startable(entry)
        engine = engine_of(entry.model, self._plugins)
        known = merged(engine, overrides)
        _check_overrides(known, engine)
        self._overrides[entry.model.id] = known
        return known

    def withdraw(self, model_id: str, overrides: Mapping[str, Any]) -> None:
        """The model could not be started with these; those that somebody else gave meanwhile stay."""
        if self._overrides.get(model_id) is overrides:
            del self._overrides[model_id]

    def forget(self, model_id: str) -> None:
        """From now on the model starts with its own settings."""
        self._overrides.pop(model_id, None)


def _check_startable(entry: Entry) -> None:
    if entry.problem is not None:
        raise ModelBrokenError(f"The model {entry.model.id!r} can't be used: {entry.problem}", param="model")
    if entry.available:
        raise ConflictError(
            f"The files of the model {entry.model.id!r} are not here. Fetch them: jan-host pull"
            f" {entry.model.id}",
            param="model",
        )


def _check_overrides(overrides: Mapping[str, Any], engine: Engine) -> None:
    keep_alive_of(overrides.get("keep_alive"))
    own = {name: value for name, value in overrides.items() if name not in HOST_SETTINGS}
    known = [field.encode_name for field in msgspec.structs.fields(engine.Settings)]
    for name in own:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"It knows: {', '.join(known) or 'none'}."
            raise ValidationError(
                f"The engine {engine.name!r} does not know the setting {name!r}. {hint}", param="settings"
            )
    try:
        msgspec.convert(own, engine.Settings, strict=False)
    except msgspec.ValidationError as error:
        field, problem = refusal(error, own, engine.Settings)
        if field is None:
            raise ValidationError(f"These settings can't be used: {problem}", param="settings") from None
        raise ValidationError(
            f"The setting {field} can't be used: {problem}.", param=f"settings.{field}"
        ) from None
