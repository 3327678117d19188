"""The load of a model by its engine, in a worker or in the host: the same rules for both."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from jan_host.contract.engine import Engine, LoadedModel, Progress
from jan_host.contract.errors import JanHostError, ModelLoadError
from jan_host.contract.model import Model
from jan_host.contract.wording import refusal
from jan_host.runtime.faults import describe_error


def decode_settings(engine: Engine, settings: Mapping[str, Any]) -> msgspec.Struct:
    """The settings as the engine declares them; names that it does not know are left out.

    Raises:
        ModelLoadError: A value is not one that its setting may have, or several do not go together.
    """
    try:
        return msgspec.convert(dict(settings), engine.Settings, strict=False)
    except msgspec.ValidationError as error:
        field, problem = refusal(error, settings, engine.Settings)
        if field is None:
            raise ModelLoadError(
                f"The settings can't be used: {problem} Correct them in the model's settings.",
                param="settings",
            ) from None
        raise ModelLoadError(
            f"The setting {field} can't be used: {problem}. Correct it in the model's settings.",
            param=f"settings.{field}",
        ) from None


async def load_model(
    engine: Engine, model: Model, folder: Path, settings: Mapping[str, Any], progress: Progress
) -> LoadedModel:
    """Bring `model` into memory with `engine`.

    Raises:
        JanHostError: What the engine raised, or `ModelLoadError` in place of a foreign exception.
    """
    decoded = decode_settings(engine, settings)
    try:
        loaded = await engine.load(model, folder, decoded, progress)
    except (JanHostError, KeyboardInterrupt):
        raise
    except BaseException as error:
        if isinstance(error, asyncio.CancelledError) and _is_cancelled():
            raise
        raise ModelLoadError(f"{engine.name} could not load {model.id}: {describe_error(error)}") from error
    if not isinstance(loaded, LoadedModel):
        raise ModelLoadError(
            f"{engine.name} could not load {model.id}: its load returned a {type(loaded).__name__}"
            " in place of a LoadedModel."
        )
    return loaded


def _is_cancelled() -> bool:
    """Whether the cancellation was asked for, and is not the engine's own doing."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
