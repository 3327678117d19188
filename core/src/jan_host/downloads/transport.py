"""HTTP requests whose redirects are followed by hand, so that each hop can be refused."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jan_host.contract.errors import DownloadError
from jan_host.downloads.addresses import (
    is_proxied,
    is_public,
    keeps_credentials,
    literal,
    private_target,
    public_addresses,
    shown,
)
from jan_host.downloads.headers import basic_authorization, harmless

if TYPE_CHECKING:
    import httpx

MAX_REDIRECTS = 10


def new_client() -> "httpx.AsyncClient":
    """A client that trusts what the system trusts, keeps no cookies and follows nothing by itself."""
    import logging
    from http.cookiejar import CookieJar, DefaultCookiePolicy

    import httpx

    # httpx logs every address with its query at INFO, and signed addresses carry secrets there.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    trust = httpx.create_ssl_context()
    trust.load_default_certs()  # beside httpx's own list: companies add theirs to the system's
    return httpx.AsyncClient(
        verify=trust,
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        timeout=httpx.Timeout(60.0, connect=30.0, pool=None),
        headers={"Accept-Encoding": "identity", "User-Agent": "jan-host"},
    )


@dataclass(frozen=True, slots=True)
class _Hop:
    """One request on the way: where to, and what may be told there."""

    url: "httpx.URL"
    private: Mapping[str, str]
    """Headers that stay with this origin."""
    guarded: bool = False
    """Whether a public server has sent us here: private addresses are refused then."""

    def follow(self, location: str, guarded: bool) -> "_Hop":
        """The next hop.

        Raises:
            DownloadError: The way leads from https to http, or to something that is not HTTP.
        """
        there = self.url.join(location)
        if there.scheme not in ("http", "https"):
            raise DownloadError(
                f"{shown(str(self.url))} redirects to an address that is neither http nor https: refused."
            )
        if self.url.scheme == "https" and there.scheme == "http":
            raise DownloadError(
                f"{shown(str(self.url))} redirects from https to unencrypted http on {there.host}: refused."
                " Ask the server's operator, or name an https address."
            )
        private = self.private if keeps_credentials(self.url, there) else harmless(self.private)
        # A redirect does not choose who we are: its user and password are dropped.
        return _Hop(there.copy_with(username=None, password=None), private, guarded)


@asynccontextmanager
async def open_stream(
    client: "httpx.AsyncClient", url: str, headers: Mapping[str, str], extra: Mapping[str, str]
) -> AsyncIterator["httpx.Response"]:
    """Request `url` and hand out the answer behind all redirects, its body not yet read.

    Args:
        client: From `new_client`.
        url: May hold ``user:password@``.
        headers: Secrets revealed; they do not follow to another origin.
        extra: Headers that go to every hop, such as ``Range``.

    Raises:
        DownloadError: A redirect is refused, or there are more than `MAX_REDIRECTS`.
        httpx.InvalidURL: `url`, or where it redirects to, can't be read.
        httpx.HTTPError: The connection failed.
    """
    import httpx

    start = httpx.URL(url)
    bare = start.copy_with(username=None, password=None)
    hop = _Hop(bare, {**basic_authorization(start), **headers})
    for _ in range(MAX_REDIRECTS + 1):
        response = await _send(client, hop, extra)
        try:
            if not response.has_redirect_location:
                yield response
                return
            hop = hop.follow(
                response.headers["location"], hop.guarded or _came_from_public(response, hop.url)
            )
        finally:
            await response.aclose()
    raise DownloadError(f"{shown(url)} redirects more than {MAX_REDIRECTS} times. Check the address.")


def _came_from_public(response: "httpx.Response", url: "httpx.URL") -> bool:
    """Whether the server that answered is on the public internet.

    Behind a proxy only the address's text can be judged; a name counts as public then.
    """
    if is_proxied(url):
        address = literal(url.host)
    else:
        # None when the peer has closed already; it counts as public then, which is the strict side.
        peer = response.extensions["network_stream"].get_extra_info("server_addr")
        address = literal(str(peer[0])) if peer else None
    return address is None or is_public(address)


async def _send(client: "httpx.AsyncClient", hop: _Hop, extra: Mapping[str, str]) -> "httpx.Response":
    headers = {**hop.private, **extra}
    if not hop.guarded:
        return await client.send(client.build_request("GET", hop.url, headers=headers), stream=True)
    if is_proxied(hop.url):
        address = literal(hop.url.host)
        if address is not None and not is_public(address):
            raise private_target(hop.url.host)
        return await client.send(client.build_request("GET", hop.url, headers=headers), stream=True)
    return await _send_pinned(client, hop.url, headers)


async def _send_pinned(
    client: "httpx.AsyncClient", url: "httpx.URL", headers: Mapping[str, str]
) -> "httpx.Response":
    """Connect to the very addresses that were checked, so that a second DNS answer changes nothing."""
    import httpx

    extensions: dict[str, Any] = {"sni_hostname": url.host}
    # One connection for one host: the pool would otherwise share it among all hosts of an address.
    pinned = {**headers, "Host": url.netloc.decode("ascii"), "Connection": "close"}
    refused: httpx.ConnectError | httpx.ConnectTimeout | None = None
    for address in await public_addresses(url):
        request = client.build_request(
            "GET", url.copy_with(host=address), headers=pinned, extensions=extensions
        )
        try:
            return await client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            refused = error
    raise refused or DownloadError(f"The host {url.host} has no address.")
