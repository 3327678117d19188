"""Models in memory: started once for all, leased, drained, stopped."""

import asyncio
from typing import Any

import psutil
import pytest
from jan_host import (
    ChatMessage,
    ChatRequest,
    Chats,
    Completes,
    CompletionRequest,
    EmbeddingRequest,
    Embeds,
    EngineError,
    InvalidRequestError,
    ModelCoolingDownError,
    ModelEvent,
    ModelLoadError,
    ModelProgressEvent,
    ModelStatus,
    ProtocolError,
    RerankRequest,
    Reranks,
    Tokenizes,
    TooManyRequestsError,
    UnavailableError,
)
from jan_host.runtime import RuntimeStatus

from tests.core.runtime.conftest import Events, Gate, MakeLaunch, MakeRuntime, ask, complete, own_workers

PLACES = pytest.mark.parametrize("engine", ["chatty", "hosted"])


def statuses(events: Events) -> list[str]:
    return [event.status.value for event in events if isinstance(event, ModelEvent)]


def status_is(status: ModelStatus) -> Any:
    return lambda event: isinstance(event, ModelEvent) and event.status is status


@PLACES
async def test_a_life(
    make_runtime: MakeRuntime, make_launch: MakeLaunch, events: Events, engine: str
) -> None:
    runtime, launch = make_runtime(), make_launch(engine=engine)
    assert runtime.status("tiny").status is None

    model = await runtime.start(launch)
    status = runtime.status("tiny")
    assert (status.status, status.reason, status.requests) == (ModelStatus.RUNNING, None, 0)
    assert status.capabilities == ["chat", "complete", "embed", "rerank", "tokenize"]
    assert runtime.running() == ["tiny"]
    assert (status.pid is None) == (engine == "hosted")
    assert await complete(model, "count 3") == "0 1 2 "

    await runtime.stop("tiny")
    assert (runtime.status("tiny").status, runtime.running()) == (None, [])
    assert statuses(events) == ["starting", "running", "stopping", "downloaded"]
    assert [event.progress for event in events if isinstance(event, ModelProgressEvent)] == [0.5, 1.0]
    if status.pid is not None:
        assert not psutil.pid_exists(status.pid)


async def test_a_model_has_the_capabilities_of_its_engine_and_no_others(
    make_runtime: MakeRuntime, make_launch: MakeLaunch
) -> None:
    model = await make_runtime().start(make_launch())
    assert isinstance(model, Completes)
    assert not any(isinstance(model, other) for other in (Chats, Embeds, Reranks, Tokenizes))


@PLACES
async def test_every_method(make_runtime: MakeRuntime, make_launch: MakeLaunch, engine: str) -> None:
    model: Any = await make_runtime().start(make_launch(engine=engine))
    chat = ChatRequest(messages=[ChatMessage(role="user", content="hé")], extra={"other": 1})
    assert [delta.text async for delta in model.chat(chat)] == ["HÉ"]
    assert (await model.embed(EmbeddingRequest(input="x"))).embeddings == [[0.5, 1.0]]
    assert (await model.rerank(RerankRequest(query="q", documents=["a", "bb"]))).scores == [1.0, 2.0]
    assert await model.tokenize("hé") == [104, 233]
    assert await model.detokenize((104, 233)) == "hé"
    with pytest.raises(InvalidRequestError, match="empty query") as caught:
        await model.rerank(RerankRequest(query="", documents=["a"]))
    assert caught.value.param == "query"


async def test_a_result_that_is_none_is_the_engines_fault(
    make_runtime: MakeRuntime, make_launch: MakeLaunch
) -> None:
    model: Any = await make_runtime().start(make_launch(engine="chatty"))
    with pytest.raises(ProtocolError, match="embed"):
        await model.embed(EmbeddingRequest(input="nonsense"))
    assert await complete(model, "count 1") == "0 "


@PLACES
@pytest.mark.parametrize("prompt", ["raise", "raise-base", "sys.exit", "cancel-itself", "no-delta"])
async def test_a_foreign_exception_becomes_an_engine_error_and_costs_one_request(
    make_runtime: MakeRuntime, make_launch: MakeLaunch, engine: str, prompt: str
) -> None:
    model = await make_runtime().start(make_launch(engine=engine))
    with pytest.raises(EngineError) as caught:
        await complete(model, prompt)
    assert "\n" not in str(caught.value)
    assert await complete(model, "count 1") == "0 "


async def test_all_who_want_a_model_share_one_start(
    make_runtime: MakeRuntime, make_launch: MakeLaunch, events: Events, gate: Gate
) -> None:
    runtime, launch = make_runtime(), make_launch(gate=str(gate.path))
    asked = [asyncio.create_task(ask(runtime, launch, f"count {n}")) for n in range(5)]
    started = asyncio.create_task(runtime.start(launch, explicit=True))
    await events.seen(lambda event: isinstance(event, ModelProgressEvent))
    await gate.open()
    assert await asyncio.gather(*asked) == ["", "0 ", "0 1 ", "0 1 2 ", "0 1 2 3 "]
    await started
    assert statuses(events) == ["starting", "running"]


async def test_a_start_goes_on_when_all_who_wait_have_left(
    make_runtime: MakeRuntime, make_launch: MakeLaunch, events: Events, gate: Gate
) -> None:
    runtime, launch = make_runtime(), make_launch(gate=str(gate.path))
    asked = asyncio.create_task(ask(runtime, launch, "count 1"))
    await events.seen(lambda event: isinstance(event, ModelProgressEvent))
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await gate.open()
    await events.seen(status_is(ModelStatus.RUNNING))
    assert runtime.status("tiny").requests == 0


async def test_a_stop_gives_up_a_start(
    make_runtime: MakeRuntime, make_launch: MakeLaunch, events: Events, gate: Gate
) -> None:
    runtime = make_runtime()
    started = asyncio.create_task(runtime.start(make_launch(gate=str(gate.path))))
    await events.seen(lambda event: isinstance(event, ModelProgressEvent))
    await runtime.stop("tiny")
    with pytest.raises(UnavailableError, match="was stopped while it was starting"):
        await started
    assert runtime.running() == []


@PLACES
async def test_a_stop_waits_for_running_requests_and_later_ones_start_the_model_again(
    make_runtime: MakeRuntime, make_launch: MakeLaunch, events: Events, engine: str
) -> None:
    runtime, launch = make_runtime(stop_seconds=60), make_launch(engine=engine)
    async with runtime.lease(launch) as model:
        assert runtime.status("tiny").requests == 1
        stopped = asyncio.create_task(runtime.stop("tiny"))
        await events.seen(status_is(ModelStatus.STOPPING))
        late = asyncio.create_task(ask(runtime, launch, "count 1"))
        assert await complete(model, "count 2") == "0 1 "
        assert not stopped.done()
    await stopped
    assert await late == "0 "
    assert statuses(events) == ["starting", "running", "stopping", "downloaded", "starting", "running"]


@PLACES
async def test_a_request_that_outlasts_the_drain_ends_with_an_error(
    make_runtime: MakeRuntime, make_launch: MakeLaunch, engine: str
) -> None:
    runtime, launch = make_runtime(stop_seconds=0), make_launch(engine=engine)
    asked = asyncio.create_task(ask(runtime, launch, "endless"))
    model: Any = await runtime.start(launch)
    async with asyncio.timeout(20):
        while runtime.status("tiny").requests == 0:
            await complete(model, "count 1")
    await runtime.stop("tiny")
    with pytest.raises(UnavailableError, match="stopped"):
        await asked


@PLACES
async def test_closing_the_iterator_cancels_the_work(
    make_runtime: MakeRuntime, make_launch: MakeLaunch, engine: str
) -> None:
    model: Any = await make_runtime().start(make_launch(engine=engine))
    stream = model.complete(CompletionRequest(prompt="endless"))
    assert (await anext(stream)).text == "on "
    await stream.aclose()
    assert await complete(model, "cancelled") == "1"

    under_way = asyncio.Event()

    async def consume() -> None:
        async for _ in model.complete(CompletionRequest(prompt="endless")):
            under_way.set()

    task = asyncio.create_task(consume())
    await under_way.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await complete(model, "cancelled") == "2"

    other = model.complete(CompletionRequest(prompt="endless"))
    await anext(other)
    del other  # the garbage collector closes it
    async with asyncio.timeout(20):
        while await complete(model, "cancelled") != "3":  # noqa: ASYNC110  # nobody tells when it is collected
            await asyncio.sleep(0)  # a model in the host answers without giving way


async def test_requests_of_one_model_run_at_the_same_time(
    make_runtime: MakeRuntime, make_launch: MakeLaunch
) -> None:
    model: Any = await make_runtime().start(make_launch())
    streams = [model.complete(CompletionRequest(prompt="endless")) for _ in range(3)]
    assert [(await anext(stream)).text for stream in streams] == ["on ", "on ", "on "]
    for stream in streams:
        await stream.aclose()


async def test_a_consumer_that_does_not_read_holds_up_nobody_and_is_given_up(
    make_runtime: MakeRuntime, make_launch: MakeLaunch
) -> None:
    model: Any = await make_runtime().start(make_launch())
    slow = model.complete(CompletionRequest(prompt="burst 100000"))
    await anext(slow)
    assert await complete(model, "count 3") == "0 1 2 "
    with pytest.raises(EngineError, match="not read"):
        async for _ in slow:
            pass


async def test_two_models_live_side_by_side(make_runtime: MakeRuntime, make_launch: MakeLaunch) -> None:
    runtime = make_runtime()
    one, two = make_launch("one"), make_launch("two", engine="chatty")
    answers = await asyncio.gather(ask(runtime, one, "count 1"), ask(runtime, two, "count 2"))
    assert list(answers) == ["0 ", "0 1 "]
    assert runtime.running() == ["one", "two"]
    assert runtime.status("one").pid != runtime.status("two").pid


async def test_too_many_requests_are_refused(make_runtime: MakeRuntime, make_launch: MakeLaunch) -> None:
    runtime, launch = make_runtime(max_waiting=2), make_launch(engine="hosted")
    async with runtime.lease(launch), runtime.lease(launch):
        with pytest.raises(TooManyRequestsError) as caught:
            await ask(runtime, launch, "count 1")
    assert caught.value.retry_after
    assert await ask(runtime, launch, "count 1") == "0 "


@PLACES
async def test_a_failed_start_cools_down_until_somebody_starts_it(
    make_runtime: MakeRuntime, make_launch: MakeLaunch, events: Events, engine: str
) -> None:
    runtime = make_runtime()
    with pytest.raises(ModelLoadError, match="OSError: the file is truncated"):
        await ask(runtime, make_launch(engine=engine, misload="raises"), "count 1")
    status = runtime.status("tiny")
    assert status.status is ModelStatus.FAILED
    assert "truncated" in str(status.reason)
    with pytest.raises(ModelCoolingDownError, match="truncated") as caught:
        await ask(runtime, make_launch(engine=engine), "count 1")
    assert 0 < (caught.value.retry_after or 0) <= 30
    await runtime.start(make_launch(engine=engine), explicit=True)
    assert runtime.status("tiny").reason is None
    assert statuses(events) == ["starting", "failed", "starting", "running"]


@PLACES
async def test_a_wrong_setting_is_named(
    make_runtime: MakeRuntime, make_launch: MakeLaunch, engine: str
) -> None:
    with pytest.raises(
        ModelLoadError, match=r"setting ctx_len can't be used: it is .long., and should be a whole"
    ) as caught:
        await make_runtime().start(make_launch(engine=engine, ctx_len="long"))
    assert caught.value.param == "settings.ctx_len"


async def test_a_start_that_takes_too_long_is_given_up(
    make_runtime: MakeRuntime, make_launch: MakeLaunch, gate: Gate
) -> None:
    with pytest.raises(ModelLoadError, match="start_timeout_seconds"):
        await make_runtime(start_timeout_seconds=1).start(make_launch(gate=str(gate.path)))
    assert not own_workers()


async def test_closing_stops_all_and_starts_nothing_more(
    make_runtime: MakeRuntime, make_launch: MakeLaunch
) -> None:
    runtime = make_runtime()
    await asyncio.gather(runtime.start(make_launch("one")), runtime.start(make_launch("two")))
    await runtime.close(5)
    assert runtime.running() == []
    assert not own_workers()
    with pytest.raises(UnavailableError, match="shutting down"):
        await runtime.start(make_launch("three"))


async def test_a_stop_forgets_a_failure(make_runtime: MakeRuntime, make_launch: MakeLaunch) -> None:
    runtime = make_runtime()
    with pytest.raises(ModelLoadError):
        await runtime.start(make_launch(misload="raises"))
    await runtime.stop("tiny")
    assert runtime.status("tiny") == RuntimeStatus()
    assert await ask(runtime, make_launch(), "count 1") == "0 "


@PLACES
@pytest.mark.parametrize("misload", ["sys.exits", "raises base", "cancels itself"])
async def test_a_load_that_raises_anything_at_all(
    make_runtime: MakeRuntime, make_launch: MakeLaunch, engine: str, misload: str
) -> None:
    runtime = make_runtime()
    with pytest.raises(ModelLoadError):
        await runtime.start(make_launch(engine=engine, misload=misload))
    assert runtime.status("tiny").status is ModelStatus.FAILED


async def test_a_request_that_has_no_form_on_the_wire(
    make_runtime: MakeRuntime, make_launch: MakeLaunch
) -> None:
    model = await make_runtime().start(make_launch())
    with pytest.raises(InvalidRequestError):
        await complete(model, "\ud800")
    assert await complete(model, "count 1") == "0 "


async def test_stopping_what_does_not_run_is_nothing(make_runtime: MakeRuntime, events: Events) -> None:
    await make_runtime().stop("tiny")
    assert events == []


async def test_a_worker_gets_what_it_needs_and_no_secret(
    make_runtime: MakeRuntime, make_launch: MakeLaunch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "secret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    model = await make_runtime().start(make_launch())
    asked = ("SOME_API_KEY", "CUDA_VISIBLE_DEVICES", "SCRIPTED_ENGINE", "GOMP_SPINCOUNT")
    assert [await complete(model, f"environment {name}") for name in asked] == ["-", "0", "yes", "1000"]
