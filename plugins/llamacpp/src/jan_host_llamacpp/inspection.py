"""Which models lie among some files: what their GGUF headers tell."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jan_host import Model, ModelBrokenError, Source

from jan_host_llamacpp.gguf import read_header
from jan_host_llamacpp.header import Array, Header
from jan_host_llamacpp.magic import is_gguf

_SHARD = re.compile(r"(?P<base>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)
EMBEDDING_ARCHITECTURES = frozenset(
    (
        *("bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "jina-bert-v3", "neo-bert", "modern-bert"),
        *("eurobert", "gemma-embedding", "t5encoder"),
    )
)
"""Encoders: their tokens see each other, and they say nothing of a next one."""


@dataclass(frozen=True, slots=True)
class _Found:
    """The files of one model or projector, the one to load first, with their headers."""

    name: str
    files: list[Path]
    headers: list[Header]

    @property
    def main(self) -> Header:
        return self.headers[0]


def inspect(files: Sequence[Path]) -> list[Model]:
    """The GGUF models among `files`, in the order of their names.

    A projector becomes part of the models beside it that it fits; shards become one model.

    Args:
        files: Files of one folder and below. A file ``.gguf`` must be readable, a file ``.bin`` is looked
            at when it begins like GGUF, and all others are ignored.

    Raises:
        ModelBrokenError: A file can't be read, or a shard is missing; names it and says why.
    """
    found = list(_read_all(sorted(files)))
    models = [one for one in found if one.main.is_model]
    projectors = [one for one in found if one.main.is_projector]
    root = Path(os.path.commonpath([file.parent for file in files])) if files else Path()
    return [_model(one, _projector_of(one, models, projectors), root) for one in models]


def _read_all(files: Sequence[Path]) -> Iterator[_Found]:
    for path in files:
        shard = _SHARD.fullmatch(path.name)
        if shard is None:
            if is_gguf(path):
                yield _whole(path)
        elif int(shard["number"]) == 1:
            shards = _shards(path, shard)
            if set(shards) <= set(files):  # else the host asks about single files, of which this is none
                yield _split(shard["base"], shards)
        else:
            _shards(path, shard)


def _whole(path: Path) -> _Found:
    header = read_header(path)
    count = header.integer("split.count") or 1
    if count > 1:
        raise ModelBrokenError(
            f"{path.name} is one of {count} parts of a model. Keep the names that the parts were published"
            f" under, NAME-00001-of-{count:05}.gguf, all in one folder."
        )
    return _Found(path.stem, [path], [header])


def _shards(path: Path, shard: re.Match[str]) -> list[Path]:
    """All shards of the model that `path` is one of.

    Raises:
        ModelBrokenError: One is missing.
    """
    count = int(shard["count"])
    shards = [
        path.with_name(f"{shard['base']}-{number:05}-of-{count:05}{path.suffix}")
        for number in range(1, count + 1)
    ]
    missing = next((one for one in shards if not one.is_file()), None)
    if missing is not None or path not in shards:
        raise ModelBrokenError(
            f"{path.name} is one of {count} parts, and {(missing or path).name} is missing. Download it into"
            " the same folder."
        )
    return shards


def _split(base: str, shards: list[Path]) -> _Found:
    headers = [read_header(path) for path in shards]
    for path, header in zip(shards, headers, strict=True):
        if header.integer("split.count") not in (None, len(shards)):
            raise ModelBrokenError(
                f"{path.name} says that it is one of {header.integer('split.count')} parts, and its name says"
                f" {len(shards)}. Give it back the name that it was published under."
            )
    return _Found(base, shards, headers)


def _projector_of(one: _Found, models: Sequence[_Found], projectors: Sequence[_Found]) -> _Found | None:
    """The projector that gives the model its eyes or ears.

    One beside models of the same kind belongs to all of them; where several kinds lie side by side, to
    those whose vectors are as wide as what it projects to.
    """
    beside = [projector for projector in projectors if projector.files[0].parent == one.files[0].parent]
    kinds = {
        (other.main.architecture, other.main.embedding_length)
        for other in models
        if other.files[0].parent == one.files[0].parent
    }
    if len(kinds) > 1:
        beside = [projector for projector in beside if projector.main.projects_to(one.main.embedding_length)]
    # Sixteen bits are what projectors are published for; the other formats are for special machines.
    return min(
        beside, key=lambda projector: (projector.main.quantization != "F16", projector.name), default=None
    )


def _model(one: _Found, projector: _Found | None, root: Path) -> Model:
    files = [*one.files, *(projector.files if projector else ())]
    sources = [Source(filename=path.relative_to(root).as_posix()) for path in files]
    return Model(
        id=one.name,
        name=one.main.text("general.name") or one.name,
        description=one.main.text("general.description"),
        format="gguf",
        sources=sources,
        settings=_settings(one.main, projector.files[0].name if projector else None),
        metadata=_metadata(one, sum(path.stat().st_size for path in files)),
    )


def _settings(header: Header, projector: str | None) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if header.architecture in EMBEDDING_ARCHITECTURES or header.integer(header.own("pooling_type")):
        settings["embedding"] = True
    if projector is not None:
        settings.update(vision_model=True, mmproj=projector)
    return settings


def _metadata(one: _Found, size: int) -> dict[str, Any]:
    header = one.main
    tags = header.metadata.get("general.tags")
    found = {
        "author": header.text("general.author") or header.text("general.organization"),
        "tags": list(tags.items or ()) if isinstance(tags, Array) else None,
        "size": size,
        "architecture": header.architecture,
        "quantization": header.quantization,
        "parameter_count": sum(part.parameters for part in one.headers),
        "context_length": header.context_length,
        "license": header.text("general.license"),
    }
    return {key: value for key, value in found.items() if value}
