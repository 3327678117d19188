"""The extra: its routes, and what it does in the background."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, ClassVar

import msgspec
from jan_host import (
    ChatMessage,
    ChatRequest,
    Delta,
    Event,
    Extra,
    Host,
    JanHostError,
    ModelEvent,
    ModelStatus,
    Reply,
    Route,
)
from msgspec import Meta


class GenerateRequest(msgspec.Struct, kw_only=True):
    """The body of ``POST /example/generate``."""

    prompt: str
    model: str | None = None
    """The model's id; left out, the only running model."""
    max_tokens: Annotated[int, Meta(ge=1, le=4096)] = 128
    temperature: Annotated[float, Meta(ge=0, le=2)] = 1.0


class GenerateLine(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One line of the answer: a piece of text; the last line says why it ended, or what went wrong."""

    response: str = ""
    done: bool = False
    done_reason: str | None = None
    tokens: int | None = None
    error: str | None = None


class Starts(msgspec.Struct, kw_only=True):
    """The answer of ``GET /example/starts``."""

    starts: dict[str, int]
    """How often each model became ready since the host started."""


class GenerateExtra(Extra):
    """Another API over the same models, and a count that is kept in the background."""

    name: ClassVar[str] = "example"

    def __init__(self) -> None:
        self._starts: Counter[str] = Counter()
        self._listening: asyncio.Task[None] | None = None

    def routes(self, host: Host) -> Sequence[Route]:
        """Generate and count."""

        async def generate(data: GenerateRequest) -> Reply:
            request = ChatRequest(
                messages=[ChatMessage(role="user", content=data.prompt)],
                model=data.model,
                max_tokens=data.max_tokens,
                temperature=data.temperature,
            )
            deltas = host.chat(request)
            first = await anext(deltas)  # an unknown model is an error of this request, not of its stream
            return Reply(content=_lines(first, deltas), media_type="application/x-ndjson")

        async def starts() -> Starts:
            return Starts(starts=dict(self._starts))

        return [
            Route(
                method="POST",
                path="/example/generate",
                handler=generate,
                operation_id="example_generate",
                summary="Answer a prompt, as lines of JSON",
                tags=["Example"],
            ),
            Route(
                method="GET",
                path="/example/starts",
                handler=starts,
                operation_id="example_starts",
                summary="How often each model was started",
                tags=["Example"],
            ),
        ]

    async def start(self, host: Host) -> None:
        """Listen to what happens in the host."""
        self._listening = asyncio.create_task(self._count(host.subscribe()))

    async def stop(self) -> None:
        """Listen no more."""
        if self._listening is None:
            return
        self._listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._listening
        self._listening = None

    async def _count(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            if isinstance(event, ModelEvent) and event.status is ModelStatus.RUNNING:
                self._starts[event.model] += 1


async def _lines(first: Delta, rest: AsyncIterator[Delta]) -> AsyncIterator[bytes]:
    """Each delta as a line of JSON. The host closes this when the client goes away, which ends the work."""
    try:
        yield _line(first)
        async for delta in rest:
            yield _line(delta)
    except JanHostError as error:
        yield _encode(GenerateLine(done=True, error=str(error)))
    finally:
        await _close(rest)


async def _close(deltas: AsyncIterator[Delta]) -> None:
    """End a generation at once instead of when the garbage collector finds it."""
    aclose = getattr(deltas, "aclose", None)
    if aclose is not None:
        await aclose()


def _line(delta: Delta) -> bytes:
    return _encode(
        GenerateLine(
            response=delta.text,
            done=delta.finish_reason is not None,
            done_reason=delta.finish_reason,
            tokens=delta.usage.completion_tokens if delta.usage else None,
        )
    )


def _encode(line: GenerateLine) -> bytes:
    return msgspec.json.encode(line) + b"\n"
