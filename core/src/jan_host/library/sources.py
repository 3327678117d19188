"""The files that a model.json names, in the spellings of all generations."""

from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from jan_host.contract.errors import ModelBrokenError
from jan_host.contract.model import Source
from jan_host.library.fields import is_unset


def read_sources(raw: dict[str, Any]) -> list[Source]:
    """The sources; ``sources``, ``source``, ``source_url`` and ``download_url`` in this order.

    An item is an object with ``filename`` and ``url``, or a text: a URL, or a file's name.

    Raises:
        ModelBrokenError: An item is neither, or its URL is none.
    """
    for key in ("sources", "source", "source_url", "download_url"):
        value = raw.get(key)
        if not is_unset(value) and value != []:
            items = value if isinstance(value, list) else [value]
            found = [_read_source(item, f"{key}[{index}]") for index, item in enumerate(items)]
            return [source for source in found if source is not None]
    return []


def _read_source(item: Any, where: str) -> Source | None:
    if isinstance(item, str):
        item = {"url": item} if "://" in item else {"filename": item}
    if not isinstance(item, dict):
        raise ModelBrokenError(f"{where} should be an object with filename and url.", param=where)
    filename, url = (_read_text(item, key, where) for key in ("filename", "url"))
    if not filename and not url:
        return None
    last = _last_part(url, where) if url else ""
    return Source(filename=filename or last, url=url)


def _read_text(item: dict[str, Any], key: str, where: str) -> str:
    value = item.get(key)
    if is_unset(value):
        return ""
    if not isinstance(value, str) or not value.isprintable():
        raise ModelBrokenError(f"{where}.{key} should be a printable text.", param=where)
    return value


def _last_part(url: str, where: str) -> str:
    try:
        path = unquote(urlsplit(url).path)
    except ValueError as error:
        raise ModelBrokenError(f"{where}.url is not a URL: {error}.", param=where) from None
    return PurePosixPath(path).name or "model"
