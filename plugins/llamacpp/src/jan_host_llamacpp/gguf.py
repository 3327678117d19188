"""Read the header of a GGUF file, versions 2 and 3, and hold everything in it against the file's size.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Vocabularies are stepped over, so
that a header takes milliseconds; and native code sees a file only after this has found it whole, which is
the first line of defence against files that are made to be read beyond their end.
"""

import math
import time
from functools import lru_cache
from pathlib import Path
from struct import Struct
from typing import Final

from jan_host import ModelBrokenError

from jan_host_llamacpp.cursor import Cursor
from jan_host_llamacpp.ggml import REMOVED_TYPES, TENSOR_TYPES
from jan_host_llamacpp.header import MOST_LAYERS, Array, Header, Scalar, Tensor
from jan_host_llamacpp.magic import MAGIC, why_not_gguf

_U32: Final = Struct("<I")
_U64: Final = Struct("<Q")
_STRING: Final = 8
_ARRAY: Final = 9
_NUMBERS: Final = {
    0: Struct("<B"),
    1: Struct("<b"),
    2: Struct("<H"),
    3: Struct("<h"),
    4: Struct("<I"),
    5: Struct("<i"),
    6: Struct("<f"),
    7: Struct("<?"),
    10: Struct("<Q"),
    11: Struct("<q"),
    12: Struct("<d"),
}

_MOST_KEYS: Final = 1 << 16
_MOST_TENSORS: Final = 1 << 17
_MOST_STRINGS: Final = 1 << 22
_LONGEST_STRING: Final = 1 << 24
_LONGEST_KEY: Final = (1 << 16) - 1
_LONGEST_NAME: Final = 63
_MOST_DIMENSIONS: Final = 4
_KEPT_TEXT: Final = 1 << 26
_KEPT_NUMBERS: Final = 4096
_KEPT_STRINGS: Final = 64
_ARRAYS_READ: Final = 256
_OLD_NANOSECONDS: Final = 2 * 10**9


def read_header(path: Path) -> Header:
    """The header of a GGUF file.

    Raises:
        ModelBrokenError: The file is no GGUF file, is cut off or is damaged; says which and where.
    """
    try:
        found = path.stat()
        # A file that was written just now may be written to again in the same tick of the clock.
        is_old = time.time_ns() - found.st_mtime_ns > _OLD_NANOSECONDS
        return (_read_once if is_old else _read)(path, found.st_mtime_ns, found.st_size)
    except ModelBrokenError as error:
        raise ModelBrokenError(f"{path.name} {error.message}") from None
    except OSError as error:
        raise ModelBrokenError(
            f"{path.name} can't be read: {error.strerror}. Check its permissions."
        ) from error


def _read(path: Path, written: int, size: int) -> Header:
    with path.open("rb", buffering=0) as stream:
        return _Reader(Cursor(stream, size)).header()


_read_once = lru_cache(maxsize=64)(_read)
"""Files that lie beside each other are looked at together, whenever one of them changes."""


class _Reader:
    """One pass over a header. Its errors are sentences that lack the file's name in front."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._kept = _KEPT_TEXT
        self._strings = _MOST_STRINGS
        self._arrays = _ARRAYS_READ

    def header(self) -> Header:
        version = self._version()
        tensor_count = self._count(_MOST_TENSORS, "tensors")
        key_count = self._count(_MOST_KEYS, "keys")
        metadata = self._metadata(key_count)
        alignment = _alignment(metadata)
        tensors = [self._tensor(alignment) for _ in range(tensor_count)]
        if len({tensor.name for tensor in tensors}) < tensor_count:
            raise ModelBrokenError("is damaged: two of its tensors have the same name. Download it again.")
        data = -(-self._cursor.position // alignment) * alignment
        header = Header(
            version=version,
            metadata=metadata,
            tensors=tensors,
            alignment=alignment,
            data_offset=data,
            size=self._cursor.size,
        )
        if header.promised > header.size:
            raise ModelBrokenError(
                f"is truncated: its header promises {header.promised} bytes, and the file has {header.size}."
                " Download it again."
            )
        if header.block_count > MOST_LAYERS:
            raise ModelBrokenError(
                f"is damaged: it claims to have {header.block_count} layers, and llama.cpp runs"
                f" {MOST_LAYERS} at most. Download it again."
            )
        return header

    def _version(self) -> int:
        cursor = self._cursor
        if not cursor.size:
            raise ModelBrokenError("is empty. Download it again.")
        begin = cursor.take(min(cursor.size, 24))
        if not begin.startswith(MAGIC):
            raise ModelBrokenError(why_not_gguf(begin))
        cursor.position = len(MAGIC)
        version = cursor.integer(_U32)
        if version & 0xFFFF == 0 and version:
            raise ModelBrokenError("is for big-endian machines. Get the little-endian file.")
        if version == 1:
            raise ModelBrokenError("is of GGUF version 1, which llama.cpp no longer reads. Get a newer file.")
        if version not in (2, 3):
            raise ModelBrokenError(f"is of GGUF version {version}, and versions 2 and 3 can be read.")
        return version

    def _count(self, most: int, what: str) -> int:
        count = self._cursor.integer(_U64)
        if count > most:
            raise ModelBrokenError(f"is damaged: it claims to have {count} {what}. Download it again.")
        return count

    def _metadata(self, count: int) -> dict[str, Scalar | Array]:
        found: dict[str, Scalar | Array] = {}
        for _ in range(count):
            key = self._cursor.text(_LONGEST_KEY, "the name of a key")
            if key in found:
                raise ModelBrokenError(f"is damaged: it has the key {key!r} twice. Download it again.")
            found[key] = self._value(key, self._cursor.integer(_U32))
        return found

    def _value(self, key: str, kind: int) -> Scalar | Array:
        if kind == _STRING:
            text = self._cursor.text(_LONGEST_STRING, f"the value of {key!r}")
            self._kept -= len(text)
            if self._kept < 0:
                raise ModelBrokenError("is damaged: its header holds far too much text. Download it again.")
            return text
        if kind == _ARRAY:
            return self._array(key)
        return self._cursor.number(self._form(key, kind))

    def _form(self, key: str, kind: int) -> Struct:
        form = _NUMBERS.get(kind)
        if form is None:
            raise ModelBrokenError(
                f"is damaged: {key!r} has a value of unknown type {kind}. Download it again."
            )
        return form

    def _array(self, key: str) -> Array:
        cursor = self._cursor
        kind = cursor.integer(_U32)
        count = cursor.integer(_U64)
        if kind == _ARRAY:
            raise ModelBrokenError(f"has lists inside the list {key!r}, which llama.cpp can't read.")
        self._arrays -= 1  # the lists that matter are few; a damaged file may have many
        if kind == _STRING:
            return self._strings_of(key, count)
        form = self._form(key, kind)
        cursor.demand(count * form.size)
        if count > _KEPT_NUMBERS or self._arrays < 0:
            cursor.skip(count * form.size)
            return Array(count=count)
        return Array(
            count=count, items=tuple(item for (item,) in form.iter_unpack(cursor.take(count * form.size)))
        )

    def _strings_of(self, key: str, count: int) -> Array:
        self._strings -= count
        if self._strings < 0:
            raise ModelBrokenError(f"is damaged: the list {key!r} has {count} strings. Download it again.")
        if count > _KEPT_STRINGS or self._arrays < 0:
            self._cursor.skip_texts(count)
            return Array(count=count)
        return Array(count=count, items=tuple(str(self._value(key, _STRING)) for _ in range(count)))

    def _tensor(self, alignment: int) -> Tensor:
        cursor = self._cursor
        name = cursor.text(_LONGEST_NAME, "the name of a tensor")
        dimensions = cursor.integer(_U32)
        if dimensions > _MOST_DIMENSIONS:
            raise ModelBrokenError(
                f"is damaged: its tensor {name!r} has {dimensions} dimensions. Download it again."
            )
        shape = tuple(cursor.integer(_U64) for _ in range(dimensions))
        kind = cursor.integer(_U32)
        offset = cursor.integer(_U64)
        if offset % alignment:
            raise ModelBrokenError(f"is damaged: its tensor {name!r} is not aligned. Download it again.")
        return Tensor(
            name=name, shape=shape, kind=_kind(name, kind), offset=offset, size=_bytes(name, shape, kind)
        )


def _kind(name: str, kind: int) -> str:
    if kind in TENSOR_TYPES:
        return TENSOR_TYPES[kind][0]
    if kind in REMOVED_TYPES:
        raise ModelBrokenError(
            f"has the tensor {name!r} in a format (type {kind}) that llama.cpp has dropped. Get a newer file."
        )
    raise ModelBrokenError(
        f"has the tensor {name!r} in the unknown format {kind}: it is damaged, or newer than this llama.cpp."
    )


def _bytes(name: str, shape: tuple[int, ...], kind: int) -> int:
    if kind not in TENSOR_TYPES:
        return 0  # `_kind` says so
    _, block, size = TENSOR_TYPES[kind]
    numbers = math.prod(shape)
    if numbers >= 1 << 63 or (shape and shape[0] % block):
        raise ModelBrokenError(
            f"is damaged: its tensor {name!r} can't have the shape {shape}. Download it again."
        )
    return numbers // block * size


def _alignment(metadata: dict[str, Scalar | Array]) -> int:
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1) or alignment > 1 << 20:
        raise ModelBrokenError("is damaged: its alignment is no power of two. Download it again.")
    return alignment
