"""An example importer for jan-host: any text, local or on the web, becomes an n-gram model."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from jan_host import (
    Asset,
    Importer,
    ImportFailedError,
    ImportOptions,
    ImportPlan,
    Model,
    OriginNotFoundError,
    Source,
    Variant,
    hookimpl,
)

_ORDERS = {"words": 2, "phrases": 3, "quotes": 5}
"""The longest n-gram of each variant: the longer it is, the more the model repeats the text word by word."""


class TextFileImporter(Importer):
    """Plans a model of the engine ``example-ngram``, whose weights are the text itself."""

    name: ClassVar[str] = "textfile"

    def accepts(self, origin: str) -> bool:
        """Claims what ends like a text file, without a look at the disk."""
        return origin.lower().endswith(".txt")

    async def resolve(self, origin: str, options: ImportOptions) -> ImportPlan:
        """One asset, to download or to copy, and a model.json that names the engine."""
        variant = options.variant or "phrases"
        if variant not in _ORDERS:
            raise ImportFailedError(f"There is no variant {variant!r}. Choose one of {', '.join(_ORDERS)}.")
        is_url = origin.startswith(("http://", "https://"))
        stem = Path(unquote(urlsplit(origin).path) if is_url else origin).stem
        filename = f"{re.sub('[^a-z0-9]+', '-', stem.lower()).strip('-') or 'text'}.ngram.txt"
        asset = Asset(filename=filename, url=origin) if is_url else _local(filename, origin)
        return ImportPlan(
            origin=origin,
            importer=self.name,
            model=Model(
                id=options.id or filename.removesuffix(".ngram.txt"),
                name=stem,
                format="ngram",
                engine="example-ngram",
                sources=[Source(filename=filename, url=origin if is_url else "")],
                settings={"order": _ORDERS[variant]},
                origin=origin,
                import_format=self.name,
            ),
            assets=[asset],
            variants=[Variant(name=name, size=asset.size) for name in _ORDERS],
            variant=variant,
            reason=None if options.variant else "it neither babbles nor recites",
        )


def _local(filename: str, origin: str) -> Asset:
    path = Path(origin).expanduser().absolute()
    try:
        is_file = path.is_file()
    except (OSError, ValueError):  # too long for a name, or with a zero byte in it
        is_file = False
    if not is_file:
        raise OriginNotFoundError(f"There is no file {origin!r}. Give the path or the URL of a text.")
    return Asset(filename=filename, path=path, size=path.stat().st_size)


@hookimpl
def jan_importers() -> Iterable[Importer]:
    """Hand the host the importer."""
    return [TextFileImporter()]
