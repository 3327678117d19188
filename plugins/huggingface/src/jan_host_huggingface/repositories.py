"""A repository as it can be trusted: the names of its files checked, sizes and hashes where they are told."""

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jan_host import ImportFailedError

from jan_host_huggingface.answers import RepositoryAnswer, Sibling
from jan_host_huggingface.origins import is_repository

MOST_FILES = 20_000
MOST_NAME_BYTES = 200
"""Of one part of a path: file systems take 255, and names of temporary files are longer."""
MOST_PATH_CHARACTERS = 1000
_DRIVE = re.compile(r"[A-Za-z]:")
_UNPORTABLE = re.compile(r'[:*?"<>|]|[. ](?:/|$)')
# Devices of Windows, in any folder and with any suffix.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of a repository."""

    path: str
    size: int | None = None
    """Bytes."""
    sha256: str | None = None
    git_sha1: str | None = None
    """Of a file that is kept in git itself."""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The path before it, without a slash at the end; empty at the top."""
        return self.path.rpartition("/")[0]

    def ends_with(self, *endings: str) -> bool:
        """Whether it has one of these endings, in capitals or not."""
        return self.path.lower().endswith(endings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository at one commit."""

    id: str
    commit: str
    files: tuple[File, ...]
    """By path."""
    answer: RepositoryAnswer

    @property
    def is_restricted(self) -> bool:
        """Whether files are handed out to those alone who say who they are."""
        return bool(self.answer.gated) or self.answer.private

    def file(self, path: str) -> File | None:
        """The file at a path."""
        return next((file for file in self.files if file.path == path), None)


def check_repository(answer: RepositoryAnswer, repo: str) -> Repository:
    """Read the hub's answer.

    Args:
        answer: What the hub told.
        repo: What it was asked for; the answer has another id where the repository was renamed.

    Raises:
        ImportFailedError: A file's name leads elsewhere, two files have one name, there are too many, or the
            repository is switched off.
    """
    repo = answer.id if is_repository(answer.id) else repo
    if answer.disabled:
        raise ImportFailedError(f"The hub has disabled {repo}. Choose another repository.")
    if len(answer.siblings) > MOST_FILES:
        raise ImportFailedError(
            f"{repo} has {len(answer.siblings)} files, and what is imported here has at most {MOST_FILES}."
        )
    files = sorted((_file(sibling, repo) for sibling in answer.siblings), key=lambda file: file.path)
    for one, other in itertools.pairwise(files):
        if one.path == other.path:
            raise ImportFailedError(
                f"The hub lists the file {one.path!r} of {repo} twice. Tell its operator."
            )
    return Repository(id=repo, commit=answer.sha, files=tuple(files), answer=answer)


def check_names(files: Iterable[File], repo: str) -> None:
    """See that files can lie on any disk.

    Raises:
        ImportFailedError: A name is too long, means a device or has characters that some system can't
            write, or two names differ in capitals alone.
    """
    seen: dict[str, str] = {}
    for file in files:
        path = file.path
        parts = path.split("/")
        too_long = any(len(part.encode()) > MOST_NAME_BYTES for part in parts)
        if too_long or _UNPORTABLE.search(path) or any(map(_RESERVED.fullmatch, parts)):
            raise ImportFailedError(
                f"{repo} has a file that can't be written on every disk: {path[:200]!r}. Ask its author for"
                " another name."
            )
        other = seen.setdefault(path.casefold(), path)
        if other != path:
            raise ImportFailedError(
                f"{repo} has the files {other!r} and {path!r}, which are one file on many disks. Name the"
                " one that you mean."
            )


def _file(sibling: Sibling, repo: str) -> File:
    path = sibling.path
    parts: Sequence[str] = path.split("/")
    if len(path) > MOST_PATH_CHARACTERS:
        raise ImportFailedError(
            f"The hub lists a file of {repo} under a name of {len(path)} characters ({path[:50]!r}...), which"
            " no disk takes. Nothing is fetched; tell the hub's operator."
        )
    if (
        not path.isprintable()
        or "\\" in path
        or _DRIVE.match(path)
        or any(part in ("", ".", "..") for part in parts)
    ):
        raise ImportFailedError(
            f"The hub lists a file of {repo} under {path[:200]!r}, which leads elsewhere. Nothing is"
            " fetched; tell the hub's operator."
        )
    if sibling.lfs is None:
        return File(path=path, size=sibling.size, git_sha1=sibling.git_sha1)
    size = sibling.size if sibling.lfs.size is None else sibling.lfs.size
    return File(path=path, size=size, sha256=sibling.lfs.sha256)
