"""GGUF repositories: quantizations of a model, in one file or in shards, with its projector."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from jan_host_huggingface.layouts.bundle import Bundle
from jan_host_huggingface.layouts.quantization import bits_of, quantization_of, without_quantization
from jan_host_huggingface.repositories import File

FORMAT = "gguf"
_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})", re.DOTALL)
_PROJECTOR = re.compile(r"mmproj|mmprj|\.proj$", re.IGNORECASE)
_NO_MODEL = re.compile(r"imatrix", re.IGNORECASE)
MOST_SHARDS = 1000
_PROJECTOR_ORDER = ("F16", "FP16", "BF16", "F32", "FP32", "Q8_0")
"""Sixteen bits lose nothing and are half the size; BF16 is slow on many machines."""


def find_gguf(files: Sequence[File]) -> list[Bundle]:
    """One bundle for each quantization, each with the projector that goes with it."""
    models = [file for file in files if file.ends_with(".gguf") and not _is_addition(file)]
    projectors = [file for file in files if is_projector(file)]
    bundles = [_bundle(shards, projectors) for shards in _whole_models(models)]
    return _with_own_names(bundles)


def missing_shards(files: Sequence[File]) -> list[str]:
    """The shards that a repository lacks of models that it has in part."""
    have = {file.path for file in files}
    wanted: dict[str, None] = {}
    for file in files:
        wanted.update(dict.fromkeys(_shard_paths(file)))
    return [path for path in wanted if path not in have]


def is_projector(file: File) -> bool:
    """Whether it gives a model eyes or ears, and is none itself."""
    return file.ends_with(".gguf", ".bin", ".proj") and _PROJECTOR.search(file.name) is not None


def _is_addition(file: File) -> bool:
    return is_projector(file) or _NO_MODEL.search(file.name) is not None


def _whole_models(models: Sequence[File]) -> Iterator[tuple[File, ...]]:
    """Single files, and complete sets of shards, the first shard first."""
    by_path = {file.path: file for file in models}
    for file in models:
        paths = _shard_paths(file)
        if not paths:
            yield (file,)
        elif file.path == paths[0] and all(path in by_path for path in paths):
            yield tuple(by_path[path] for path in paths)


def _shard_paths(file: File) -> list[str]:
    """The paths of all shards of a set; empty for a file that is no shard."""
    ending = file.path[-len(".gguf") :]
    match = _SHARD.fullmatch(file.path.removesuffix(ending)) if ending.lower() == ".gguf" else None
    if match is None or not 1 <= int(match["count"]) <= MOST_SHARDS:
        return []
    count = int(match["count"])
    return [f"{match['stem']}-{number:05}-of-{count:05}{ending}" for number in range(1, count + 1)]


def _bundle(shards: tuple[File, ...], projectors: Sequence[File]) -> Bundle:
    label = quantization_of(shards[0].path)
    projector = _projector_for(shards[0], projectors)
    return Bundle(
        name=label or _stem(shards[0]),
        format=FORMAT,
        files=(*shards, projector) if projector else shards,
        label=label or "",
        quality=bits_of(label),
        settings={"vision_model": True, "mmproj": projector.path} if projector else {},
    )


def _projector_for(model: File, projectors: Sequence[File]) -> File | None:
    """The projector beside the model or above it; of several the one that is called like it, in 16 bits."""
    near = [one for one in projectors if _is_above(one.folder, model.folder)]
    if not near:
        return None
    name = without_quantization(_stem(model)).casefold()

    def rank(one: File) -> tuple[bool, bool, int, str]:
        own = re.sub(r"mmproj|mmprj|model|[-_.]", "", without_quantization(_stem(one)).casefold())
        is_called_so = bool(own) and own in re.sub(r"[-_.]", "", name)
        label = quantization_of(one.name) or ""
        order = _PROJECTOR_ORDER.index(label) if label in _PROJECTOR_ORDER else len(_PROJECTOR_ORDER)
        return not is_called_so, one.folder != model.folder, order, one.path

    return min(near, key=rank)


def _is_above(folder: str, below: str) -> bool:
    return not folder or folder == below or below.startswith(folder + "/")


def _stem(file: File) -> str:
    stem = file.name.rpartition(".")[0]
    match = _SHARD.fullmatch(stem)
    return match["stem"] if match else stem


def _with_own_names(bundles: list[Bundle]) -> list[Bundle]:
    """Where two have one quantization, the names or paths of their files tell them apart."""
    for name_of in (lambda one: one.name, lambda one: _stem(one.files[0]), lambda one: one.files[0].path):
        counts = Counter(name_of(one).casefold() for one in bundles)
        if all(count == 1 for count in counts.values()):
            return [replace(one, name=name_of(one)) for one in bundles]
    return bundles
