"""Whether an answer is what was asked for: its status, its version, its place and its size."""

import re
from collections.abc import Mapping

from jan_host.contract.errors import DownloadError, OriginNotFoundError
from jan_host.downloads.connection import Answer
from jan_host.downloads.parcels import Parcel
from jan_host.downloads.retries import ChangedError, TransientError, retry_after

_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_REFUSING = frozenset({429, 503})
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class WrongSizeError(DownloadError):
    """The file has another size than the plan promised: nothing of it is kept."""


def wrong_size(parcel: Parcel, what: str) -> WrongSizeError:
    """The error of a server that sends `what` in place of the bytes that were promised."""
    return WrongSizeError(
        f"{parcel.label} should have {parcel.size} bytes, and the server sends {what}: refused."
        " The file has changed at its origin; plan the pull again."
    )


def check_status(answer: Answer, label: str) -> None:
    """Let only 200 and 206 through.

    Raises:
        TransientError: It may pass.
        ChangedError: The file is shorter than it was.
        OriginNotFoundError: There is no such file.
        DownloadError: The server does not want to.
    """
    code = answer.status
    if code in (200, 206):
        return
    if code in _TRANSIENT:
        raise TransientError(
            f"the server answered {code}", retry_after=retry_after(answer.headers), refused=code in _REFUSING
        )
    if code == 416:
        raise ChangedError
    if code in (401, 403):
        raise DownloadError(
            f"The server refused {label} ({code}). Check that you may read it, and the token or password."
        )
    if code in (404, 410):
        raise OriginNotFoundError(f"{label} is not there ({code}). Check the origin, or plan it again.")
    raise DownloadError(f"The server answered {code} for {label}. Try again later, or check the origin.")


def check_encoding(answer: Answer, label: str) -> None:
    """Refuse a compressed body: its bytes are not the file's.

    Raises:
        DownloadError: It is compressed.
    """
    if answer.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
        raise DownloadError(
            f"The server sends {label} compressed, though it was asked not to."
            " It can't be verified; take it from another origin."
        )


def check_place(answer: Answer, position: int) -> int | None:
    """Make sure that the body begins at `position`; returns the whole file's size, if it is told.

    Raises:
        ChangedError: It is another part: the server ignores ranges, or has a new version.
        TransientError: The server contradicts itself.
    """
    if answer.status == 200:
        if position:
            raise ChangedError
        return answer.length
    match = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
    if match is None or int(match[1]) != position:
        raise TransientError("the server sent another part than it was asked for")
    if answer.length is not None and answer.length != int(match[2]) - position + 1:
        raise TransientError("the server sent a part of another length than it said")
    return None if match[3] == "*" else int(match[3])


def mark_of(headers: Mapping[str, str]) -> str | None:
    """A strong ETag, or the date of the last change; a weak ETag promises no equal bytes."""
    tag = headers.get("etag", "")
    return tag if tag.startswith('"') else headers.get("last-modified")
