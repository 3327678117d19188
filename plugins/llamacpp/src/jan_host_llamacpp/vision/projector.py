"""A projector in memory: an image file becomes vectors that a model reads like tokens.

mtmd's functions are called here alone. What would end the process inside them is checked before: the file
is one of the formats that its decoder knows, of sane size and shape.
"""

import ctypes
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import llama_cpp.llama_cpp as lib
import llama_cpp.mtmd_cpp as mtmd
import numpy as np
import numpy.typing as npt
from jan_host import InvalidRequestError, ModelLoadError
from jan_host.kit.images import Image, broken

from jan_host_llamacpp.native import NativeModel, complaints, log_callback, prepare
from jan_host_llamacpp.params import projector_threads
from jan_host_llamacpp.settings import Settings
from jan_host_llamacpp.vision.files import ProjectorFile
from jan_host_llamacpp.vision.sight import Sight, Vectors

_LOG = logging.getLogger(__name__)
_LONGEST_SIDE = 200
"""Times the shorter one: beyond that a side would become nothing when it is scaled (Qwen-VL's own limit)."""


class Extent(NamedTuple):
    """How an image goes through a model."""

    whole: bool
    """Its vectors see each other, so that all of them are computed at once."""
    planar: bool
    """Its positions are places in a plane (M-RoPE): fewer follow each other than there are vectors."""


class Chunk(NamedTuple):
    """A part of an image that is encoded by itself; valid within `Projector.reading`."""

    pointer: Any
    size: int
    """How many vectors it becomes."""


class Projector:
    """A projector and its encoder. `reading` is thread-safe; `encode` belongs to one thread at a time.

    Args:
        path: Its GGUF file.
        model: The model that reads the vectors; it must outlive this.
        threads: CPU threads of the encoder.
        gpu: Whether it may use one.
        tokens: The fewest and the most vectors of an image, where that can be chosen; ``None``: as it says.

    Raises:
        ModelLoadError: mtmd could not load it, or it is for another model; says why.
    """

    def __init__(
        self,
        path: Path,
        model: NativeModel,
        *,
        threads: int,
        gpu: bool,
        tokens: tuple[int | None, int | None] = (None, None),
    ) -> None:
        prepare()
        mtmd.mtmd_helper_log_set(log_callback, None)
        complaints()
        params = mtmd.mtmd_context_params_default()
        params.use_gpu = gpu
        params.n_threads = threads
        params.print_timings = False
        params.warmup = False
        params.image_min_tokens, params.image_max_tokens = (-1 if each is None else each for each in tokens)
        self._pointer: Any = mtmd.mtmd_init_from_file(str(path).encode(), model.pointer, params)
        if not self._pointer:
            reason = complaints() or "it gave no reason"
            raise ModelLoadError(
                f"llama.cpp could not load the projector {path.name}: {reason}. Get the one that was"
                " published with the model, or set vision_model to false to do without.",
                param="settings.mmproj",
            )
        self.sees = bool(mtmd.mtmd_support_vision(self._pointer))
        """Whether it takes images; some take sound alone."""
        self.extent = Extent(
            whole=bool(mtmd.mtmd_decode_use_non_causal(self._pointer, None)),
            planar=bool(mtmd.mtmd_decode_use_mrope(self._pointer)),
        )
        self.width: int = lib.llama_model_n_embd_inp(model.pointer)
        """Numbers in a vector."""
        self._marker: bytes = mtmd.mtmd_default_marker()

    @contextmanager
    def reading(self, image: Image, param: str) -> Iterator[list[list[int] | Chunk]]:
        """What an image becomes in a prompt: the tokens that the model wants around it, and its chunks.

        Args:
            image: A file whose contents were checked.
            param: The field of the request, for errors.

        Raises:
            InvalidRequestError: The decoder can't read it, or its sides are out of proportion.
        """
        if max(image.width, image.height) > _LONGEST_SIDE * min(image.width, image.height):
            raise InvalidRequestError(
                f"The image has {image.width} x {image.height} pixels; one side may be {_LONGEST_SIDE} times"
                " the other at most. Cut it.",
                param=param,
            )
        bitmap = self._decoded(image, param)
        chunks = mtmd.mtmd_input_chunks_init()
        try:
            text = mtmd.mtmd_input_text(self._marker, len(self._marker), False, True)
            bitmaps = (mtmd.mtmd_bitmap_p_ctypes * 1)(bitmap)
            if mtmd.mtmd_tokenize(self._pointer, chunks, ctypes.byref(text), bitmaps, 1) != 0:
                raise broken(image.media_type, param)
            pointers = (
                mtmd.mtmd_input_chunks_get(chunks, place)
                for place in range(mtmd.mtmd_input_chunks_size(chunks))
            )
            yield [_piece(pointer) for pointer in pointers]
        finally:
            mtmd.mtmd_input_chunks_free(chunks)
            mtmd.mtmd_bitmap_free(bitmap)

    def encode(self, chunk: Chunk) -> Sight:
        """The vectors of a chunk.

        Raises:
            InvalidRequestError: The encoder fails on it.
        """
        if mtmd.mtmd_encode_chunk(self._pointer, chunk.pointer) != 0:
            raise InvalidRequestError(
                f"The model can't see this image: {complaints() or 'its encoder failed'}. Send another one."
            )
        found = mtmd.mtmd_get_output_embd(self._pointer)
        vectors: Vectors = np.ctypeslib.as_array(found, (chunk.size, self.width)).copy()
        positions: int = mtmd.mtmd_input_chunk_get_n_pos(chunk.pointer)
        planes = _planes(chunk) if self.extent.planar else None
        return Sight(vectors=vectors, positions=positions, planes=planes, whole=self.extent.whole)

    def free(self) -> None:
        """Give the memory back; nothing reads or encodes any more."""
        if self._pointer:
            mtmd.mtmd_free(self._pointer)
            self._pointer = None

    def _decoded(self, image: Image, param: str) -> Any:
        buffer = (ctypes.c_uint8 * len(image.data)).from_buffer_copy(image.data)
        options = mtmd.mtmd_helper_init_opt_default()
        # What is no image is taken for a film, and handed to a program: there shall be none.
        options.video_params.ffmpeg_bin_dir = b"/nowhere"
        found = mtmd.mtmd_helper_bitmap_init_from_buf_wrapper(
            self._pointer, buffer, len(image.data), False, options
        )
        if found.video_ctx:
            mtmd.mtmd_helper_video_free(found.video_ctx)
        if found.bitmap and not found.video_ctx:
            sides = mtmd.mtmd_bitmap_get_nx(found.bitmap), mtmd.mtmd_bitmap_get_ny(found.bitmap)
            if sides == (image.width, image.height) and not mtmd.mtmd_bitmap_is_audio(found.bitmap):
                return found.bitmap
        if found.bitmap:
            mtmd.mtmd_bitmap_free(found.bitmap)
        raise broken(image.media_type, param)


def open_projector(file: ProjectorFile | None, model: NativeModel, settings: Settings) -> Projector | None:
    """The projector of a model, ``None`` where there is none, or one that takes no images.

    One that merely lies beside the model, and is another's, is left out with a warning.

    Raises:
        ModelLoadError: The model's own can't be loaded.
    """
    if file is None:
        return None
    try:
        projector = Projector(
            file.path,
            model,
            threads=projector_threads(settings),
            gpu=settings.ngl != 0,
            tokens=(settings.image_min_tokens, settings.image_max_tokens),
        )
    except ModelLoadError as error:
        if file.named:
            raise
        _LOG.warning("%s is no projector for this model, which reads text alone: %s", file.path.name, error)
        return None
    if projector.sees:
        return projector
    projector.free()
    return None


def _piece(pointer: Any) -> list[int] | Chunk:
    if mtmd.mtmd_input_chunk_get_type(pointer) != mtmd.MTMD_INPUT_CHUNK_TYPE_TEXT:
        return Chunk(pointer, mtmd.mtmd_input_chunk_get_n_tokens(pointer))
    count = ctypes.c_size_t()
    tokens = mtmd.mtmd_input_chunk_get_tokens_text(pointer, ctypes.byref(count))
    return [int(tokens[place]) for place in range(count.value)]


def _planes(chunk: Chunk) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """The four coordinates of each vector where the image begins at position 0, and their change with it."""
    image = mtmd.mtmd_input_chunk_get_tokens_image(chunk.pointer)
    found = []
    for start in (0, 1):
        places = (mtmd.mtmd_decoder_pos * chunk.size)()
        mtmd.mtmd_helper_image_get_decoder_pos(image, start, places)
        # llama.cpp's order is time, row, column, and one that most models do not use.
        found.append(np.array([[each.t, each.y, each.x, each.z] for each in places], np.int32).T)
    return found[0], found[1] - found[0]
