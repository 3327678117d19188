"""The files of a model's LoRA adapters, found and looked into before native code reads them."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jan_host import Model, ModelBrokenError, ModelLoadError

from jan_host_llamacpp.gguf import read_header
from jan_host_llamacpp.header import Header
from jan_host_llamacpp.settings import Adapter, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterFile:
    """An adapter that can be loaded."""

    name: str
    """What requests call it."""
    path: Path
    scale: float
    """How much of it is used where a request says nothing."""


def adapter_files(settings: Settings, model: Model, folder: Path) -> list[AdapterFile]:
    """The adapters of a model, in the order of its settings.

    Raises:
        ModelLoadError: One is not where a model's adapters may be, or is none, or two have one name.
    """
    files = [_file(adapter, index, model, folder) for index, adapter in enumerate(settings.adapters())]
    names = [file.name for file in files]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise _refused(index, f"there are two adapters with the name {name}. Give one another name")
    return files


def check_fit(files: Sequence[AdapterFile], header: Header) -> None:
    """Hold each adapter's header against the model's.

    Raises:
        ModelLoadError: One was made for another kind of model, or its numbers make no sense.
    """
    for index, file in enumerate(files):
        try:
            own = read_header(file.path)
        except ModelBrokenError as error:
            raise _refused(index, error.message.removesuffix(".")) from None
        problem = _problem(own, header)
        if problem:
            raise _refused(index, f"{file.path.name} {problem}")


def _problem(own: Header, model: Header) -> str | None:
    """Why an adapter can't be used. llama.cpp ends the process where a value is of another type."""
    kind = own.metadata.get("adapter.type")
    if own.metadata.get("general.type") != "adapter" or kind != "lora":
        return "is no LoRA adapter: its general.type should be adapter, its adapter.type lora"
    if own.architecture != model.architecture:
        return f"was made for models of the kind {own.architecture!r}, and this one is {model.architecture!r}"
    alpha = own.metadata.get("adapter.lora.alpha", 0.0)
    if not isinstance(alpha, float) or not math.isfinite(alpha):
        return f"says that its adapter.lora.alpha is {alpha}, which should be a number"
    if "adapter.alora.invocation_tokens" in own.metadata:
        return "is an activated LoRA, which only works behind certain tokens; this engine can't use these"
    return None


def _file(adapter: Adapter, index: int, model: Model, folder: Path) -> AdapterFile:
    path = _path(adapter.path, index, model, folder)
    if not path.is_file():
        raise _refused(index, f"there is no file {path}")
    return AdapterFile(name=adapter.name or path.stem, path=path, scale=adapter.scale)


def _path(given: str, index: int, model: Model, folder: Path) -> Path:
    """Where a path leads; it may not lead out of the folders in which the model's own files are."""
    path = Path(os.path.abspath(folder / given))
    roots = [folder, *(file.parent for file in model.files(folder))]
    if not given.isprintable() or not any(path.is_relative_to(os.path.abspath(root)) for root in roots):
        raise _refused(
            index,
            f"the path {given[:200]!r} leads out of the model's folder. Put the adapter into {folder}, or"
            " beside the model's files",
        )
    return path


def _refused(index: int, problem: str) -> ModelLoadError:
    return ModelLoadError(
        f"The setting lora[{index}] can't be used: {problem}.", param=f"settings.lora[{index}]"
    )
