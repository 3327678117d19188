"""Adapters in memory, beside the weights that they change."""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import llama_cpp.llama_cpp as lib
from jan_host import EngineError, ModelLoadError

from jan_host_llamacpp.adapters.asked import Scales, default_scales
from jan_host_llamacpp.adapters.files import AdapterFile


class LoadedAdapters:
    """The adapters of a model; they live as long as it does. Loaded before its first context is created.

    Args:
        model: llama.cpp's model.
        files: The adapters.
        complaints: Gives llama.cpp's last warnings and errors, and forgets them.

    Raises:
        ModelLoadError: llama.cpp could not load one; its own last lines say why.
    """

    def __init__(self, model: Any, files: Sequence[AdapterFile], complaints: Callable[[], str]) -> None:
        self.default = default_scales(files)
        """How much of each counts where nobody says otherwise."""
        self._pointers: list[Any] = []
        for index, file in enumerate(files):
            complaints()
            pointer = lib.llama_adapter_lora_init(model, str(file.path).encode())
            if not pointer:
                reason = complaints() or "it gave no reason"
                raise ModelLoadError(
                    f"llama.cpp could not load the adapter {file.path.name}: {reason}",
                    param=f"settings.lora[{index}]",
                )
            self._pointers.append(pointer)

    def apply(self, context: Any, scales: Scales) -> None:
        """Let a context compute with so much of each adapter from now on.

        Raises:
            EngineError: llama.cpp refuses.
        """
        used = [(pointer, scale) for pointer, scale in zip(self._pointers, scales, strict=True) if scale]
        pointers = (lib.llama_adapter_lora_p_ctypes * len(used))(*(pointer for pointer, _ in used))
        values = (ctypes.c_float * len(used))(*(scale for _, scale in used))
        if lib.llama_set_adapters_lora(context, pointers, len(used), values) != 0:
            raise EngineError(f"llama.cpp could not use the adapters with the scales {scales}.")
