"""Outlines of files that lie elsewhere: the true size, the first bytes, and nothing behind them.

What an engine needs to reckon with is in the first megabytes of a model's file, and in its size. An
outline is a sparse file, so that it costs the disk no more than the bytes that are really there.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

import msgspec

from jan_host.contract.errors import ImportFailedError
from jan_host.contract.importer import Asset
from jan_host.contract.model import Model, Source


class Outline:
    """A temporary folder with an outline of each of a model's files. A context manager.

    Args:
        model: The model.
        assets: Its files, each with a size.

    Raises:
        ImportFailedError: A size is not known, or a filename leads out of the folder.
        OSError: The disk can't hold it.
    """

    def __init__(self, model: Model, assets: Sequence[Asset]) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="jan-host-")
        self.folder = Path(self._temporary.name)
        try:
            self.model = self._with_files(model, assets)
        except BaseException:
            self._temporary.cleanup()
            raise

    def fill(self, asset: Asset, beginning: bytes) -> None:
        """Put the first bytes of a file where they belong."""
        with _inside(self.folder, asset.filename).open("r+b") as file:
            file.write(beginning)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._temporary.cleanup()

    def _with_files(self, model: Model, assets: Sequence[Asset]) -> Model:
        """The model with these files as its sources: outlines, or the files where they are here."""
        sources = []
        for asset in assets:
            if asset.path is not None and asset.member is None:
                sources.append(Source(filename=asset.filename, url=asset.path.as_uri()))
                continue
            path = _inside(self.folder, asset.filename)
            if asset.size is None:
                raise ImportFailedError(f"Nobody tells how large {asset.filename} is.")
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.truncate(asset.size)
            sources.append(Source(filename=asset.filename))
        return msgspec.structs.replace(model, sources=sources)


def _inside(folder: Path, filename: str) -> Path:
    name = PurePosixPath(filename)
    if not name.parts or name.is_absolute() or ".." in name.parts or not filename.isprintable():
        raise ImportFailedError(f"The filename {filename[:200]!r} leads out of the model's folder.")
    return folder.joinpath(*name.parts)
