"""The engine llama.cpp as the host sees it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from jan_host import Engine, LoadedModel, Model, ModelBrokenError, ModelLoadError, Progress

from jan_host_llamacpp.settings import Settings


class LlamaCpp(Engine):
    """Runs GGUF models through llama-cpp-python's low-level functions."""

    name = "llama.cpp"
    aliases = frozenset({"nitro", "llamacpp", "llama-cpp", "llama_cpp", "cortex.llamacpp"})
    formats = frozenset({"gguf"})
    runs_in = "worker"
    Settings = Settings
    # OpenMP's waiting threads spin; where cores are shared, that cuts throughput to a third.
    environment: ClassVar[dict[str, str]] = {"GOMP_SPINCOUNT": "1000"}

    async def load(self, model: Model, folder: Path, settings: Any, progress: Progress) -> LoadedModel:
        """Bring the model into memory; see `Engine.load`."""
        path = _weights(model, folder)
        try:
            from jan_host_llamacpp.loading import open_model
            from jan_host_llamacpp.model import LlamaCppModel
        except (ImportError, OSError, RuntimeError) as error:  # llama_cpp raises each of them
            raise ModelLoadError(
                f"llama-cpp-python can't be imported ({error}). Install it anew:"
                " pip install --force-reinstall llama-cpp-python"
            ) from error
        opened = await open_model(path, settings, progress)
        return LlamaCppModel(
            opened,
            max_queue=settings.max_queue,
            system_prompt=settings.system_prompt,
            default_limit=_whole_number(model.parameters.get("max_tokens")),
        )


def _weights(model: Model, folder: Path) -> Path:
    """The file to load: the first GGUF file that is no projector.

    Raises:
        ModelLoadError: There is none, or it can't be read.
    """
    candidates = [path for path in model.files(folder) if _is_weights(path)]
    if not candidates:
        raise ModelLoadError(
            f"The model {model.id} names no .gguf file among its sources. Add the file to its model.json.",
            param="sources",
        )
    path = sorted(candidates)[0] if _is_shard(candidates[0]) else candidates[0]
    if not path.is_file():
        raise ModelLoadError(f"The file {path} is missing. Download the model again, or correct its sources.")
    return path


def _is_weights(path: Path) -> bool:
    return path.suffix.lower() == ".gguf" and "mmproj" not in path.name.lower()


def _is_shard(path: Path) -> bool:
    return "-of-" in path.stem


def _whole_number(value: object) -> int | None:
    """A number of the model's parameters, which may be written as text."""
    try:
        return int(str(value))
    except ValueError:
        return None
