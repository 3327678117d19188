"""Repositories: branches of commits of files, and who may read them."""

import hashlib
import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.hub.content import Content, content_of

LARGE = (".gguf", ".bin", ".onnx", ".onnx_data", ".safetensors", ".model", ".proj")
"""Endings of files that live in LFS, whatever their size."""
LFS_BYTES = 10_000_000

Files = Mapping[str, Content | bytes | str | Path]

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Commit:
    """A state of a repository."""

    sha: str
    files: dict[str, Content]


@dataclass(kw_only=True)
class Repo:
    """A repository, and what its page says."""

    id: str
    branches: dict[str, Commit] = field(default_factory=dict)
    tags: dict[str, Commit] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)
    gated: str | bool = False
    """``"auto"`` or ``"manual"``: metadata can be read, and files by tokens that `readers` names."""
    private: bool = False
    readers: set[str] = field(default_factory=set)
    """Tokens that may read it."""
    info: dict[str, Any] = field(default_factory=dict)
    """More of what the API tells: ``cardData``, ``gguf``, ``tags``, ``pipeline_tag``, ..."""

    def commit(self, files: Files, branch: str = "main") -> Commit:
        """Put files onto a branch, beside those that are there."""
        before = self.branches[branch].files if branch in self.branches else {}
        now = {**before, **{path: content_of(given) for path, given in files.items()}}
        sha = hashlib.sha1(f"{self.id} {branch} {next(_numbers)} {time.time_ns()}".encode()).hexdigest()
        made = self.branches[branch] = self.commits[sha] = Commit(sha, now)
        return made

    def at(self, revision: str) -> Commit | None:
        """The commit of a branch, a tag or a hash."""
        name = revision.removeprefix("refs/heads/")
        return self.branches.get(name) or self.tags.get(name) or self.commits.get(revision)


def is_large(path: str, content: Content) -> bool:
    """Whether a file lives in LFS, behind the CDN."""
    return path.endswith(LARGE) or content.size >= LFS_BYTES


def blob_id(content: Content, *, large: bool) -> str:
    """git's name for a file, or for the pointer that stands for it."""
    if large:
        body = (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{content.sha256}\nsize {content.size}\n"
        ).encode()
        return hashlib.sha1(b"blob %d\0%s" % (len(body), body)).hexdigest()
    digest = hashlib.sha1(b"blob %d\0" % content.size)
    for chunk in content.read(0, content.size):
        digest.update(chunk)
    return digest.hexdigest()
