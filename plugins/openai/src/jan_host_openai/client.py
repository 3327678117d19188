"""The official client, set up from settings for one upstream."""

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jan_host import ModelLoadError

from jan_host_openai.remote import Remote
from jan_host_openai.secrets import Hiding, read_secret
from jan_host_openai.settings import AzureUpstream, OpenAIUpstream

if TYPE_CHECKING:
    import ssl

    import httpx2

    from jan_host_openai.pool import Pool

TIMEOUT = 600.0
CONNECT_TIMEOUT = 10.0
API_VERSION = "2024-10-21"
USAGE_SINCE = "2024-09-01"
"""The version of Azure's API from which streams tell usage."""

Tokens = Callable[[], Awaitable[str]]


def connect(settings: OpenAIUpstream, url: str, model: str, *, reasoning: bool) -> Remote:
    """A server of OpenAI's API.

    Args:
        settings: Complete, see `jan_host_openai.settings.completed`.
        url: Its base URL.
        model: The model's name there.
        reasoning: Whether it is a reasoning model.

    Raises:
        ModelLoadError: A secret is missing, or a setting can't be used.
    """
    from openai import AsyncOpenAI, Omit

    key = read_secret(settings.api_key, "api_key") if settings.api_key else ""
    headers = _headers(settings)
    http, pool = _http(settings, url)
    client = AsyncOpenAI(
        base_url=url,
        api_key=key,
        default_headers=headers,
        max_retries=settings.max_retries or 0,
        http_client=http,
        _enforce_credentials=False,
    )
    # Given as None, the client would take these from its environment, and tell them to any server.
    client.organization, client.project = settings.organization, settings.project
    return Remote(
        client,
        url,
        model,
        reasoning,
        Hiding([key, *headers.values(), *_tails(headers)]),
        settings.stream_usage is not False,
        # The client refuses to work without a key, unless told that this header is left out on purpose.
        headers={} if key or "authorization" in map(str.casefold, headers) else {"Authorization": Omit()},
        pool=pool,
    )


def connect_azure(
    settings: AzureUpstream, endpoint: str, deployment: str | None, tokens: Tokens | None, *, reasoning: bool
) -> Remote:
    """A deployment in Azure OpenAI, or the resource itself; arguments as for `connect`, `tokens` for a key.

    Raises:
        ModelLoadError: As `connect`; also where there is neither key nor sign-in.
    """
    from openai import AsyncAzureOpenAI

    key = read_secret(settings.api_key, "api_key") if settings.api_key else None
    if (key is None) == (tokens is None):
        raise ModelLoadError(
            f"Azure's {endpoint} needs a key or Entra ID. Set api_key, such as env:AZURE_OPENAI_API_KEY, or"
            " entra_id to true.",
            param="settings.api_key",
        )
    headers = _headers(settings)
    version = settings.api_version or API_VERSION
    http, pool = _http(settings, endpoint)
    client = AsyncAzureOpenAI(
        azure_endpoint=endpoint,
        azure_deployment=deployment,
        api_version=version,
        api_key=key,
        azure_ad_token_provider=tokens,
        default_headers=headers,
        max_retries=settings.max_retries or 0,
        http_client=http,
    )
    client.organization, client.project = settings.organization, settings.project
    usage = settings.stream_usage
    return Remote(
        client,
        f"{endpoint}/openai" + (f"/deployments/{deployment}" if deployment else ""),
        deployment or "",
        reasoning,
        Hiding([key or "", *headers.values(), *_tails(headers)]),
        version >= USAGE_SINCE if usage is None else usage,
        signs_in=tokens is not None,
        pool=pool,
    )


def _tails(headers: dict[str, str]) -> list[str]:
    """What stands behind a word such as ``Bearer`` in a header: a key of its own."""
    return [value.partition(" ")[2] for value in headers.values()]


def _headers(settings: OpenAIUpstream) -> dict[str, str]:
    return {name: read_secret(value, f"headers.{name}") for name, value in settings.headers.items()}


def _http(settings: OpenAIUpstream, url: str) -> "tuple[httpx2.AsyncClient, Pool | None]":
    """What the client asks through, and the connections below it, unless a proxy stands between."""
    import httpx2
    from openai import DefaultAsyncHttpxClient

    from jan_host_openai.pool import Pool
    from jan_host_openai.transport import QuickTransport

    # A line for each request, with its URL, is too much for a log at the level "info".
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    trust = _trust(settings)
    pool = None if settings.proxy or _has_proxy(url) else Pool(trust)
    try:
        client = DefaultAsyncHttpxClient(
            verify=True if trust is None else trust,
            proxy=read_secret(settings.proxy, "proxy") if settings.proxy else None,
            transport=None if pool is None else QuickTransport(pool),
            timeout=httpx2.Timeout(
                settings.timeout or TIMEOUT, connect=settings.connect_timeout or CONNECT_TIMEOUT
            ),
            # An API has no reason to send elsewhere, and a key must not go along.
            follow_redirects=False,
        )
    except (ValueError, httpx2.InvalidURL, ImportError) as error:
        raise ModelLoadError(
            f"The setting proxy can't be used ({type(error).__name__}). Write http://HOST:PORT.",
            param="settings.proxy",
        ) from None
    return client, pool


def _trust(settings: OpenAIUpstream) -> "ssl.SSLContext | None":
    """What is trusted beside the public authorities, or ``None`` where the settings name nothing."""
    if settings.ca_file is None:
        return None
    import httpx2

    trust = httpx2.create_ssl_context()
    try:
        trust.load_verify_locations(Path(settings.ca_file).expanduser())
    except OSError as error:  # what is no certificate is among these
        raise ModelLoadError(
            f"The setting ca_file is {settings.ca_file!r}, which can't be read ({type(error).__name__})."
            " Name a file with certificates in PEM.",
            param="settings.ca_file",
        ) from None
    return trust


def _has_proxy(url: str) -> bool:
    """Whether the environment names a proxy for an address."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    proxies = getproxies()
    return bool(proxies.get(parts.scheme) or proxies.get("all")) and not proxy_bypass(parts.netloc)
