"""One server's client: a streamed chat request, and when each of its pieces came."""

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import aiohttp

MODEL = "bench"
END_TOKENS = (0, 2)
"""SmolLM2's end tokens, which are forbidden so that every answer has the length asked for."""
WITHOUT_END = {str(token): -100 for token in END_TOKENS}
TIMEOUT_SECONDS = 300.0

Message = dict[str, str]


@dataclass(slots=True)
class Answer:
    """What came back for one request; times are those of `time.perf_counter`, in seconds."""

    began: float
    pieces: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    """When each piece of text came."""
    finish_reason: str | None = None
    """``None`` where the answer failed or broke off."""

    @property
    def text(self) -> str:
        """All that was said."""
        return "".join(self.pieces)

    @property
    def first_token(self) -> float:
        """Seconds to the first text; infinite when there was none."""
        return self.times[0] - self.began if self.times else float("inf")

    def gaps(self, since: float, until: float) -> list[float]:
        """The seconds between two pieces, wherever they overlap with that time."""
        return [later - before for before, later in pairwise(self.times) if later > since and before < until]


class Client:
    """Asks one server.

    Args:
        session: Makes the connections.
        url: The server's address.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = f"{url}/v1/chat/completions"

    async def ask(
        self, messages: Sequence[Message], max_tokens: int, *, model: str = MODEL, **options: Any
    ) -> Answer:
        """A whole answer. One that fails has no finish reason."""
        answer = Answer(time.perf_counter())
        try:
            async for _ in self.hear(answer, messages, max_tokens, model=model, **options):
                pass
        except (aiohttp.ClientError, TimeoutError, ValueError):
            answer.finish_reason = None
        return answer

    async def hear(
        self,
        answer: Answer,
        messages: Sequence[Message],
        max_tokens: int,
        *,
        model: str = MODEL,
        **options: Any,
    ) -> AsyncGenerator[str, None]:
        """Let an answer grow, at temperature 0, and yield each piece; closing the iterator gives it up.

        Raises:
            aiohttp.ClientError, TimeoutError, ValueError: The server failed.
        """
        sampling = {"max_tokens": max_tokens, "temperature": 0, "stream": True}
        body = {"model": model, "messages": messages, **sampling, **options}
        async with self._session.post(self.url, json=body) as reply:
            reply.raise_for_status()
            async for line in reply.content:
                if not line.startswith(b"data: {"):
                    continue
                choice = (json.loads(line[6:]).get("choices") or [{}])[0]
                answer.finish_reason = choice.get("finish_reason") or answer.finish_reason
                if text := choice.get("delta", {}).get("content"):
                    answer.times.append(time.perf_counter())
                    answer.pieces.append(text)
                    yield text


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Client]:
    """A client for the time of the block."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    # A new connection for each request: one that the native server closes meanwhile would fail it.
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, read_bufsize=2**20) as session:
        yield Client(session, url)
