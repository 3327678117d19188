"""The ways in which a hub fails."""

import threading
from dataclasses import dataclass, field

from tests.hub.content import Content


@dataclass(kw_only=True)
class Fault:
    """How one file is served wrongly. What is a list is used up, one item by each request for the bytes."""

    statuses: list[int] = field(default_factory=list)
    """Answered in place of the file, such as ``[503, 503]`` or ``[429]``."""
    retry_after: str | None = None
    """Goes with `statuses`."""
    cuts: list[int] = field(default_factory=list)
    """The connection ends after so many bytes of body."""
    cut_every: int | None = None
    """Every connection ends after so many bytes of body."""
    stall_at: int | None = None
    """After so many bytes of body nothing comes until `gate` is set."""
    gate: threading.Event = field(default_factory=threading.Event)
    stalled: threading.Event = field(default_factory=threading.Event)
    """Set by the server once it stalls."""
    corrupt_at: list[int] = field(default_factory=list)
    """The byte at this offset of the file is sent wrongly, in one answer for each item."""
    changed: Content | None = None
    """Served in place of the file, under another ETag, to all requests after the first."""
    claimed_size: int | None = None
    """The size that metadata and ``X-Linked-Size`` tell."""
    claimed_sha256: str | None = None
    """The hash that metadata and ``X-Linked-Etag`` tell."""
    content_length: int | None = None
    """The ``Content-Length`` of whole answers, when it shall be a lie."""
    without_length: bool = False
    """Answers end with the connection, and have no ``Content-Length``."""
    without_ranges: bool = False
    """``Range`` is ignored."""
    without_etag: bool = False
    wrong_range: int = 0
    """Ranges begin so many bytes later than asked for, and say what was asked for."""
    bytes_per_second: int | None = None
    """How fast the body is sent."""
    answers: int = 0
    """How many requests for the bytes came so far."""


@dataclass(kw_only=True)
class Answer:
    """Sent in place of whatever the hub would answer on a path; for hostile API answers."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    times: int | None = None
    """How often it is sent before the hub answers itself; ``None``: always."""
    gate: threading.Event | None = None
    """The answer waits for it."""
