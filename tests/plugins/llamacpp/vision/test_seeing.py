"""A tiny model tells the colours of images, through llama.cpp's own library."""

import asyncio
from pathlib import Path

import pytest
from jan_host import (
    ContextLengthExceededError,
    InvalidRequestError,
    Sees,
    UnsupportedError,
    capabilities_of,
)
from jan_host_llamacpp.vision.model import SeeingModel

from tests.pictures import bmp, gif, png, url
from tests.plugins.llamacpp.vision.eyes import COLOURS, IMAGE_TOKENS, NOTHING
from tests.plugins.llamacpp.vision.seeing import PICTURES, ask, load, user
from tests.plugins.talking import Answer, collect

pytestmark = pytest.mark.asyncio(loop_scope="session")


def _cached(answer: Answer) -> int:
    details = answer.usage.prompt_tokens_details
    assert details is not None
    return details.cached_tokens


@pytest.mark.parametrize("colour", COLOURS)
async def test_the_answer_is_what_the_image_shows(model: SeeingModel, colour: str) -> None:
    answer = await collect(model.chat(ask("What colour is this? ", colour)))
    assert (answer.text, answer.reason) == (colour, "stop")


async def test_without_an_image_nothing_is_seen(model: SeeingModel) -> None:
    assert (await collect(model.chat(ask("What colour is this?")))).text == NOTHING


@pytest.mark.parametrize(
    ("data", "media_type"), [(bmp(PICTURES["green"]), "image/bmp"), (gif(PICTURES["green"]), "image/gif")]
)
async def test_other_formats_are_seen_as_well(model: SeeingModel, data: bytes, media_type: str) -> None:
    assert (await collect(model.chat(ask("Look: ", url(data, media_type))))).text == "green"


async def test_several_images_count_together(model: SeeingModel) -> None:
    mostly_blue = await collect(model.chat(ask("blue", " and ", "red", " and ", "blue")))
    mostly_red = await collect(model.chat(ask("red", "red", "blue")))
    assert (mostly_blue.text, mostly_red.text) == ("blue", "red")


async def test_images_of_earlier_turns_are_still_there(model: SeeingModel) -> None:
    request = ask("green", " Look.")
    request.messages += [user("And now?")]
    assert (await collect(model.chat(request))).text == "green"


async def test_an_image_counts_in_the_prompt(model: SeeingModel) -> None:
    without = (await collect(model.chat(ask("Look: ", "")))).usage.prompt_tokens
    answer = await collect(model.chat(ask("Look: ", "red")))
    assert answer.usage.prompt_tokens == without + IMAGE_TOKENS
    assert answer.timings.prompt_n + answer.timings.cache_n == answer.usage.prompt_tokens
    assert await model.image_tokens(url(png())) == IMAGE_TOKENS


async def test_it_says_that_it_sees(model: SeeingModel) -> None:
    assert isinstance(model, Sees)
    assert capabilities_of(model) == ["chat", "complete", "tokenize", "vision"]


async def test_more_than_the_context_is_refused_with_both_numbers(model: SeeingModel) -> None:
    with pytest.raises(ContextLengthExceededError, match="maximum context length is 512 tokens") as caught:
        await collect(model.chat(ask(*["red"] * 33)))
    assert "the images alone take 512 or more" in caught.value.message
    with pytest.raises(ContextLengthExceededError, match="512 tokens"):
        await collect(model.chat(ask(*["red"] * 31, "some more words")))


async def test_streams_go_on_while_images_are_read(model: SeeingModel) -> None:
    requests = [ask("What? ", colour) for colour in COLOURS * 4] + [ask("Nothing")] * 4
    answers = await asyncio.gather(*(collect(model.chat(request)) for request in requests))
    assert [answer.text for answer in answers] == [*COLOURS * 4, *[NOTHING] * 4]


async def test_several_choices_see_the_same(model: SeeingModel) -> None:
    answer = await collect(model.chat(ask("What? ", "blue", n=3)))
    assert answer.texts == dict.fromkeys(range(3), "blue")


async def test_penalties_look_past_images(model: SeeingModel) -> None:
    options = {"temperature": 1.0, "top_k": 1, "repeat_penalty": 1.1, "presence_penalty": 0.1}
    answer = await collect(model.chat(ask("What? ", "blue", **options, dry_multiplier=0.8, seed=1)))
    assert answer.text == "blue"


async def test_the_same_beginning_is_shared_and_another_image_is_not(eyes: Path) -> None:
    loaded = await load(eyes, n_parallel=1)
    assert isinstance(loaded, SeeingModel)
    text = "A-beginning-that-is-the-same-for-all"
    first = await collect(loaded.chat(ask(text, "red", "What-is-this?")))
    again = await collect(loaded.chat(ask(text, "red", "What-is-that?")))
    other = await collect(loaded.chat(ask(text, "blue", "What-is-that?")))
    await loaded.unload()

    before = 2 + len(text)  # <s> and <|user|>, then a token for each byte
    assert [first.text, again.text, other.text] == ["red", "red", "blue"]
    assert _cached(again) == before + IMAGE_TOKENS + len("What-is-th")
    assert _cached(other) == before


@pytest.mark.parametrize("layout", ["streams", "unified"])
async def test_cached_and_computed_answers_are_the_same(eyes: Path, layout: str) -> None:
    loaded = await load(eyes, kv_layout=layout, n_parallel=2)
    assert isinstance(loaded, SeeingModel)
    for colours in (("red",), ("red", "blue", "blue"), ("red", "blue", "green", "green", "green")):
        request = ask(*colours, " Which?", logprobs=True, top_logprobs=3)
        answers = [await collect(loaded.chat(request)) for _ in range(2)]
        tokens = [[each.logprob for delta in answer.deltas for each in delta.logprobs] for answer in answers]
        assert answers[0].text == answers[1].text == colours[-1]
        assert tokens[0] == pytest.approx(tokens[1], abs=1e-3)
    await loaded.unload()


async def test_small_batches_compute_an_image_in_parts(eyes: Path) -> None:
    loaded = await load(eyes, n_batch=5, n_ubatch=5)
    assert isinstance(loaded, SeeingModel)
    assert (await collect(loaded.chat(ask("What? ", "green", "green", " Which?")))).text == "green"
    await loaded.unload()


async def test_the_model_embeds_and_sees(eyes: Path) -> None:
    loaded = await load(eyes, embedding=True)
    assert capabilities_of(loaded) == ["chat", "complete", "embed", "tokenize", "vision"]
    assert isinstance(loaded, SeeingModel)
    assert (await collect(loaded.chat(ask("red")))).text == "red"
    await loaded.unload()


async def test_a_conversation_that_goes_away_leaves_nothing_behind(model: SeeingModel) -> None:
    async def start(colour: str) -> None:
        async for _ in model.chat(ask(colour, max_tokens=400, ignore_eos=True)):
            return

    await asyncio.wait_for(asyncio.gather(*(start(colour) for colour in COLOURS * 8)), 60)
    tasks = [asyncio.create_task(collect(model.chat(ask("red", f" {number}")))) for number in range(12)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (await collect(model.chat(ask("green")))).text == "green"


async def test_text_models_say_that_they_read_text_only(eyes: Path) -> None:
    loaded = await load(eyes, vision_model=False)
    assert not isinstance(loaded, Sees)
    with pytest.raises(UnsupportedError, match="reads text only"):
        await collect(loaded.chat(ask("red")))  # type: ignore[attr-defined]  # it chats
    await loaded.unload()


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 200), (200, 1), (3, 599), (2000, 1500), (17, 16)])
async def test_any_size_and_shape_goes(model: SeeingModel, width: int, height: int) -> None:
    picture = url(png(PICTURES["red"], width, height))
    assert (await collect(model.chat(ask("What? ", picture)))).text in ("red", NOTHING)


async def test_a_stripe_is_refused(model: SeeingModel) -> None:
    with pytest.raises(InvalidRequestError, match="one side may be 200 times the other"):
        await collect(model.chat(ask(url(png(width=1, height=201)))))
