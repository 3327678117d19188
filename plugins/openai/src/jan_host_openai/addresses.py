"""Where upstreams are: what users write becomes a base URL."""

import re
from urllib.parse import urlsplit, urlunsplit

from jan_host import ModelLoadError

OPENAI_HOST = "api.openai.com"
OPENAI_URL = f"https://{OPENAI_HOST}/v1"
AZURE_SUFFIXES = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")

_LOOPBACK = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:|/|$)")


def base_url(text: str, *, path: str = "/v1") -> str:
    """A URL without a slash at its end; ``https`` where no scheme is given, but for this machine ``http``.

    Args:
        text: What the user wrote, such as ``api.openai.com`` or ``http://127.0.0.1:1337/v1``.
        path: What an address without a path gets.

    Raises:
        ModelLoadError: It is no address, or holds a user and password.
    """
    written = text.strip()
    if "://" not in written:
        written = f"{'http' if _LOOPBACK.match(written) else 'https'}://{written}"
    try:
        parts = urlsplit(written)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        usable = False
    if not usable or parts.username is not None:
        raise ModelLoadError(
            "The base URL is no http or https address without user and password. Write one such as"
            f" {OPENAI_URL}, and the key under api_key.",
            param="settings.base_url",
        )
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") or path, "", ""))


def host_of(text: str) -> str:
    """The host in lower case, with its port where one is written; empty for what is no address."""
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        return parts.netloc.rpartition("@")[2].casefold()
    except ValueError:
        return ""


def is_azure(text: str) -> bool:
    """Whether an address is one of Azure's."""
    return host_of(text).partition(":")[0].endswith(AZURE_SUFFIXES)
