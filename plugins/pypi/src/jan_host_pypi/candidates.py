"""Which files of a wheel are models, and which belong to them."""

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})")
_PROJECTOR = re.compile(r"mmproj|\.proj$", re.IGNORECASE)
_CODE = frozenset({".py", ".pyc", ".pyi", ".so", ".pyd", ".dll", ".dylib"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model in a wheel.

    `members` are its files, the one to load first; `base` is the folder in the wheel that
    becomes the model's folder.
    """

    stem: str
    format: str
    members: tuple[str, ...]
    base: str
    size: int
    """Bytes of all its files."""

    @property
    def path(self) -> str:
        """The member that is loaded first."""
        return self.members[0]

    @property
    def filenames(self) -> list[str]:
        """Where the members lie in the model's folder."""
        return [str(PurePosixPath(member).relative_to(self.base)) for member in self.members]

    @property
    def name(self) -> str:
        """What it is called among the models of its wheel."""
        return self.stem + PurePosixPath(self.path).suffix


def find_candidates(sizes: dict[str, int]) -> list[Candidate]:
    """The models among a wheel's files.

    Args:
        sizes: Each file's path in the wheel and its unpacked size in bytes.
    """
    data = [path for path in sizes if _is_data(path)]
    found = [*_gguf(data, sizes), *_onnx(data, sizes)]
    return sorted(found, key=lambda candidate: candidate.path)


def _gguf(data: Sequence[str], sizes: dict[str, int]) -> Iterable[Candidate]:
    """One for each .gguf file, and one for each complete set of shards; projectors go along."""
    files = [path for path in data if path.lower().endswith(".gguf") and not _is_projector(path)]
    for path in files:
        whole = PurePosixPath(path)
        shard = _SHARD.fullmatch(whole.stem)
        members = [path]
        if shard is not None:
            if int(shard["number"]) != 1:
                continue
            members = [
                str(whole.with_stem(f"{shard['stem']}-{number:05}-of-{shard['count']}"))
                for number in range(1, int(shard["count"]) + 1)
            ]
            if not set(members) <= set(files):
                continue
        base = posixpath.dirname(path)
        members += [other for other in data if _is_projector(other) and posixpath.dirname(other) == base]
        yield _candidate("gguf", shard["stem"] if shard else whole.stem, members, base, sizes)


def _onnx(data: Sequence[str], sizes: dict[str, int]) -> Iterable[Candidate]:
    """One for each .onnx file, with the package's other data: tokenizer, configuration, weights."""
    models = [path for path in data if path.lower().endswith(".onnx")]
    for path in models:
        whole = PurePosixPath(path)
        root = whole.parts[0] + "/" if len(whole.parts) > 1 else None
        members = [path, *(other for other in data if root and _goes_along(other, path, models, root))]
        base = posixpath.commonpath([posixpath.dirname(member) for member in members])
        yield _candidate("onnx", whole.stem, members, base, sizes)


def _goes_along(other: str, model: str, models: Sequence[str], root: str) -> bool:
    if other in models or not other.startswith(root) or PurePosixPath(other).suffix.lower() in _CODE:
        return False
    # Weights in files of their own are called like their model: model.onnx_data, model.onnx.data.
    owner = next((path for path in sorted(models, key=len, reverse=True) if other.startswith(path)), model)
    return owner == model and not other.lower().endswith(".gguf")


def _candidate(kind: str, stem: str, members: Sequence[str], base: str, sizes: dict[str, int]) -> Candidate:
    size = sum(sizes[member] for member in members)
    return Candidate(stem=stem, format=kind, members=tuple(members), base=base, size=size)


def _is_data(path: str) -> bool:
    """Whether the file is the package's own: not the wheel's records, nor a path that leads elsewhere."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and ".dist-info" not in parts[0]


def _is_projector(path: str) -> bool:
    return _PROJECTOR.search(PurePosixPath(path).name) is not None
