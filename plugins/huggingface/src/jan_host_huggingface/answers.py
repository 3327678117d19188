"""What the hub's API answers, as far as it is read. Unknown fields are left out; wrong types are errors."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

Size = Annotated[int, Meta(ge=0, le=2**60)]
Sha1 = Annotated[str, Meta(pattern=r"^[0-9a-f]{40}$")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class Large(msgspec.Struct):
    """Of a file that is kept outside git."""

    sha256: Sha256
    size: Size | None = None


class Sibling(msgspec.Struct, rename={"path": "rfilename", "git_sha1": "blobId"}):
    """A file of a repository."""

    path: str
    size: Size | None = None
    git_sha1: Sha1 | None = None
    """Of the file, or of the pointer that stands for a large one."""
    lfs: Large | None = None


class Counted(msgspec.Struct):
    """What the hub has read in a model's own files."""

    total: Size | None = None
    """Parameters."""
    architecture: str | None = None
    context_length: Size | None = None
    """Tokens."""


class RepositoryAnswer(msgspec.Struct, rename={"card": "cardData"}):
    """``/api/models/{repo}`` with ``blobs=true``."""

    id: str
    sha: Sha1
    siblings: list[Sibling]
    author: str | None = None
    private: bool = False
    gated: bool | str = False
    disabled: bool = False
    tags: list[str] = []
    pipeline_tag: str | None = None
    library_name: str | None = None
    # Authors write the card; nothing about it is certain.
    card: Any = None
    gguf: Any = None
    safetensors: Any = None


class Branch(msgspec.Struct, rename={"commit": "targetCommit"}):
    """A branch of a repository."""

    name: str
    commit: Sha1 | UnsetType = UNSET


class RefsAnswer(msgspec.Struct):
    """``/api/models/{repo}/refs``."""

    branches: list[Branch]


def counted(told: Any) -> Counted:
    """``gguf`` or ``safetensors`` of an answer; empty where it is something else."""
    try:
        return msgspec.convert(told, Counted)
    except msgspec.ValidationError:
        return Counted()
