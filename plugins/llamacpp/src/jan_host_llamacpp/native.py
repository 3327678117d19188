"""llama.cpp's model and context as objects: what is wrong is refused before the native call.

A wrong argument ends the process inside llama.cpp, so nothing else in this plugin calls its
functions on a model or context without going through here, `vocab`, `kv` or `sampling`.
"""

import ctypes
import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt
from jan_host import ModelLoadError

from jan_host_llamacpp.adapters.asked import Scales
from jan_host_llamacpp.adapters.files import AdapterFile
from jan_host_llamacpp.adapters.loaded import LoadedAdapters
from jan_host_llamacpp.batch import Batch, Fills

_LOG = logging.getLogger("jan_host_llamacpp")
_LEVELS = {1: logging.DEBUG, 2: logging.DEBUG, 3: logging.WARNING, 4: logging.ERROR}
_CONTINUES = 5
"""The level that says: the same line goes on."""

_recent: deque[str] = deque(maxlen=40)
_setup = threading.Lock()
_ready = False


def _on_log(level: int, text: bytes | None, _: Any) -> None:
    line = (text or b"").decode("utf-8", "replace").rstrip()
    if not line or level == _CONTINUES:
        return
    if level >= 3:
        _recent.append(line)
    _LOG.log(_LEVELS.get(level, logging.DEBUG), "%s", line)


log_callback = lib.llama_log_callback(_on_log)  # llama.cpp keeps the pointer: it must live as long


def prepare() -> None:
    """Start llama.cpp in this process and take over its log; once is enough, more do no harm."""
    global _ready  # noqa: PLW0603  # llama.cpp's own state is global to the process
    with _setup:
        if not _ready:
            lib.llama_log_set(log_callback, None)
            lib.llama_backend_init()
            _ready = True


def complaints() -> str:
    """llama.cpp's last warnings and errors since the last call, in one line; empty when there are none."""
    lines = list(_recent)[-3:]
    _recent.clear()
    return "; ".join(lines)


class NativeModel:
    """A model's weights in memory.

    Args:
        path: The GGUF file, or the first of several shards.
        params: llama.cpp's model parameters.
        progress: Told the loaded part, from 0 to 1; returns false to give up.

    Raises:
        ModelLoadError: llama.cpp could not load it; its own last lines say why.
    """

    def __init__(self, path: Path, params: Any, progress: Callable[[float], bool]) -> None:
        prepare()
        complaints()
        callback = lib.llama_progress_callback(lambda part, _: progress(part))
        params.progress_callback = callback
        pointer = lib.llama_model_load_from_file(str(path).encode(), params)
        if not pointer:
            reason = complaints() or "it gave no reason"
            raise ModelLoadError(f"llama.cpp could not load {path.name}: {reason}")
        self.pointer: Any = pointer
        self.vocab: Any = lib.llama_model_get_vocab(pointer)
        self.trained_context: int = lib.llama_model_n_ctx_train(pointer)
        self.decodes = bool(lib.llama_model_has_decoder(pointer)) and not lib.llama_model_has_encoder(pointer)
        self.diffusion = bool(lib.llama_model_is_diffusion(pointer))
        self.recurrent = bool(lib.llama_model_is_recurrent(pointer) or lib.llama_model_is_hybrid(pointer))
        """State that can't be cut at a token: prefixes can't be reused."""
        self.adapters = LoadedAdapters(pointer, (), complaints)
        self.cores: int | None = None
        """On how many cores its contexts compute at most, from their next step on; any thread may set it."""

    def attach(self, files: Sequence[AdapterFile]) -> None:
        """Load adapters beside the weights, before the first context is created; errors as they tell."""
        self.adapters = LoadedAdapters(self.pointer, files, complaints)

    def template(self, name: str | None = None) -> str | None:
        """The chat template inside the file, or another one by its name."""
        wanted = None if name is None else name.encode()
        text: bytes | None = lib.llama_model_chat_template(self.pointer, wanted)
        return text.decode("utf-8", "replace") if text else None

    def describe(self) -> str:
        """Architecture, size and quantization, in llama.cpp's words."""
        buffer = ctypes.create_string_buffer(256)
        lib.llama_model_desc(self.pointer, buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace")

    def free(self) -> None:
        """Give the memory back; its contexts must be freed before."""
        if self.pointer:
            lib.llama_model_free(self.pointer)
            self.pointer = None


class NativeContext:
    """The state of a model's sequences; used by one thread at a time, but for `abort`.

    Args:
        model: The model.
        params: llama.cpp's context parameters.

    Raises:
        ModelLoadError: There is no memory for it, or the parameters don't go together.
    """

    def __init__(self, model: NativeModel, params: Any) -> None:
        complaints()
        pointer = lib.llama_init_from_model(model.pointer, params)
        if not pointer:
            reason = complaints() or "the memory may not suffice"
            raise ModelLoadError(
                f"llama.cpp could not create a context of {params.n_ctx} tokens: {reason}."
                " Lower ctx_len or n_parallel in the model's settings."
            )
        self.pointer: Any = pointer
        self._model = model
        self._cores: int | None = None
        self._threads: tuple[int, int] = (params.n_threads, params.n_threads_batch)
        self.memory: Any = lib.llama_get_memory(pointer)
        self._encodes = not self.memory or bool(lib.llama_model_has_encoder(model.pointer))
        self.batch_size: int = lib.llama_n_batch(pointer)
        self.cells: int = lib.llama_n_ctx(pointer)
        self.cells_per_sequence: int = lib.llama_n_ctx_seq(pointer)
        self._row = ctypes.c_float * lib.llama_vocab_n_tokens(model.vocab)
        self._logits_at = _address_of_logits()
        self._abort = ctypes.create_string_buffer(2)
        self._abort_callback = _abort_when_set()
        lib.llama_set_abort_callback(pointer, self._abort_callback, ctypes.addressof(self._abort))
        self._scales: Scales = ()
        self.adapt(model.adapters.default)

    def decode(self, batch: Fills) -> int:
        """Run one batch through the model and wait for the result.

        Returns:
            0: done. 1: no free cells; nothing changed. 2: aborted, a part may be done.
            -1: llama.cpp refuses the batch; nothing changed. Below: failed, a part may be done.
        """
        if not 0 < batch.struct.n_tokens <= self.batch_size:
            return -1
        self._keep_to_cores()
        status: int = lib.llama_decode(self.pointer, batch.struct)
        return status

    def encode(self, batch: Batch, *, anew: bool = True) -> int:
        """Read texts, each a sequence of its own.

        Args:
            batch: Their tokens.
            anew: Forget what was read before.

        Returns:
            As `decode`.
        """
        if not 0 < batch.struct.n_tokens <= self.batch_size:
            return -1
        self._keep_to_cores()
        if self.memory and anew:
            lib.llama_memory_clear(self.memory, False)
        run = lib.llama_encode if self._encodes else lib.llama_decode
        status: int = run(self.pointer, batch.struct)
        return status

    def _keep_to_cores(self) -> None:
        """Compute on as many threads as were asked for, and on no more cores than the model may use."""
        cores = self._model.cores
        if cores != self._cores:
            self._cores = cores
            threads = [count if cores is None else min(count, cores) for count in self._threads]
            lib.llama_set_n_threads(self.pointer, *threads)

    def pooled(self, sequence: int, width: int) -> npt.NDArray[np.float32]:
        """A copy of the `width` numbers that the last `encode` gave for a sequence.

        Raises:
            IndexError: There was no such sequence, or the context does not pool.
        """
        found = lib.llama_get_embeddings_seq(self.pointer, sequence)
        if not found:
            raise IndexError(f"sequence {sequence} of the batch has no vector")
        return np.ctypeslib.as_array(found, (width,)).astype(np.float32, copy=True)

    def logits(self, index: int) -> npt.NDArray[np.float32]:
        """The scores of the whole vocabulary behind token `index` of the last batch, writable.

        The view is valid until the next `decode`.

        Raises:
            IndexError: No logits were asked for at that token.
        """
        address = self._logits_at(self.pointer, index)
        if not address:
            raise IndexError(f"token {index} of the batch has no logits")
        return np.frombuffer(self._row.from_address(address), dtype=np.float32)

    def adapt(self, scales: Scales) -> None:
        """Compute with so much of each of the model's adapters from now on."""
        if scales != self._scales:
            self._model.adapters.apply(self.pointer, scales)
            self._scales = scales

    def abort(self, wanted: bool) -> None:
        """Make a running `decode` end early, or allow the next one; callable from any thread."""
        self._abort[0] = b"\x01" if wanted else b"\x00"

    def free(self) -> None:
        """Give the memory back."""
        if self.pointer:
            lib.llama_free(self.pointer)
            self.pointer = None


def _address_of_logits() -> Any:
    """`llama_get_logits_ith` that returns an address: a ctypes pointer would cost more than the call."""
    # A second handle of the same library, since a prototype belongs to its function object.
    function = ctypes.CDLL(lib._lib._name).llama_get_logits_ith
    function.argtypes = [ctypes.c_void_p, ctypes.c_int32]
    function.restype = ctypes.c_void_p
    return function


def _abort_when_set() -> Any:
    """An abort callback in C: llama.cpp asks it before each of hundreds of operations of a step.

    A Python function would take the interpreter's lock each time. ``strlen`` reads the flag just
    as well: the flag's first byte is 0 (length 0, go on) or 1 (length 1, stop).
    """
    c_library = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None)
    return ctypes.cast(c_library.strlen, lib.ggml_abort_callback)
