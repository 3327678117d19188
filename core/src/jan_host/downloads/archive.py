"""Members of zip archives (a wheel is one) become files."""

import os
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from jan_host.contract.errors import DownloadError
from jan_host.contract.importer import Asset
from jan_host.downloads.copying import copy_stream
from jan_host.downloads.disk import ensure_space

_ENCRYPTED = 0x1
# What zipfile and its decompressors raise for archives that are damaged or of a kind they don't know.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OverflowError)


async def extract(archive: Path, assets: Iterable[Asset], staging: Path, label: str) -> None:
    """Take members out of an archive into `staging`, each under its asset's filename.

    A file has its final name only once it is whole and the archive's checksum for it agrees.

    Args:
        archive: Its own hash is already verified, where there is one.
        assets: With `member`.
        staging: The folder for the files; exists.
        label: What messages call the archive.

    Raises:
        InsufficientDiskError: The members do not fit on the disk.
        DownloadError: A member is missing or encrypted, or the archive is damaged.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [(asset, _member(opened, asset, label)) for asset in assets]
            ensure_space(staging, sum(member.file_size for _, member in members))
            for asset, member in members:
                await _extract_one(opened, member, staging.joinpath(asset.filename))
    except _DAMAGED as error:
        raise DownloadError(
            f"The archive {label} can't be unpacked: {error}. It is damaged or of an unknown kind;"
            " pull again, or take the model from another origin."
        ) from None


def _member(archive: zipfile.ZipFile, asset: Asset, label: str) -> zipfile.ZipInfo:
    try:
        member = archive.getinfo(asset.member or "")
    except KeyError:
        raise DownloadError(
            f"The archive {label} has no member {asset.member!r}. Its content has changed;"
            " plan the pull again."
        ) from None
    if member.flag_bits & _ENCRYPTED:
        raise DownloadError(f"The member {asset.member!r} of {label} is encrypted and can't be unpacked.")
    return member


async def _extract_one(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    try:
        with archive.open(member) as stream:
            await copy_stream(stream.read, partial)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
