"""Batches across requests: what waits together, whose turn it is, and what a failure or a cancel costs."""

import asyncio
import threading
from collections.abc import Sequence

import pytest
from jan_host import EngineError, TooManyRequestsError, UnavailableError
from jan_host.kit.batching import Batcher, InterruptedRunError, Lane, Limits, Tokens

LIMITS = Limits(texts=4, tokens=64, queue=100, fill=8)
SECONDS = 10


class Graph:
    """Answers with each text's first id. The first run waits until it is let go."""

    def __init__(self) -> None:
        self.runs: list[list[list[int]]] = []
        self.begun = threading.Event()
        self.may_go_on = threading.Event()

    def __call__(self, texts: Sequence[Tokens]) -> list[int]:
        self.runs.append([list(text.ids) for text in texts])
        self.begun.set()
        assert self.may_go_on.wait(SECONDS)
        if any(text.ids[0] == 13 for text in texts):
            raise EngineError("13 is not computed here.")
        return [text.ids[0] for text in texts]

    async def reached(self) -> None:
        """Wait until the first run has begun."""
        assert await asyncio.to_thread(self.begun.wait, SECONDS)

    def lengths(self) -> list[list[int]]:
        """How long the texts of each run were."""
        return [[len(ids) for ids in run] for run in self.runs]


def text(number: int, length: int) -> Tokens:
    return Tokens([number] * length, [0] * length)


async def _behind_a_run(graph: Graph, batcher: Batcher[int], *requests: list[Tokens]) -> list[list[int]]:
    """Let requests gather while a run computes; gives their answers."""
    first = asyncio.ensure_future(batcher.run([text(1, 1)]))
    await graph.reached()
    gathered = [asyncio.ensure_future(batcher.run(request)) for request in requests]
    await asyncio.sleep(0)
    graph.may_go_on.set()
    await first
    return await asyncio.wait_for(asyncio.gather(*gathered), SECONDS)


async def test_a_lone_text_is_run_at_once() -> None:
    graph = Graph()
    graph.may_go_on.set()
    batcher = Batcher([Lane(graph)], LIMITS)
    assert await batcher.run([text(5, 3)]) == [5]
    await batcher.close()


async def test_what_waits_is_run_together_by_length() -> None:
    graph = Graph()
    batcher = Batcher([Lane(graph)], LIMITS)
    lengths = [40, 3, 41, 2]
    requests = [[text(number + 20, length)] for number, length in enumerate(lengths)]
    assert await _behind_a_run(graph, batcher, *requests) == [[20], [21], [22], [23]]
    assert sorted(graph.lengths()[1:]) == [[2, 3], [40], [41]], "two long ones are more than 64 tokens"
    await batcher.close()


async def test_answers_keep_the_order_of_their_request() -> None:
    graph = Graph()
    graph.may_go_on.set()
    batcher = Batcher([Lane(graph)], LIMITS)
    texts = [text(20 + number, length) for number, length in enumerate([9, 1, 30, 2, 17, 60, 5, 5])]
    assert await batcher.run(texts) == list(range(20, 28))
    assert all(len(run) <= 4 and len(run) * max(run) <= 64 for run in graph.lengths())
    await batcher.close()


async def test_a_short_request_does_not_wait_behind_a_long_one() -> None:
    graph = Graph()
    batcher = Batcher([Lane(graph)], Limits(texts=1, tokens=64, queue=100))
    await _behind_a_run(graph, batcher, [text(20, 30)] * 10, [text(30, 30)])
    assert [run[0][0] for run in graph.runs].index(30) <= 2
    await batcher.close()


async def test_a_text_that_fails_costs_its_own_request_alone() -> None:
    graph = Graph()
    batcher = Batcher([Lane(graph)], LIMITS)
    first = asyncio.ensure_future(batcher.run([text(1, 1)]))
    await graph.reached()
    good, bad = (
        asyncio.ensure_future(batcher.run([text(20, 2)])),
        asyncio.ensure_future(batcher.run([text(13, 2)])),
    )
    await asyncio.sleep(0)
    graph.may_go_on.set()
    with pytest.raises(EngineError, match="13 is not"):
        await bad
    assert await good == [20]
    assert await first == [1]
    assert await batcher.run([text(21, 2)]) == [21], "and it goes on"
    await batcher.close()


async def test_cancelled_texts_leave_the_queue() -> None:
    graph = Graph()
    batcher = Batcher([Lane(graph)], Limits(texts=4, tokens=64, queue=8))
    first = asyncio.ensure_future(batcher.run([text(1, 1)]))
    await graph.reached()
    gone = asyncio.ensure_future(batcher.run([text(30, 2)] * 8))
    await asyncio.sleep(0)
    with pytest.raises(TooManyRequestsError):
        await batcher.run([text(2, 1)])
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    next_one = asyncio.ensure_future(batcher.run([text(2, 1)]))
    await asyncio.sleep(0)
    graph.may_go_on.set()
    assert [await first, await next_one] == [[1], [2]]
    assert all(ids[0] != 30 for run in graph.runs for ids in run), "none of them was computed"
    await batcher.close()


async def test_lanes_compute_at_the_same_time() -> None:
    first, second = Graph(), Graph()
    batcher = Batcher([Lane(first), Lane(second)], LIMITS)
    answers = [asyncio.ensure_future(batcher.run([text(20 + number, 40)])) for number in range(2)]
    await first.reached()
    await second.reached()
    first.may_go_on.set()
    second.may_go_on.set()
    assert [await answer for answer in answers] == [[20], [21]]
    assert len(first.runs) == len(second.runs) == 1
    await batcher.close()


async def test_a_request_of_many_texts_has_all_lanes() -> None:
    first, second = Graph(), Graph()
    batcher = Batcher([Lane(first), Lane(second)], LIMITS)
    answer = asyncio.ensure_future(batcher.run([text(20 + number, 40) for number in range(6)]))
    await first.reached()
    await second.reached()
    first.may_go_on.set()
    second.may_go_on.set()
    assert await answer == [20, 21, 22, 23, 24, 25]
    await batcher.close()


async def test_lanes_rest_while_others_need_the_cores() -> None:
    first, second = Graph(), Graph()
    first.may_go_on.set()
    second.may_go_on.set()
    batcher = Batcher([Lane(first), Lane(second)], LIMITS)
    batcher.use_lanes(1)
    await asyncio.gather(*(batcher.run([text(20 + number, 40)]) for number in range(6)))
    assert sorted(map(len, (first.runs, second.runs))) == [0, 6]
    await batcher.close()


async def test_a_lane_that_may_compute_again_takes_what_waits() -> None:
    first, second = Graph(), Graph()
    batcher = Batcher([Lane(first), Lane(second)], LIMITS)
    batcher.use_lanes(0)  # one at least
    answer = asyncio.ensure_future(batcher.run([text(20 + number, 40) for number in range(6)]))
    await second.reached()
    batcher.use_lanes(None)
    await first.reached()
    batcher.use_lanes(1)
    first.may_go_on.set()
    second.may_go_on.set()
    assert await answer == [20, 21, 22, 23, 24, 25]
    await batcher.close()


async def test_only_a_run_that_nobody_waits_for_is_ended_early() -> None:
    interrupted = threading.Event()

    def endless(texts: Sequence[Tokens]) -> list[int]:
        assert interrupted.wait(SECONDS)
        raise InterruptedRunError

    graph = Graph()
    # The lane that is taken last computes first.
    batcher = Batcher([Lane(graph, graph.may_go_on.set), Lane(endless, interrupted.set)], LIMITS)
    vain = asyncio.ensure_future(batcher.run([text(20, 3)]))
    await asyncio.sleep(0)
    wanted = asyncio.ensure_future(batcher.run([text(21, 3)]))
    await graph.reached()
    vain.cancel()
    with pytest.raises(asyncio.CancelledError):
        await vain
    assert interrupted.is_set()
    assert not graph.may_go_on.is_set(), "somebody waits for this one"
    graph.may_go_on.set()
    assert await wanted == [21]
    await batcher.close()


async def test_a_run_that_gives_too_little_is_an_error() -> None:
    batcher: Batcher[int] = Batcher([Lane(lambda texts: [])], LIMITS)
    with pytest.raises(ValueError, match="shorter"):
        await batcher.run([text(20, 3)])
    await batcher.close()


async def test_nothing_is_taken_after_the_end() -> None:
    batcher = Batcher([Lane(Graph())], LIMITS)
    await batcher.close()
    with pytest.raises(UnavailableError):
        await batcher.run([text(1, 1)])
