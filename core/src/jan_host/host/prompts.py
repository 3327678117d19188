"""One completion request with several prompts, as several requests with one prompt each."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from jan_host.contract.completion import CompletionRequest, split_prompts
from jan_host.contract.generation import Delta, PromptTokensDetails, Timings, Usage
from jan_host.host.closing import Closing


@dataclass(frozen=True, slots=True)
class _Figures:
    """What a request took, told when it is done."""

    usage: Usage | None = None
    timings: Timings | None = None


_Item = Delta | _Figures | BaseException

Complete = Callable[[CompletionRequest], AsyncIterator[Delta]]

AT_ONCE = 32
"""Prompts of one request that are worked on together: enough to keep an engine busy, and a long list
leaves room for the requests of others."""
READ_AHEAD = 256
"""Deltas that wait for a slow reader, before the engines are asked for no more."""


def one_by_one(request: CompletionRequest) -> list[CompletionRequest]:
    """A request for each of the prompts."""
    prompts = split_prompts(request.prompt, "prompt")
    return [
        msgspec.structs.replace(request, prompt=list(prompt) if isinstance(prompt, list) else prompt)
        for prompt in prompts
    ]


async def complete_all(
    requests: Sequence[CompletionRequest], complete: Complete, at_once: int = AT_ONCE
) -> AsyncIterator[Delta]:
    """The deltas of all requests as they come, with choices numbered through.

    Choice ``i`` of request ``p`` gets the index ``p * n + i``; the usage of all stands on the
    very last delta. The first error ends everything.

    Args:
        requests: One for each prompt.
        complete: Works on one of them.
        at_once: How many it may work on together.
    """
    queue: asyncio.Queue[_Item] = asyncio.Queue(READ_AHEAD)
    room = asyncio.Semaphore(at_once)
    tasks = [
        asyncio.create_task(_feed(queue, room, complete(request), place * (request.n or 1)))
        for place, request in enumerate(requests)
    ]
    try:
        async for delta in _merged(queue, len(tasks)):
            yield delta
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _feed(
    queue: asyncio.Queue[_Item],
    room: asyncio.Semaphore,
    deltas: AsyncIterator[Delta],
    offset: int,
) -> None:
    figures = _Figures()
    try:
        async with room, Closing(deltas) as source:
            async for delta in source:
                # Some upstreams tell usage as it grows: the last counts.
                figures = _Figures(delta.usage or figures.usage, delta.timings or figures.timings)
                moved = msgspec.structs.replace(delta, index=delta.index + offset, usage=None, timings=None)
                await queue.put(moved)
        await queue.put(figures)
    except Exception as error:
        await queue.put(error)


async def _merged(queue: asyncio.Queue[_Item], sources: int) -> AsyncIterator[Delta]:
    usage = Usage(prompt_tokens_details=PromptTokensDetails())
    timings = Timings()
    held: Delta | None = None  # the end of a choice, which may turn out to be the very last delta
    while sources:
        item = await queue.get()
        if isinstance(item, BaseException):
            raise item
        if isinstance(item, _Figures):
            sources -= 1
            usage, timings = _summed(usage, item.usage), _combined(timings, item.timings)
        elif item.finish_reason is None:
            yield item
        else:
            if held is not None:
                yield held
            held = item
    if held is not None:
        yield msgspec.structs.replace(held, usage=usage, timings=timings)


def _summed(total: Usage, more: Usage | None) -> Usage:
    if more is None:
        return total
    return msgspec.convert(_added(msgspec.to_builtins(total), msgspec.to_builtins(more)), Usage)


def _added(first: Any, second: Any) -> Any:
    """The sum of two counts, or of all that two objects count; of what can't be added, the later."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first | {name: _added(first.get(name), value) for name, value in second.items()}
    if _is_number(first) and _is_number(second):
        return first + second
    return first if second is None else second


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _combined(total: Timings, more: Timings | None) -> Timings:
    """The counts added up; of the times the longest, since the requests ran side by side."""
    if more is None:
        return total
    prompt_n, predicted_n = total.prompt_n + more.prompt_n, total.predicted_n + more.predicted_n
    prompt_ms, predicted_ms = max(total.prompt_ms, more.prompt_ms), max(total.predicted_ms, more.predicted_ms)
    return Timings(
        queued_ms=max(total.queued_ms, more.queued_ms),
        prompt_n=prompt_n,
        prompt_ms=prompt_ms,
        prompt_per_second=1000 * prompt_n / prompt_ms if prompt_ms else 0.0,
        predicted_n=predicted_n,
        predicted_ms=predicted_ms,
        predicted_per_second=1000 * predicted_n / predicted_ms if predicted_ms else 0.0,
        cache_n=total.cache_n + more.cache_n,
    )
