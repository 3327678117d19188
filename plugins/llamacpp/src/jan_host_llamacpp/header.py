"""What the header of a GGUF file says."""

import math
from dataclasses import dataclass
from functools import cached_property

from jan_host_llamacpp.ggml import FILE_TYPES

Scalar = str | int | float | bool

MOST_LAYERS = 512
"""``LLAMA_MAX_LAYERS`` in llama.cpp's llama-hparams.h."""
_LARGEST = 2**40


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """A list in the metadata. `items` is ``None`` when it is long, such as a vocabulary."""

    count: int
    items: tuple[Scalar, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A tensor: `kind` is its number format, `offset` counts from the tensor data, sizes are bytes."""

    name: str
    shape: tuple[int, ...]
    kind: str
    offset: int
    size: int


@dataclass(frozen=True, kw_only=True)
class Header:
    """A header that fits its file."""

    version: int
    metadata: dict[str, Scalar | Array]
    tensors: list[Tensor]
    alignment: int
    data_offset: int
    """Where the tensors' data begin, in bytes."""
    size: int
    """The file's size in bytes."""

    @property
    def promised(self) -> int:
        """The bytes that a file with this header has at least."""
        ends = [self.data_offset + tensor.offset + tensor.size for tensor in self.tensors]
        return max(ends, default=0)

    def text(self, key: str) -> str | None:
        """The text under `key`, or ``None``."""
        value = self.metadata.get(key)
        return value.strip() or None if isinstance(value, str) else None

    def integer(self, key: str) -> int | None:
        """The whole number under `key`, or ``None``; numbers that no model can have count as none."""
        value = self.metadata.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
            return None
        return value

    def integers(self, key: str, count: int) -> list[int]:
        """One whole number for each of `count` layers: a list as it stands, or one number for all."""
        value = self.metadata.get(key)
        if isinstance(value, Array):
            items = value.items or ()
            return [item for item in items[:count] if isinstance(item, int) and 0 <= item <= _LARGEST]
        single = self.integer(key)
        return [single] * min(count, MOST_LAYERS) if single is not None else []

    def flags(self, key: str, count: int) -> list[bool]:
        """One yes or no for each of `count` layers, where the value is such a list."""
        listed = isinstance(self.metadata.get(key), Array)
        return [bool(item) for item in self.integers(key, count)] if listed else []

    @cached_property
    def architecture(self) -> str:
        """The architecture's name: the prefix of its own keys."""
        return self.text("general.architecture") or ""

    def own(self, name: str) -> str:
        """The full name of one of the architecture's own keys."""
        return f"{self.architecture}.{name}"

    @property
    def context_length(self) -> int | None:
        """Tokens that the model was trained for."""
        return self.integer(self.own("context_length"))

    @property
    def block_count(self) -> int:
        """Layers."""
        return self.integer(self.own("block_count")) or 0

    @property
    def embedding_length(self) -> int:
        """Numbers in a token's vector."""
        return self.integer(self.own("embedding_length")) or 0

    @property
    def chat_template(self) -> str | None:
        """The model's own chat template, in Jinja."""
        return self.text("tokenizer.chat_template")

    @property
    def vocabulary_size(self) -> int:
        """Tokens in the vocabulary."""
        tokens = self.metadata.get("tokenizer.ggml.tokens")
        listed = tokens.count if isinstance(tokens, Array) else 0
        return self.integer(self.own("vocab_size")) or listed

    @cached_property
    def parameters(self) -> int:
        """Numbers in all tensors of this file."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors)

    @property
    def quantization(self) -> str | None:
        """The quantization's name, such as ``Q4_K_M``; without one, the format of most of the bytes."""
        named = self.integer("general.file_type")
        if named in FILE_TYPES:
            return FILE_TYPES[named]
        sizes: dict[str, int] = {}
        for tensor in self.tensors:
            sizes[tensor.kind] = sizes.get(tensor.kind, 0) + tensor.size
        return max(sizes, key=sizes.__getitem__, default=None)

    @property
    def is_projector(self) -> bool:
        """Whether this is the vision or audio part of another model."""
        return self.architecture == "clip" or self.text("general.type") == "mmproj"

    @property
    def is_model(self) -> bool:
        """Whether this is a model, and not a projector, an adapter or another addition to one."""
        return not self.is_projector and self.text("general.type") in (None, "model")

    def projects_to(self, width: int) -> bool:
        """Whether this projector makes vectors of `width` numbers."""
        kinds = ("clip.vision.projection_dim", "clip.audio.projection_dim")
        return width in {self.integer(key) for key in kinds}

    def head_sizes(self) -> tuple[int, int]:
        """Numbers of a key and of a value in one head of a layer."""
        width = self.embedding_length // max(max(self.heads, default=1), 1)
        key = self.integer(self.own("attention.key_length")) or width
        value = self.integer(self.own("attention.value_length")) or width
        return key, value

    @property
    def heads(self) -> list[int]:
        """Attention heads of each layer; empty when the model has none."""
        return self.integers(self.own("attention.head_count"), self.block_count)
