"""Complete files move into the model's folder."""

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from jan_host.downloads.copying import copy_file
from jan_host.downloads.disk import ensure_space, same_disk
from jan_host.downloads.saving import sync_folder


async def bring_near(staging: Path, target: Path) -> Path:
    """Where the staged files can be renamed into `target` from: `staging`, or a copy on its disk.

    Raises:
        InsufficientDiskError: The copy does not fit.
    """
    if same_disk(staging, target.parent):
        return staging
    files = [path for path in staging.rglob("*") if path.is_file()]
    ensure_space(target.parent, sum(path.stat().st_size for path in files))
    near = target.parent / f".{target.name}.{staging.parent.name}"
    near.mkdir(parents=True, exist_ok=True)
    try:
        for path in files:
            copy = near / path.relative_to(staging)
            copy.parent.mkdir(parents=True, exist_ok=True)
            await copy_file(path, copy)
    except BaseException:
        shutil.rmtree(near, ignore_errors=True)
        raise
    return near


def place(near: Path, target: Path) -> None:
    """Rename the files into `target`, all at once when that folder is new.

    Only renames: nothing is half written at any moment.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for folder in [near, *(path for path in near.rglob("*") if path.is_dir())]:
        sync_folder(folder)  # the files are on disk; now their names are too
    with contextlib.suppress(OSError):  # not empty, or Windows, where it must not exist: file by file
        os.replace(near, target)
        sync_folder(target.parent)
        return
    for path in [path for path in near.rglob("*") if path.is_file()]:
        final = target / path.relative_to(near)
        final.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, final)
        sync_folder(final.parent)
    sync_folder(target.parent)
    shutil.rmtree(near, ignore_errors=True)


def displace(filenames: Iterable[str], target: Path) -> None:
    """Undo `place`: remove these files, and the folders that are empty then."""
    for filename in filenames:
        path = target / filename
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty: it stays
            for parent in path.parents:
                parent.rmdir()
                if parent == target:
                    break
