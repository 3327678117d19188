"""Everything that can go wrong with an upstream becomes an error of the contract here, and nowhere else.

An upstream's own answer keeps its status, message, type, code, param and ``Retry-After``. What kept it from
answering is a 502, and 504 where it took too long.
"""

import email.utils
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
from jan_host import (
    ContextLengthExceededError,
    InvalidRequestError,
    JanHostError,
    TooManyRequestsError,
    UnsupportedError,
    UpstreamError,
    ValidationError,
)

MOST_CHARACTERS = 2000
"""How much of an upstream's message is shown."""

_CLASSES: dict[str, type[InvalidRequestError]] = {
    "context_length_exceeded": ContextLengthExceededError,
    "unsupported": UnsupportedError,
    "validation_error": ValidationError,
}
"""Codes of refusals that have a class of their own here."""

_REFUSALS = frozenset({400, 409, 413, 415, 422})
"""Statuses that say that the request can't be carried out, whoever is asked."""

Hide = Callable[[str], str]


@contextmanager
def translated(upstream: str, hide: Hide) -> Iterator[None]:
    """Raise errors of the contract in place of the SDK's, its HTTP client's and the decoder's.

    Args:
        upstream: The server's address, for messages.
        hide: Takes secrets out of a text.

    Raises:
        JanHostError: What went wrong.
    """
    try:
        yield
    except JanHostError:
        raise
    except Exception as error:
        meaning = meaning_of(error, upstream, hide)
        if meaning is None:
            raise
        # The cause is dropped: the SDK's exceptions hold the request, and the key in it.
        raise meaning from None


def meaning_of(error: Exception, upstream: str, hide: Hide) -> JanHostError | None:
    """The error of the contract for an exception, or ``None`` for one that is not the upstream's doing."""
    import httpx2
    import openai

    if isinstance(error, openai.APIStatusError):
        return refusal(error.status_code, error.response.headers, error.body, upstream, hide)
    distrust = _distrust(error)
    if distrust is not None:
        return UpstreamError(
            f"The certificate of the upstream {upstream} is not trusted ({distrust}). Set ca_file to the file"
            " of its authority's certificate."
        )
    status = 502
    if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
        status = 504
        message = f"The upstream {upstream} did not go on in time. Try again, or raise the setting timeout."
    elif isinstance(error, openai.APIConnectionError | httpx2.ConnectError):
        message = f"The upstream {upstream} can't be reached ({_cause(error)}). Check that it runs."
    elif isinstance(error, msgspec.DecodeError | UnicodeDecodeError | RecursionError):
        message = f"The upstream {upstream} sent what is no answer of OpenAI's API: {hide(str(error))}."
    elif isinstance(error, httpx2.HTTPError | httpx2.StreamError | httpx2.InvalidURL):
        message = f"The connection to the upstream {upstream} broke off ({type(error).__name__}). Try again."
    elif isinstance(error, openai.OpenAIError | openai.InvalidWebhookSignatureError):
        message = f"The request to {upstream} failed: {_shown(hide(str(error)))}"
    else:
        return None
    return UpstreamError(message, status=status)


def refusal(status: int, headers: Mapping[str, str], body: object, upstream: str, hide: Hide) -> JanHostError:
    """The error for an answer that is none.

    Args:
        status: The HTTP status.
        headers: The answer's headers.
        body: What the body says: an object, a text, or nothing.
        upstream: The server's address.
        hide: Takes secrets out of a text.
    """
    told = _Told(body)
    message = _shown(hide(told.message)) or f"The upstream {upstream} answered {status} and no reason."
    if 300 <= status < 400:
        message = f"The upstream {upstream} sends elsewhere (status {status}). Correct the setting base_url."
        status = 502
    elif status in (401, 403):
        message = f"The upstream {upstream} refused the key that this host has for it: {message}"
    own: dict[str, Any] = {
        "status": status,
        "code": told.code and hide(told.code),
        "type": told.type and hide(told.type),
        "param": told.param and hide(told.param),
    }
    if status == 429:
        return TooManyRequestsError(message, retry_after=retry_after(headers), **own)
    if status in _REFUSALS:
        return _CLASSES.get(told.code or "", InvalidRequestError)(message, **own)
    return UpstreamError(message, retry_after=retry_after(headers), **own)


def failure_in_stream(body: object, upstream: str, hide: Hide) -> JanHostError:
    """The error for one that the upstream tells in the middle of its stream."""
    code = body.get("code") if isinstance(body, dict) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 502
    return refusal(status, {}, body, upstream, hide)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from ``Retry-After`` (seconds or a date) or ``retry-after-ms``."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        text = headers.get("retry-after", "")
        if not text or text.replace(".", "", 1).isdigit():
            return float(text) if text else None
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


class _Told:
    """What a body tells, in the shapes that servers have: OpenAI's, flat ones, FastAPI's, a bare text."""

    def __init__(self, body: object) -> None:
        inner = body.get("error", body) if isinstance(body, dict) else body
        found = inner if isinstance(inner, dict) else {"message": inner}
        message = found.get("message") or found.get("detail") or found.get("error") or ""
        self.message = message if isinstance(message, str) else msgspec.json.encode(message).decode()
        self.code = _word(found.get("code"))
        self.type = _word(found.get("type"))
        self.param = _word(found.get("param"))


def _word(value: object) -> str | None:
    return (
        str(value)[:200] if isinstance(value, str | int) and not isinstance(value, bool) and value else None
    )


def _shown(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}..."


def _distrust(error: BaseException | None) -> str | None:
    """Why a certificate is not trusted, where that is the reason below an exception."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return str(error.verify_message)
        error = error.__cause__ or error.__context__
    return None


def _cause(error: Exception) -> str:
    return type(error.__cause__ or error).__name__
