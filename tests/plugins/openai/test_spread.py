"""Several upstreams: who is asked, who takes over, who rests."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from jan_host import (
    ChatMessage,
    ChatRequest,
    Delta,
    InvalidRequestError,
    JanHostError,
    TooManyRequestsError,
    UpstreamError,
)
from jan_host_openai.upstreams import MOST_REST_SECONDS, Upstreams

from tests.plugins.openai.conftest import KEY, LoadModel
from tests.plugins.openai.upstream import WORDS, Exchange, Gone, Upstream, chunk, collect


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(eq=False)
class Named:
    """Stands where a `Remote` does: the spread looks at none of its parts."""

    name: str
    asked: list[str] = field(default_factory=list)


def three(clock: Callable[[], float]) -> Upstreams:
    remotes: list[Any] = [Named("a"), Named("b"), Named("c")]
    return Upstreams(remotes, clock)


async def name(remote: Any) -> str:
    return str(remote.name)


async def test_in_turn_when_none_is_busy() -> None:
    upstreams = three(Clock())
    assert [await upstreams.call(name) for _ in range(6)] == ["a", "b", "c", "a", "b", "c"]


async def test_the_least_busy_first() -> None:
    upstreams = three(Clock())

    async def hold(remote: Any) -> AsyncGenerator[Delta, None]:
        yield Delta(text=remote.name)
        yield Delta(text="end")

    held = [upstreams.stream(hold) for _ in range(4)]
    assert [(await anext(stream)).text for stream in held] == ["a", "b", "c", "a"]
    await held[1].aclose()
    assert await upstreams.call(name) == "b"
    await held[2].aclose()
    assert await upstreams.call(name) == "c"
    for stream in held:
        await stream.aclose()


async def test_a_failing_one_rests_longer_each_time_and_comes_back() -> None:
    clock = Clock()
    upstreams = three(clock)
    asked: list[str] = []
    broken = {"a"}

    async def ask(remote: Any) -> str:
        asked.append(remote.name)
        if remote.name in broken:
            raise UpstreamError("It broke.")
        return await name(remote)

    assert await upstreams.call(ask) == "b"
    assert asked == ["a", "b"]
    rests = []
    for _ in range(10):
        began = clock.now
        while "a" not in asked[2:]:
            clock.now += 0.5
            await upstreams.call(ask)
        rests.append(clock.now - began)
        del asked[2:]
    assert rests == sorted(rests)
    assert rests[:3] == [1.0, 2.0, 4.0]
    assert MOST_REST_SECONDS <= rests[-1] <= MOST_REST_SECONDS + 2
    broken.clear()
    clock.now += MOST_REST_SECONDS
    assert {await upstreams.call(ask) for _ in range(3)} == {"a", "b", "c"}


async def test_a_rate_limit_says_itself_how_long() -> None:
    clock = Clock()
    upstreams = three(clock)
    limited = {"a"}

    async def ask(remote: Any) -> str:
        if remote.name in limited:
            raise TooManyRequestsError("Slower.", retry_after=30)
        return await name(remote)

    await upstreams.call(ask)
    limited.clear()
    clock.now = 29
    assert {await upstreams.call(ask) for _ in range(6)} == {"b", "c"}
    clock.now = 31
    assert "a" in {await upstreams.call(ask) for _ in range(3)}


async def test_when_all_rest_one_is_asked_all_the_same_and_the_last_error_comes_through() -> None:
    upstreams = three(Clock())
    asked = []

    async def fail(remote: Any) -> str:
        asked.append(remote.name)
        raise UpstreamError(f"{remote.name} broke.")

    for _ in range(2):
        with pytest.raises(UpstreamError, match="c broke"):
            await upstreams.call(fail)
    assert asked == ["a", "b", "c"] * 2


async def test_a_request_that_is_wrong_is_wrong_everywhere() -> None:
    upstreams = three(Clock())
    asked = []

    async def refuse(remote: Any) -> str:
        asked.append(remote.name)
        raise InvalidRequestError("No.")

    with pytest.raises(InvalidRequestError):
        await upstreams.call(refuse)
    assert asked == ["a"]
    assert [await upstreams.call(name) for _ in range(3)] == ["b", "c", "a"], "none of them rests"


def chat() -> ChatRequest:
    return ChatRequest(messages=[ChatMessage(role="user", content="Hello")], stream=True)


async def test_real_ones_take_over_before_the_first_delta_and_only_then(
    upstream: Upstream, second: Upstream, load: LoadModel
) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.send(503, {"error": {"message": "Busy."}})

    async def cut_early(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.event(chunk(role="assistant"))
        raise Gone

    async def cut_late(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.event(chunk(content="One"))
        raise Gone

    both = [{"base_url": upstream.url, "model": "first"}, {"base_url": second.url}]
    for script in (refuse, cut_early):
        upstream.script = script
        model = await load(upstreams=both, model="common")
        deltas = await collect(model.chat(chat()))
        assert "".join(delta.text for delta in deltas) == "".join(WORDS)
        assert (upstream.last.body["model"], second.last.body["model"]) == ("first", "common")
        assert second.last.headers["authorization"] == f"Bearer {KEY}"
    upstream.script = cut_late
    model = await load(upstreams=both)
    asked = len(second.requests)
    stream = model.chat(chat())
    assert (await anext(stream)).text == "One"
    with pytest.raises(JanHostError):
        await anext(stream)
    assert len(second.requests) == asked


async def test_real_ones_share_the_work(upstream: Upstream, second: Upstream, load: LoadModel) -> None:
    model = await load(upstreams=[{"base_url": upstream.url}, {"base_url": second.url}])
    await asyncio.gather(*(collect(model.chat(chat())) for _ in range(10)))
    assert (len(upstream.requests), len(second.requests)) == (5, 5)
