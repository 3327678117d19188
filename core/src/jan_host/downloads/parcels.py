"""What a plan fetches: each archive or file once, with the assets that come out of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from jan_host.contract.errors import ImportFailedError
from jan_host.contract.importer import Asset, ImportPlan
from jan_host.downloads.addresses import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One thing to fetch: an archive that several assets are members of, or a single file."""

    assets: tuple[Asset, ...]
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
    def label(self) -> str:
        """What messages call it."""
        return shown(self.url) if self.url is not None else str(self.path)


def parcels_of(plan: ImportPlan) -> list[Parcel]:
    """Check the plan's assets and group them by what has to be fetched.

    Raises:
        ImportFailedError: An asset names no place or two, or its file would lie elsewhere
            than in the model's folder. This is the importer's fault.
    """
    groups: dict[tuple[object, ...], list[Asset]] = {}
    names: set[str] = set()
    for asset in plan.assets:
        _check_name(asset.filename, plan)
        if asset.filename in names:
            raise _fault(plan, f"names the file {asset.filename!r} twice")
        names.add(asset.filename)
        # A file that is no archive's member is a parcel of its own, whatever else has its address.
        own = asset.filename if asset.member is None else None
        groups.setdefault((asset.url, asset.path, own), []).append(asset)
    return [_parcel(group, plan) for group in groups.values()]


def id_of(plan: ImportPlan) -> str:
    """A name for the download that the same plan has again, also after a restart.

    Where the content is known by its hash, the address does not count: it may be signed anew.
    """
    digest = hashlib.sha256(plan.model.id.encode())
    for asset in sorted(plan.assets, key=lambda asset: asset.filename):
        place = asset.sha256 or asset.git_sha1 or (shown(asset.url) if asset.url else str(asset.path))
        for part in (asset.filename, place, asset.member or ""):
            digest.update(part.encode() + b"\0")
    return f"dl-{digest.hexdigest()[:20]}"


def _parcel(assets: Sequence[Asset], plan: ImportPlan) -> Parcel:
    first = assets[0]
    if (first.url is None) == (first.path is None):
        raise _fault(plan, f"must give one of url and path for {first.filename!r}")
    scheme = urlsplit(first.url).scheme.lower() if first.url is not None else ""
    if first.path is not None or scheme == "file":
        return Parcel(assets=tuple(assets), url=None, path=first.path or _local(first.url or ""))
    if scheme not in ("http", "https"):
        raise _fault(plan, f"gives an address for {first.filename!r} that is not http, https or file")
    return Parcel(assets=tuple(assets), url=first.url, path=None)


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
