"""An example importer for jan-host: any text, local or on the web, becomes an n-gram model."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from jan_host import (
    Asset,
    Importer,
    ImportOptions,
    ImportPlan,
    Model,
    OriginNotFoundError,
    Source,
    hookimpl,
)
from jan_host.kit import Offer, choose

_ORDERS = {"words": 2, "phrases": 3, "quotes": 5}
"""The longest n-gram of each variant: the longer it is, the more the model repeats the text word by word."""


class TextFileImporter(Importer):
    """Plans a model of the engine ``example-ngram``, whose weights are the text itself."""

    name: ClassVar[str] = "textfile"

    def accepts(self, origin: str) -> bool:
        """Claims what ends like a text file, without a look at the disk."""
        return origin.lower().endswith(".txt")

    async def resolve(self, origin: str, options: ImportOptions) -> ImportPlan:
        """One asset, to download or to copy, and three model.json files to choose from."""
        asset, stem = _asset(origin)
        offers = [
            Offer(name=name, assets=[asset], model=self._model(origin, asset, stem, order, options))
            for name, order in _ORDERS.items()
        ]
        choice = await choose(offers, options, default="phrases")
        return ImportPlan(
            origin=origin,
            importer=self.name,
            model=choice.offer.model,
            assets=choice.offer.assets,
            variants=choice.variants,
            variant=choice.offer.name,
            reason=choice.reason,
            warnings=choice.warnings,
        )

    def _model(self, origin: str, asset: Asset, stem: str, order: int, options: ImportOptions) -> Model:
        return Model(
            id=options.id or asset.filename.removesuffix(".ngram.txt"),
            name=stem,
            format="ngram",
            engine="example-ngram",
            sources=[Source(filename=asset.filename, url=asset.url or "")],
            settings={"order": order},
            origin=origin,
            import_format=self.name,
        )


def _asset(origin: str) -> tuple[Asset, str]:
    """The text, and its name without the suffix."""
    is_url = origin.startswith(("http://", "https://"))
    path = Path(unquote(urlsplit(origin).path) if is_url else origin)
    filename = f"{re.sub('[^a-z0-9]+', '-', path.stem.lower()).strip('-') or 'text'}.ngram.txt"
    if is_url:
        return Asset(filename=filename, url=origin), path.stem
    path = path.expanduser().absolute()
    try:
        is_file = path.is_file()
    except (OSError, ValueError):  # too long for a name, or with a zero byte in it
        is_file = False
    if not is_file:
        raise OriginNotFoundError(f"There is no file {origin[:200]!r}. Give the path or the URL of a text.")
    return Asset(filename=filename, path=path, size=path.stat().st_size), path.stem


@hookimpl
def jan_importers() -> Iterable[Importer]:
    """Hand the host the importer."""
    return [TextFileImporter()]
