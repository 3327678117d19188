"""What a plan fetches: each archive or file once, with the assets that come out of it."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import msgspec

from jan_host.contract.errors import ImportFailedError
from jan_host.contract.importer import Asset, ImportPlan
from jan_host.downloads.addresses import shown

PARTS = ".parts"
"""The folder, beside the files of a model that is on its way, of what will be put together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One thing to fetch: an archive that several assets are members of, or a single file."""

    assets: tuple[Asset, ...]
    wholes: tuple[str, ...]
    """For each asset the name of the file that it becomes: its own, or that of which it is a part."""
    url: str | None
    """http or https; ``None`` for a local file."""
    path: Path | None

    @property
    def size(self) -> int | None:
        """Bytes to fetch; ``None`` when the plan does not say."""
        return self.assets[0].size

    @property
    def sha256(self) -> str | None:
        """Of what is fetched."""
        return self.assets[0].sha256

    @property
    def git_sha1(self) -> str | None:
        """Git's id of what is fetched."""
        return self.assets[0].git_sha1

    @property
    def is_archive(self) -> bool:
        """Whether the assets are members of what is fetched."""
        return self.assets[0].member is not None

    @property
    def names(self) -> list[str]:
        """What each of its files is called when progress is told."""
        return [asset.filename.removeprefix(f"{PARTS}/") for asset in self.assets]

    @property
    def label(self) -> str:
        """What messages call it."""
        return shown(self.url) if self.url is not None else str(self.path)


def parcels_of(plan: ImportPlan) -> list[Parcel]:
    """Check the plan's assets and group them by what has to be fetched.

    Raises:
        ImportFailedError: An asset names no place or two, or its file would lie elsewhere
            than in the model's folder. This is the importer's fault.
    """
    groups: dict[tuple[object, ...], list[tuple[Asset, str]]] = {}
    names: set[str] = set()
    for asset in plan.assets:
        for name in [asset.filename, *(f"{PARTS}/{part.filename}" for part in asset.parts)]:
            _check_name(name, plan)
            if name in names:
                raise _fault(plan, f"names the file {name!r} twice")
            names.add(name)
        for one in _fetched(asset, plan):
            # A file that is no archive's member is a parcel of its own, whatever else has its address.
            own = one.filename if one.member is None else None
            groups.setdefault((one.url, one.path, own), []).append((one, asset.filename))
    return [_parcel(group, plan) for group in groups.values()]


def id_of(plan: ImportPlan) -> str:
    """A name for the download that the same plan has again, also after a restart.

    Where the content is known by its hash, the address does not count: it may be signed anew.
    """
    digest = hashlib.sha256(plan.model.id.encode())
    in_order = sorted(plan.assets, key=lambda each: each.filename)
    for asset in (one for each in in_order for one in each.fetched()):
        place = asset.sha256 or asset.git_sha1 or (shown(asset.url) if asset.url else str(asset.path))
        for part in (asset.filename, place, asset.member or ""):
            digest.update(part.encode() + b"\0")
    return f"dl-{digest.hexdigest()[:20]}"


def _fetched(asset: Asset, plan: ImportPlan) -> Iterator[Asset]:
    """What is fetched for an asset, each under the name that it has in the staging folder."""
    if not asset.parts:
        yield asset
        return
    if asset.url or asset.path or asset.member or any(part.parts for part in asset.parts):
        raise _fault(plan, f"must give nothing but parts for {asset.filename!r}, and each in one piece")
    for part in asset.parts:
        yield msgspec.structs.replace(part, filename=f"{PARTS}/{part.filename}")


def _parcel(group: Sequence[tuple[Asset, str]], plan: ImportPlan) -> Parcel:
    assets, wholes = zip(*group, strict=True)
    first = assets[0]
    if (first.url is None) == (first.path is None):
        raise _fault(plan, f"must give one of url and path for {first.filename!r}")
    scheme = urlsplit(first.url).scheme.lower() if first.url is not None else ""
    if first.path is not None or scheme == "file":
        return Parcel(assets=assets, wholes=wholes, url=None, path=first.path or _local(first.url or ""))
    if scheme not in ("http", "https"):
        raise _fault(plan, f"gives an address for {first.filename!r} that is not http, https or file")
    return Parcel(assets=assets, wholes=wholes, url=first.url, path=None)


def _local(url: str) -> Path:
    from urllib.request import url2pathname

    return Path(url2pathname(unquote(urlsplit(url).path)))


def _check_name(filename: str, plan: ImportPlan) -> None:
    name = PurePosixPath(filename)
    ordinary = filename and "\\" not in filename and ":" not in filename and filename.isprintable()
    if not ordinary or name.is_absolute() or ".." in name.parts or not name.name:
        raise _fault(plan, f"gives the filename {filename!r}, which leads out of the model's folder")


def _fault(plan: ImportPlan, what: str) -> ImportFailedError:
    return ImportFailedError(
        f"The importer {plan.importer!r} {what}. Nothing was fetched; report this to the plugin's author."
    )
