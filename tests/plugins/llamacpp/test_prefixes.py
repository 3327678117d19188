"""What was computed once is not computed again, and answers are the same as if it had been."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from jan_host_llamacpp.model import LlamaCppModel

from tests.plugins.llamacpp.talking import Answer, collect, completion, load
from tests.plugins.llamacpp.tiny import WINDOW, write_recurrent, write_windowed

pytestmark = pytest.mark.asyncio(loop_scope="session")

LAYOUTS = ("streams", "unified")
_FACTS = "France: Paris. Italy: Rome. Spain: Madrid. Egypt: Cairo. Norway: Oslo. Japan: Tokyo. Peru: Lima."
SHARED = f"Each country and its capital. {_FACTS} Once more, each country and its capital. {_FACTS}"
"""What follows is plain to see: rounding, which depends on what is computed together, decides nothing."""
ENDS = (" And again. France:", " And again. Italy:", " And again. Spain:")
OTHER = "One, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve."


@pytest.fixture(params=["smollm2", "gemma3"])
def real(request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(request.param)
    return path


@asynccontextmanager
async def loaded(path: Path, **settings: Any) -> AsyncIterator[LlamaCppModel]:
    model = await load(path, **settings)
    try:
        yield model
    finally:
        await model.unload()


async def ask(model: LlamaCppModel, prompt: str | list[int], **options: Any) -> Answer:
    return await collect(
        model.complete(completion(prompt, **{"max_tokens": 8, "ignore_eos": True, **options}))
    )


def cached(answer: Answer) -> int:
    assert answer.usage.prompt_tokens_details is not None
    return answer.usage.prompt_tokens_details.cached_tokens


async def uncached(path: Path, prompts: Sequence[str | list[int]], **settings: Any) -> list[str]:
    """The answers when each prompt is computed whole."""
    texts = []
    async with loaded(path, **{**settings, "n_parallel": 1, "prefix_cache_bytes": 0}) as model:
        for prompt in prompts:
            await ask(model, OTHER, max_tokens=1)
            answer = await ask(model, prompt)
            assert cached(answer) <= 1, "no more than the token that begins every text"
            texts.append(answer.text)
    return texts


async def test_a_request_can_have_all_of_its_prompt_computed(smollm2: Path) -> None:
    async with loaded(smollm2) as model:
        first = await ask(model, SHARED)
        anew = await ask(model, SHARED, cache_prompt=False, n=2)
        again = await ask(model, SHARED, cache_prompt=True)

    assert (cached(first), cached(anew)) == (0, 0)
    assert anew.timings.prompt_n < 2 * anew.usage.prompt_tokens, "the second choice takes over from the first"
    assert cached(again) > 0
    assert first.text == anew.text == again.text


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_answers_are_the_same_with_and_without_a_cached_beginning(real: Path, layout: str) -> None:
    prompts = [SHARED + end for end in ENDS]
    alone = await uncached(real, prompts, kv_layout=layout)
    async with loaded(real, kv_layout=layout, n_parallel=3) as model:
        together = await asyncio.gather(*(ask(model, prompt) for prompt in prompts))
        again = [await ask(model, prompt) for prompt in reversed(prompts)][::-1]
        longer = [
            await ask(model, prompt + text[: len(text) // 2])
            for prompt, text in zip(prompts, alone, strict=True)
        ]

    assert [answer.text for answer in together] == alone
    assert [answer.text for answer in again] == alone
    size = together[0].usage.prompt_tokens
    assert sorted(cached(answer) > size // 2 for answer in together) == [False, True, True]
    assert all(cached(answer) == answer.usage.prompt_tokens - 1 for answer in again)
    assert all(cached(answer) > size // 2 for answer in longer)


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_what_makes_room_comes_back_from_ram(real: Path, layout: str) -> None:
    prompts = [f"{book}: {SHARED} And again. France:" for book in ("Atlas", "Globe", "Map")]
    alone = await uncached(real, prompts, kv_layout=layout)
    async with loaded(real, kv_layout=layout, n_parallel=1, prefix_cache_bytes="64MB") as model:
        first = [await ask(model, prompt) for prompt in prompts]
        again = [await ask(model, prompt) for prompt in prompts]

    assert [answer.text for answer in first] == alone
    assert [answer.text for answer in again] == alone
    assert all(cached(answer) <= 1 for answer in first)
    assert all(cached(answer) == answer.usage.prompt_tokens - 1 for answer in again)


async def test_without_ram_for_it_a_prefix_is_computed_anew(smollm2: Path) -> None:
    async with loaded(smollm2, n_parallel=1, prefix_cache_bytes=0) as model:
        first = await ask(model, SHARED)
        await ask(model, OTHER)
        again = await ask(model, SHARED)

    assert cached(again) == 0
    assert again.text == first.text


async def test_the_prefix_that_was_used_least_recently_goes_first(smollm2: Path) -> None:
    one, two, three = (f"{number}. {SHARED}" for number in (1, 2, 3))
    async with loaded(smollm2, n_parallel=1, prefix_cache_bytes="2 MiB") as model:
        size = (await ask(model, one, max_tokens=1)).usage.prompt_tokens
        assert 2**21 / 23040 / 2 < size < 2**21 / 23040, "there is RAM for one, and not for two"
        for prompt in (two, three):
            await ask(model, prompt, max_tokens=1)
        kept = await ask(model, two, max_tokens=1)
        lost = await ask(model, one, max_tokens=1)

    assert cached(kept) == size - 1
    assert cached(lost) < size // 2


async def test_conversations_by_turns_over_fewer_sequences_are_not_computed_again(smollm2: Path) -> None:
    texts = [f"User {number} says: {SHARED}" for number in range(4)]
    async with loaded(smollm2, n_parallel=2) as model:
        for _ in range(3):
            answers = await asyncio.gather(*(ask(model, text, max_tokens=8) for text in texts))
            texts = [text + answer.text + " And then?" for text, answer in zip(texts, answers, strict=True)]

    assert all(cached(answer) > answer.usage.prompt_tokens - 8 for answer in answers)


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_a_recurrent_state_is_taken_over_only_where_it_ends(tmp_path: Path, layout: str) -> None:
    path = write_recurrent(tmp_path / "recurrent.gguf")
    prompt = [3 + index * 7 % 250 for index in range(300)]
    longer, shorter = [*prompt, 77, 78], [*prompt[:200], 9]
    on, cut = await uncached(path, [longer, shorter], kv_layout=layout)
    async with loaded(path, kv_layout=layout, n_parallel=1) as model:
        await ask(model, prompt, max_tokens=1)
        gone_on = await ask(model, longer)
        back = await ask(model, shorter)
        await ask(model, prompt, max_tokens=1)
        await ask(model, OTHER)
        from_ram = await ask(model, longer)

    assert (gone_on.text, cached(gone_on)) == (on, 300)
    assert (back.text, cached(back)) == (cut, 0), "the state can't be turned back"
    assert (from_ram.text, cached(from_ram)) == (on, 300)


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_choices_of_a_recurrent_model_share_one_reading(tmp_path: Path, layout: str) -> None:
    path = write_recurrent(tmp_path / "recurrent.gguf")
    prompt = [3 + index * 7 % 250 for index in range(300)]
    (alone,) = await uncached(path, [prompt], kv_layout=layout)
    async with loaded(path, kv_layout=layout, n_parallel=3) as model:
        answer = await ask(model, prompt, n=3)

    assert set(answer.texts.values()) == {alone}
    assert answer.timings.prompt_n == 302


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_behind_a_sliding_window_nothing_is_taken_over(tmp_path: Path, layout: str) -> None:
    path = write_windowed(tmp_path / "windowed.gguf")
    prompt = [3 + index * 7 % 250 for index in range(450)]
    shorter, near = [*prompt[:120], 9], [*prompt[:-1], 9]
    settings = {"kv_layout": layout, "swa_full": False, "n_ubatch": 32}
    cut, end = await uncached(path, [shorter, near], **settings)
    async with loaded(path, n_parallel=1, **settings) as model:
        await ask(model, prompt)
        back = await ask(model, shorter)
        await ask(model, prompt, max_tokens=1)
        beside = await ask(model, near)

    assert (back.text, cached(back)) == (cut, 0), f"the {WINDOW} tokens before the cut are gone"
    assert (beside.text, cached(beside)) == (end, 449)
