"""The engine llama.cpp as the host sees it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from jan_host import Engine, Footprint, LoadedModel, Model, ModelBrokenError, ModelLoadError, Progress

from jan_host_llamacpp.adapters.files import adapter_files
from jan_host_llamacpp.footprint import estimate
from jan_host_llamacpp.gguf import read_header
from jan_host_llamacpp.inspection import inspect
from jan_host_llamacpp.magic import is_gguf
from jan_host_llamacpp.settings import Settings
from jan_host_llamacpp.vision.files import projector_file


class LlamaCpp(Engine):
    """Runs GGUF models through llama-cpp-python's low-level functions."""

    name = "llama.cpp"
    aliases = frozenset({"nitro", "llamacpp", "llama-cpp", "llama_cpp", "cortex.llamacpp"})
    formats = frozenset({"gguf"})
    runs_in = "worker"
    Settings = Settings
    environment: ClassVar[dict[str, str]] = {
        # OpenMP's waiting threads spin; where cores are shared, that cuts throughput to a third.
        "GOMP_SPINCOUNT": "1000",
        # A debugger's list of calls would take seconds, and push what failed out of the last words.
        "GGML_NO_BACKTRACE": "1",
    }

    def inspect(self, files: Sequence[Path]) -> Sequence[Model]:
        """The GGUF models among `files`; see `Engine.inspect`."""
        return inspect(files)

    def estimate(self, model: Model, folder: Path | None, settings: Any) -> Footprint:
        """Weights, KV cache and room to compute; see `Engine.estimate`."""
        return estimate(model, folder, settings)

    async def load(self, model: Model, folder: Path, settings: Any, progress: Progress) -> LoadedModel:
        """Bring the model into memory; see `Engine.load`."""
        path, adapters = _weights(model, folder), adapter_files(settings, model, folder)
        projector = projector_file(settings, model, folder, path)
        try:
            from jan_host_llamacpp.loading import open_model
            from jan_host_llamacpp.offering import offer
        except (ImportError, OSError, RuntimeError) as error:  # llama_cpp raises each of them
            raise ModelLoadError(
                f"llama-cpp-python can't be imported ({error}). Install it anew:"
                " pip install --force-reinstall llama-cpp-python"
            ) from error
        opened = await open_model(path, settings, adapters, projector, progress)
        try:
            return offer(opened, settings, model.parameters)
        except ModelLoadError:
            opened.close()
            raise


def _weights(model: Model, folder: Path) -> Path:
    """The file to load: the first shard, and no projector. Its header, and those of its shards, are whole.

    Raises:
        ModelLoadError: There is none, or it can't be read; says why.
    """
    files = [path for path in sorted(model.files(folder)) if is_gguf(path)]
    missing = [path for path in files if not path.is_file()]
    if missing:
        raise ModelLoadError(
            f"The file {missing[0].name} of {model.id} is missing. Download the model again, or correct its"
            " sources.",
            param="sources",
        )
    try:
        readable = [path for path in files if read_header(path).is_model]
    except ModelBrokenError as error:
        raise ModelLoadError(error.message, param="sources") from error
    if not readable:
        raise ModelLoadError(
            f"The model {model.id} names no GGUF file to load. Name one among the sources of its model.json.",
            param="sources",
        )
    return readable[0]
