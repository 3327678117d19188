"""Which importer an origin is for."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from jan_host.contract.errors import InvalidRequestError, OriginNotFoundError
from jan_host.contract.importer import Importer
from jan_host.plugins import Plugins

_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
_NAMED = re.compile(r"[a-z][a-z0-9_+.-]*:(?!\d+(?:/|$))")
_HOST = re.compile(
    r"(?:\d+(?:\.\d+){3}|\[[0-9a-f:.%]+\]|[\w.-]+(?=:\d)|localhost)(?::\d+)?(?:[/?#]|$)", re.IGNORECASE
)

MOST_CHARACTERS = 4096
GENERAL = ("file", "https")
"""The core's own importers take what nobody else claims: they are asked last, in this order."""


def check_origin(origin: str) -> str:
    """The origin as importers get it: without white space around it.

    Raises:
        InvalidRequestError: No origin is like this.
    """
    origin = origin.strip()
    if not origin:
        raise InvalidRequestError("The origin is empty. Name a URL, or NAME:REFERENCE.", param="origin")
    if len(origin) > MOST_CHARACTERS:
        raise InvalidRequestError(
            f"An origin has at most {MOST_CHARACTERS:,} characters; this one has {len(origin):,}.",
            param="origin",
        )
    if not origin.isprintable():
        raise InvalidRequestError(
            f"The origin {origin[:100]!r} has characters that can't be seen. Leave them out.", param="origin"
        )
    return origin


def find_importer(origin: str, import_format: str | None, plugins: Plugins) -> tuple[Importer, str]:
    """The importer of an origin, and the origin without the importer's name in front.

    The one that is named comes first; then, in the order of their distributions' names, the plugins'
    importers that recognise the origin; the core's own, which recognise any path and address, come last.

    Raises:
        InvalidRequestError: `import_format` names no importer.
        OriginNotFoundError: No importer recognises the origin.
    """
    scheme, colon, rest = origin.partition(":")
    if import_format is not None:
        importer = plugins.importer(import_format)
        named = bool(colon) and scheme == import_format and not _is_url(origin)
        return importer, rest if named else origin
    importers = {importer.name: importer for importer in plugins.importers()}
    if colon and scheme in importers and not _is_url(origin):
        return importers[scheme], rest
    for importer in _in_order(list(importers.values())):
        if _accepts(importer, origin):
            return importer, origin
    raise _unknown(origin, importers)


def address_in(origin: str) -> str | None:
    """The address that an origin names, also behind an importer's name; ``None`` where it names none.

    A host counts without ``http://`` in front when it is written as an IP address or with a port.
    """
    found = _ADDRESS.search(origin)
    if found:
        return found[0]
    rest = origin.partition(":")[2] if _NAMED.match(origin) else origin
    return f"http://{rest}" if _HOST.match(rest) else None


def _is_url(origin: str) -> bool:
    """Whether it is an address whose scheme may happen to be an importer's name too."""
    return "://" in origin.partition(":")[1] + origin.partition(":")[2][:2]


def _in_order(importers: Sequence[Importer]) -> list[Importer]:
    special = [importer for importer in importers if importer.name not in GENERAL]
    general = [importer for importer in importers if importer.name in GENERAL]
    return special + sorted(general, key=lambda importer: GENERAL.index(importer.name))


def _accepts(importer: Importer, origin: str) -> bool:
    try:
        return importer.accepts(origin)
    except Exception:  # a plugin may raise anything; then the origin is simply not its own
        return False


def _unknown(origin: str, importers: dict[str, Importer]) -> OriginNotFoundError:
    scheme, colon, rest = origin.partition(":")
    near = get_close_matches(scheme, importers, 1) if colon else []
    shown = origin[:200]
    if near:
        return OriginNotFoundError(
            f"There is no importer {scheme[:50]!r}. Did you mean {near[0]}:{rest[:200]}?", param="origin"
        )
    known = ", ".join(sorted(importers)) or "none is installed"
    return OriginNotFoundError(
        f"No importer recognises {shown!r}. Name one in front of it, as in NAME:{shown} (importers: {known}),"
        " or install one.",
        param="origin",
    )
