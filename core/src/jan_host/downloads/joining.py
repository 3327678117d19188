"""Files that come in parts are put together."""

import asyncio
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from jan_host.contract.errors import ChecksumMismatchError
from jan_host.contract.importer import Asset
from jan_host.downloads.copying import STEP_BYTES, copy_stream
from jan_host.downloads.disk import ensure_space
from jan_host.downloads.parcels import PARTS
from jan_host.downloads.partial import compare


async def join_all(assets: Sequence[Asset], staging: Path) -> None:
    """Put together what came in parts, and then remove the parts. Can be done again after a break.

    Args:
        assets: Of these, those with `parts`, which lie in the folder `PARTS` of `staging`, each verified.
        staging: The folder for complete files.

    Raises:
        InsufficientDiskError: There is no room for a file beside its parts.
        ChecksumMismatchError: It is not the file that was promised; all parts are deleted.
    """
    try:
        for asset in assets:
            if asset.parts and not staging.joinpath(asset.filename).is_file():
                await _join(asset, staging)
    except ChecksumMismatchError:
        await asyncio.to_thread(shutil.rmtree, staging / PARTS)
        raise
    await asyncio.to_thread(shutil.rmtree, staging / PARTS, ignore_errors=True)


async def _join(asset: Asset, staging: Path) -> None:
    parts = [staging / PARTS / part.filename for part in asset.parts]
    ensure_space(staging, sum(part.stat().st_size for part in parts))
    target = staging / asset.filename
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.joined")
    digest = hashlib.sha256()
    blocks = _blocks(parts)

    def read(_: int) -> bytes:
        block = next(blocks, b"")
        digest.update(block)
        return block

    try:
        await copy_stream(read, partial)
        compare(digest.hexdigest(), asset.sha256, asset.filename)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _blocks(paths: Sequence[Path]) -> Iterator[bytes]:
    """The content of files as if they were one."""
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while block := file.read(STEP_BYTES):
                yield block
