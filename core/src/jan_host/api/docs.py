"""``/openapi.json``, and ``/docs``: a page of our own, since the usual ones load scripts from elsewhere."""

import base64
import hashlib
import re
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from jan_host.api.replies import send_whole


class _Whole:
    """An answer that is the same every time."""

    def __init__(self, body: bytes, media_type: str, headers: dict[str, str]) -> None:
        self._body = body
        self._media_type = media_type
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_whole(send, self._body, self._media_type, headers=self._headers)


def docs_routes(build: Callable[[], dict[str, Any]]) -> list[HTTPRouteHandler]:
    """The two routes. `build` makes the document; it is called once, by the first request for it."""
    built: list[bytes] = []

    @get("/openapi.json", include_in_schema=False)
    async def openapi_document() -> ASGIApp:
        """The OpenAPI document. Needs no key."""
        if not built:
            built.append(msgspec.json.encode(build()))
        return _Whole(built[0], "application/json", {})

    @get("/docs", include_in_schema=False)
    async def docs_page() -> ASGIApp:
        """The document for people. Needs no key."""
        page = files("jan_host.api").joinpath("docs.html").read_text("utf-8")
        return _Whole(page.encode(), "text/html; charset=utf-8", {"content-security-policy": _policy(page)})

    return [openapi_document, docs_page]


def _policy(page: str) -> str:
    """Only the page's own script and style run, and only this host is asked for anything."""
    script, style = (_hashes(tag, page) for tag in ("script", "style"))
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hashes(tag: str, page: str) -> str:
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in found]
    return " ".join(f"'sha256-{digest}'" for digest in digests)
