"""The importer ``https``: a model's file at any address of the web."""

import asyncio
from typing import ClassVar
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from jan_host.contract.errors import ImportFailedError, OriginNotFoundError
from jan_host.contract.importer import Asset, Importer, ImportOptions, ImportPlan, RemoteFile
from jan_host.importers.naming import describe, parts_of, safe_name

LOOKS_AT_ONCE = 8
_PAGES = frozenset({"text/html", "application/xhtml+xml"})


class WebImporter(Importer):
    """``https://HOST/.../FILE`` or ``http://...``: the file, with its other parts where it has some."""

    name: ClassVar[str] = "https"

    def accepts(self, origin: str) -> bool:
        """Whether it is an address of the web."""
        return origin.lower().startswith(("https://", "http://")) and len(origin) > len("https://")

    async def resolve(self, origin: str, options: ImportOptions) -> ImportPlan:
        """Ask the server for name, size and hash, and plan to fetch the file.

        Raises:
            OriginNotFoundError: There is no such file.
            ImportFailedError: The server can't be reached, refuses, or answers with a web page.
        """
        url = _parse(origin)
        given = safe_name(unquote(url.path.rpartition("/")[2]))
        names = parts_of(given) if given else [given]
        room = asyncio.Semaphore(LOOKS_AT_ONCE)

        async def planned(name: str | None) -> Asset:
            async with room:
                return await _asset(_with_name(url, name) if len(names) > 1 else url, name, options)

        assets = list(await asyncio.gather(*map(planned, names)))
        main = assets[0].filename
        if options.variant is not None and options.variant != main:
            raise OriginNotFoundError(
                f"There is one file at this address, {main}, and no variant {options.variant[:200]!r}.",
                param="variant",
            )
        public = urlunsplit((url.scheme, url.netloc.rpartition("@")[2], url.path, "", ""))
        model = describe(
            assets, main=main, home=url.hostname, importer=self.name, origin=public, asked_id=options.id
        )
        return ImportPlan(origin=public, importer=self.name, model=model, assets=assets)


def _parse(origin: str) -> SplitResult:
    # `https:` in front of an address names the importer, and is taken off before an address is left.
    text = origin if "://" in origin else f"https:{origin}"
    try:
        url = urlsplit(text)
        usable = bool(url.hostname) and url.scheme in ("http", "https") and (url.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or not origin.isprintable() or " " in origin:
        raise ImportFailedError(
            f"{origin[:200]!r} is no address of the web. Write https://HOST/PATH/FILE.", param="origin"
        )
    return url._replace(fragment="")


async def _asset(url: SplitResult, name: str | None, options: ImportOptions) -> Asset:
    asset = Asset(filename=name or "model", url=urlunsplit(url))
    if options.look is None:
        return asset
    told = await options.look(asset)
    _check(told, url)
    # The name in the address is what the user saw; the server's own is better where that has no suffix.
    if name is None or "." not in name:
        asset.filename = safe_name(told.filename) or asset.filename
    asset.size, asset.sha256 = told.size, told.sha256
    return asset


def _check(told: RemoteFile, url: SplitResult) -> None:
    if told.media_type in _PAGES:
        raise ImportFailedError(
            f"At {url.hostname}{url.path[:200]} there is a web page, not a model's file. Name the address of"
            " the file itself; where there is a button to download it, that is its link.",
            param="origin",
        )


def _with_name(url: SplitResult, name: str | None) -> SplitResult:
    return url._replace(path=f"{url.path.rpartition('/')[0]}/{quote(name or '')}")
