"""A model in a repository."""

from dataclasses import dataclass, field
from typing import Any

from jan_host_huggingface.repositories import File


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The files of one variant of a repository's model."""

    name: str
    """What a user writes to get it."""
    format: str
    files: tuple[File, ...]
    """What an engine loads, the file to begin with first."""
    extras: tuple[File, ...] = ()
    """What comes along and no engine needs, such as the README."""
    label: str = ""
    """The quantization or number format, where the name of the files tells it."""
    quality: float | None = None
    """Bits of a weight, about; ``None``: unknown."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What the layout tells of how to load it."""

    @property
    def size(self) -> int | None:
        """Bytes of what an engine loads; ``None`` where the hub does not tell one of the sizes."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    @property
    def all_files(self) -> tuple[File, ...]:
        """What is fetched."""
        return (*self.files, *self.extras)
