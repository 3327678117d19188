"""What the host does between a request and a model: find, start, default, split, refuse."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jan_host import (
    ChatMessage,
    ChatRequest,
    CompletionRequest,
    ConflictError,
    Delta,
    EmbeddingRequest,
    InvalidRequestError,
    LibraryEvent,
    ModelBrokenError,
    ModelEvent,
    ModelNotFoundError,
    ModelStatus,
    OriginNotFoundError,
    PullRequest,
    UnavailableError,
    UnsupportedError,
    ValidationError,
)
from jan_host.host import JanHost

from tests.core.host.conftest import write_model


def chat(model: str | None = "poem", **options: Any) -> ChatRequest:
    messages = [ChatMessage(role="user", content="The sea")]
    return ChatRequest(model=model, messages=messages, temperature=0.0, **options)


async def collect(deltas: AsyncIterator[Delta]) -> list[Delta]:
    return [delta async for delta in deltas]


async def test_a_request_starts_the_model_and_the_model_tells(host: JanHost) -> None:
    assert host.model("poem").status == "downloaded"
    deltas = await collect(host.chat(chat(max_tokens=5)))
    assert "".join(delta.text for delta in deltas)
    assert deltas[-1].usage is not None
    info = host.model("poem")
    assert (info.status, info.requests) == ("running", 0)
    assert "chat" in info.capabilities


async def test_what_a_request_leaves_out_the_model_says(root: Path, host: JanHost) -> None:
    document = '{"parameters": {"max_tokens": "3", "stream": true, "flavour": "salt"}}'
    write_model(root, "short", document)
    usage = (await collect(host.chat(chat("short"))))[-1].usage
    assert usage is not None
    assert usage.completion_tokens == 3
    for options in ({"max_tokens": 2}, {"max_completion_tokens": 2}):
        usage = (await collect(host.chat(chat("short", **options))))[-1].usage
        assert usage is not None
        assert usage.completion_tokens == 2


async def test_a_default_that_can_not_be_used_is_named(root: Path, host: JanHost) -> None:
    write_model(root, "odd", '{"parameters": {"top_p": 7, "reasoning_effort": ["a lot"]}}')
    with pytest.raises(ModelBrokenError, match="reasoning_effort"):
        await collect(host.chat(chat("odd")))
    assert "top_p" in host.model("odd").warnings[0]


async def test_several_prompts_are_numbered_through_and_counted_together(host: JanHost) -> None:
    prompts = ["The sea", "The gulls", "The ships"]
    request = CompletionRequest(model="poem", prompt=[*prompts], n=2, max_tokens=4, temperature=0.0)
    together = await collect(host.complete(request))
    texts = ["".join(delta.text for delta in together if delta.index == index) for index in range(6)]
    alone = []
    tokens = 0
    for prompt in prompts:
        single = msgspec.structs.replace(request, prompt=prompt)
        deltas = await collect(host.complete(single))
        alone += ["".join(delta.text for delta in deltas if delta.index == index) for index in range(2)]
        assert deltas[-1].usage is not None
        tokens += deltas[-1].usage.total_tokens
    assert texts == alone
    assert together[-1].usage is not None
    assert together[-1].usage.total_tokens == tokens
    assert [delta.usage for delta in together[:-1]] == [None] * (len(together) - 1)
    assert sorted(delta.index for delta in together if delta.finish_reason) == [*range(6)]


async def test_one_bad_prompt_ends_the_whole_request_and_leaves_nothing_running(host: JanHost) -> None:
    request = CompletionRequest(model="poem", prompt=[[1], [2**30]], max_tokens=500)
    with pytest.raises(InvalidRequestError):
        await collect(host.complete(request))
    assert host.model("poem").requests == 0


async def test_mixed_prompts_are_refused(host: JanHost) -> None:
    with pytest.raises(ValidationError, match="prompt mixes"):
        host.complete(CompletionRequest(model="poem", prompt=["a", 1]))


async def test_without_a_model_the_only_one_is_meant(root: Path, host: JanHost) -> None:
    assert await collect(host.chat(chat(None, max_tokens=2)))
    write_model(root, "other")
    await host.refresh()
    assert await collect(host.chat(chat(None, max_tokens=2))), "poem is the only running one"
    await host.start("other")
    with pytest.raises(InvalidRequestError, match="other, poem"):
        await collect(host.chat(chat(None)))


async def test_a_model_dropped_a_moment_ago_is_found_by_its_first_request(root: Path, host: JanHost) -> None:
    events = host.subscribe()
    write_model(root, "new")
    assert await collect(host.chat(chat("new", max_tokens=2)))
    assert await anext(events) == LibraryEvent(models=["new"])
    statuses = [await anext(events) for _ in range(2)]
    assert [event.status for event in statuses if isinstance(event, ModelEvent)][:1] == ["starting"]


async def test_what_is_not_there_is_said(host: JanHost) -> None:
    for call in (
        host.start("nobody"),
        host.stop("nobody"),
        host.delete("nobody"),
        host.tokenize("nobody", "x"),
        collect(host.chat(chat("nobody"))),
    ):
        with pytest.raises(ModelNotFoundError, match="nobody"):
            await call


async def test_what_a_model_can_not_do_is_said_with_what_it_can(host: JanHost) -> None:
    with pytest.raises(UnsupportedError, match=r"'poem' can't embed; it can: chat, complete, tokenize"):
        await host.embed(EmbeddingRequest(model="poem", input="x"))


async def test_overrides_of_a_start_are_checked(host: JanHost) -> None:
    with pytest.raises(ValidationError, match="Did you mean 'ctx_len'"):
        await host.start("poem", {"ctx_length": 64})
    with pytest.raises(ValidationError, match="can't be used"):
        await host.start("poem", {"ctx_len": 1})
    assert (await host.start("poem", {"ctx_len": "64"})).status == "running"


async def test_settings_that_no_engine_knows_are_told(root: Path, host: JanHost) -> None:
    write_model(root, "typo", '{"settings": {"ordre": 2}}')
    await host.refresh()
    (warning,) = host.model("typo").warnings
    assert "settings.ordre" in warning
    assert "order" in warning
    assert (await host.start("typo")).status == "running"


async def test_a_broken_model_says_why_and_hides_no_other(root: Path, host: JanHost) -> None:
    write_model(root, "torn", '{"id": [1, 2')
    await host.refresh()
    info = {info.id: info for info in host.models()}
    assert info["torn"].status == "broken"
    assert info["torn"].status_reason
    assert info["poem"].status == "downloaded"
    with pytest.raises(ModelBrokenError, match="torn"):
        await host.start("torn")


async def test_a_slash_in_front_of_an_id_is_no_part_of_it(host: JanHost) -> None:
    assert await host.tokenize("/poem", "sea") == await host.tokenize("poem", "sea")


async def test_tokens_and_text(host: JanHost) -> None:
    tokens = await host.tokenize("poem", "The sea is wide")
    assert await host.detokenize("poem", tokens) == "The sea is wide"


async def test_stop_frees_and_the_next_request_starts_again(host: JanHost) -> None:
    await host.start("poem")
    assert (await host.stop("poem")).status == "downloaded"
    assert await collect(host.chat(chat(max_tokens=2)))


async def test_delete_stops_the_model_and_removes_its_files(root: Path, host: JanHost) -> None:
    await host.start("poem")
    await host.delete("poem")
    assert not (root / "models" / "poem").exists()
    assert host.models() == []
    with pytest.raises(ModelNotFoundError):
        host.model("poem")


async def test_a_running_model_whose_files_vanish_is_stopped(root: Path, host: JanHost) -> None:
    await host.start("poem")
    happening = host.subscribe()
    (root / "models" / "poem").rename(root / "elsewhere")
    await host.refresh()
    async for event in happening:
        if isinstance(event, ModelEvent) and event.status is ModelStatus.DOWNLOADED:
            break
    assert host.runtime.running() == []


async def test_closing_a_generation_cancels_it(host: JanHost) -> None:
    deltas = host.chat(chat(max_tokens=4000, ignore_eos=True))
    await anext(deltas)
    assert host.model("poem").requests == 1
    await deltas.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert host.model("poem").requests == 0


async def test_a_host_that_shuts_down_takes_no_work(host: JanHost) -> None:
    host.begin_drain()
    with pytest.raises(UnavailableError, match="shutting down"):
        await collect(host.chat(chat()))
    with pytest.raises(UnavailableError):
        await host.start("poem")


async def test_an_origin_that_no_importer_knows(host: JanHost) -> None:
    with pytest.raises(OriginNotFoundError, match="No importer recognises"):
        await host.plan(PullRequest(origin="gopher://nowhere"))


async def test_a_misspelt_importer_is_named_rightly(host: JanHost) -> None:
    with pytest.raises(OriginNotFoundError, match="Did you mean textfile:poem"):
        await host.plan(PullRequest(origin="textfiel:poem"))


async def test_a_pull_of_a_text_becomes_a_model(tmp_path: Path, host: JanHost) -> None:
    text = tmp_path / "winter.txt"
    text.write_text("Snow on the roofs. Snow on the roads.")
    events = (event async for event in host.subscribe() if isinstance(event, LibraryEvent))
    download = await host.pull(PullRequest(origin=f"textfile:{text}"))
    assert (await host.downloads.wait(download.id)).status == "done"
    info = host.model(download.model)
    assert (info.status, info.engine, info.import_format) == ("downloaded", "example-ngram", "textfile")
    assert await collect(host.chat(chat(info.id, max_tokens=2)))
    assert await anext(events) == LibraryEvent(models=[info.id])
    with pytest.raises(ConflictError, match="already"):
        await host.pull(PullRequest(origin=f"textfile:{text}"))
    await host.delete(info.id)
    assert text.exists()


async def test_everyone_who_starts_at_once_shares_one_start(host: JanHost) -> None:
    answers = await asyncio.gather(*(collect(host.chat(chat(max_tokens=2))) for _ in range(5)))
    assert len({"".join(delta.text for delta in answer) for answer in answers}) == 1
