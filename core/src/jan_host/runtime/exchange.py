"""The requests that a worker has: each with an id, a `Call` that waits for it, and a cancel."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import msgspec

from jan_host.contract.errors import (
    ErrorPayload,
    InvalidRequestError,
    JanHostError,
    ProtocolError,
    from_payload,
)
from jan_host.contract.generation import Delta
from jan_host.runtime.calls import Call
from jan_host.runtime.faults import same_error
from jan_host.runtime.frames import ENCODER, Cancel, Deltas, HostFrame, Request
from jan_host.runtime.methods import METHODS


class Exchange:
    """The `Caller` of a model in a worker.

    Args:
        send: Sends a frame to the worker, in the background.
        drain: Waits until most of what was sent is on its way.
        works: Told when the worker has something to do, and when it has nothing to do any more.
    """

    def __init__(
        self,
        send: Callable[[HostFrame], None],
        drain: Callable[[], Awaitable[None]],
        works: Callable[[bool], None],
    ) -> None:
        self._send = send
        self._drain = drain
        self._works = works
        self._loop = asyncio.get_running_loop()
        self._calls: dict[int, Call] = {}
        self._unanswered: set[int] = set()
        """What the worker still owes an answer, also where nobody waits for it any more."""
        self._last_id = 0
        self._closed: JanHostError | None = None

    async def stream(self, method: str, request: Any) -> AsyncGenerator[Delta, None]:
        """See `Caller.stream`."""
        number, call = self._begin(method, request)
        try:
            await self._drain()
            while (delta := await call.next()) is not None:
                yield delta
        finally:
            self._forget(number, call)

    async def call(self, method: str, request: Any) -> Any:
        """See `Caller.call`."""
        number, call = self._begin(method, request)
        try:
            await self._drain()
            result = await call.result()
        finally:
            self._forget(number, call)
        decoder = METHODS[method].result
        assert decoder is not None  # a generation is streamed, see proxy
        try:
            return decoder.decode(result)
        except msgspec.MsgspecError as error:
            raise ProtocolError(f"The engine's answer to {method} can't be read: {error}") from None

    def deliver(self, frame: Deltas) -> None:
        """Hand deltas to those who wait; what nobody waits for any more is dropped."""
        calls = self._calls
        for number, delta in frame.items:
            call = calls.get(number)
            if call is not None and not call.push(delta):
                del calls[number]
                self._send(Cancel(number))

    def finish(self, number: int, result: msgspec.Raw) -> None:
        """A request is done."""
        self._answered(number)
        call = self._calls.get(number)
        if call is not None:
            call.finish(result)

    def fail(self, number: int, payload: ErrorPayload) -> None:
        """A request failed in the worker."""
        self._answered(number)
        call = self._calls.get(number)
        if call is not None:
            call.fail(from_payload(payload))

    def close(self, error: JanHostError) -> None:
        """End all requests with `error`, those that come later too."""
        self._closed = error
        for call in self._calls.values():
            call.fail(error)

    def _begin(self, method: str, request: Any) -> tuple[int, Call]:
        if self._closed is not None:
            raise same_error(self._closed)
        try:
            body = msgspec.Raw(ENCODER.encode(request))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            # A lone surrogate, an integer of more than 64 bits, or what no client can have sent.
            raise InvalidRequestError(f"The request can't be passed to the model: {error}") from None
        self._last_id += 1
        number, call = self._last_id, Call(self._loop)
        self._send(Request(number, method, body))
        self._calls[number] = call
        self._unanswered.add(number)
        if len(self._unanswered) == 1:
            self._works(True)
        return number, call

    def _answered(self, number: int) -> None:
        if number in self._unanswered:
            self._unanswered.remove(number)
            if not self._unanswered:
                self._works(False)

    def _forget(self, number: int, call: Call) -> None:
        if self._calls.pop(number, None) is not None and not call.over:
            self._send(Cancel(number))
