"""What an engine's model gets from its base: a small engine shows it, whose model wants to say one text."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any

import pytest
import pytest_asyncio
from jan_host import (
    ChatRequest,
    Chats,
    Completes,
    CompletionRequest,
    ContextLengthExceededError,
    InvalidRequestError,
    StreamOptions,
    Tokenizes,
    UnavailableError,
    UnsupportedError,
)
from jan_host.kit import Segment
from jan_host.kit.generation import Prompt, check_text
from jan_host.kit.generation.asking import MOST_CHARACTERS

from tests.core.kit.generation.parrot import Parrot
from tests.core.kit.tools.templates import CHATML, QWEN25
from tests.core.kit.tools.test_dialogue import CITY, request
from tests.plugins.talking import chat, collect, completion

Make = Callable[..., Parrot]


@pytest_asyncio.fixture
async def make() -> AsyncIterator[Make]:
    """Makes models that say a text."""
    made: list[Parrot] = []

    def one(says: str = "Bonjour.", template: str = CHATML, **options: Any) -> Parrot:
        made.append(Parrot(says, template, **options))
        return made[-1]

    yield one
    for model in made:
        if not model.freed:
            await model.unload()


async def test_it_offers_what_local_models_can_do(make: Make) -> None:
    model = make()

    for capability in (Chats, Completes, Tokenizes):
        assert isinstance(model, capability)


async def test_it_answers_and_counts(make: Make) -> None:
    answer = await collect(make().chat(chat("Hello")))

    assert (answer.text, answer.reason) == ("Bonjour.", "stop")
    assert answer.usage.completion_tokens == len("Bonjour.") + 1
    assert answer.usage.prompt_tokens > len("Hello")


async def test_an_echo_leaves_out_what_nobody_sent(make: Make) -> None:
    model = make()
    text = await collect(model.complete(completion("Say: ", echo=True)))
    ids = await collect(model.complete(completion(list(b"Say: "), echo=True)))

    assert text.text == ids.text == "Say: Bonjour."


async def test_no_tokens_are_asked_for(make: Make) -> None:
    answer = await collect(make().complete(completion("Say", echo=True, max_tokens=0)))

    assert (answer.text, answer.reason, answer.usage.completion_tokens) == ("Say", "length", 0)


async def test_the_model_s_own_limit_gives_way_where_the_context_ends(make: Make) -> None:
    model = make("x" * 100, context_length=20, default_limit=40)
    answer = await collect(model.complete(completion("123456789", max_tokens=None)))

    assert answer.usage.total_tokens == 20
    with pytest.raises(ContextLengthExceededError, match=r"20 tokens.*40 tokens"):
        await collect(model.complete(completion("123456789", max_tokens=30)))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"best_of": 3}, UnsupportedError),
        ({"logit_bias": {"900": 1}}, InvalidRequestError),
        ({"stop_token_ids": [900]}, InvalidRequestError),
        ({"samplers": ["dice"]}, InvalidRequestError),
        ({"regex": "["}, InvalidRequestError),
    ],
)
@pytest.mark.parametrize("limit", [16, 0])
async def test_what_cannot_be_is_refused(
    make: Make, options: dict[str, Any], error: type[Exception], limit: int
) -> None:
    with pytest.raises(error):
        await collect(make().complete(completion("Say", max_tokens=limit, **options)))


async def test_a_text_is_held_to_its_form(make: Make) -> None:
    answer = await collect(make("Bonjour.").complete(completion("Say", regex="Bon[a-h]{2}")))

    assert answer.text.startswith("Bon")
    assert set(answer.text[3:]) <= set("abcdefgh")


async def test_a_broken_call_is_never_finished_as_it_was_wanted(make: Make) -> None:
    model = make('Look.\n<tool_call>\n{"name": "get_weather", "arguments": {"town": broken', QWEN25)
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": CITY, "strict": True}}
    answer = await collect(model.chat(request(tools=[tool], max_tokens=120)))

    functions = [call.function for delta in answer.deltas for call in delta.tool_calls if call.function]
    arguments = json.loads("".join(each.arguments or "" for each in functions))
    assert answer.reason == "tool_calls"
    assert functions[0].name == "get_weather"
    assert set(arguments) == {"city"}
    assert answer.text.strip().startswith("Look.")


async def test_a_call_in_a_thought_is_none(make: Make) -> None:
    says = "<think>I might write <tool_call> {x}.</think>No."
    answer = await collect(make(says, QWEN25 + "{# <think></think> #}").chat(request(max_tokens=120)))

    assert (answer.text, answer.reason) == ("No.", "stop")
    assert "".join(delta.reasoning for delta in answer.deltas) == "I might write <tool_call> {x}."


async def test_a_closed_answer_makes_room(make: Make) -> None:
    model = make("x" * 400, max_queue=0)
    for _ in range(6):
        async with aclosing(model.chat(chat(max_tokens=300))) as deltas:  # type: ignore[type-var]  # a generator
            await anext(deltas)

    assert (await collect(model.chat(chat(max_tokens=3)))).text == "xxx"


async def test_text_and_ids_are_inverse(make: Make) -> None:
    model = make()

    assert await model.detokenize(await model.tokenize("<|end|> é")) == "<|end|> é"
    with pytest.raises(InvalidRequestError, match="900"):
        await model.detokenize([900])


async def test_after_the_end_it_says_so(make: Make) -> None:
    model = make()
    await model.unload()

    assert model.freed
    with pytest.raises(UnavailableError):
        await collect(model.chat(chat()))


async def test_a_system_prompt_of_the_settings_is_told(make: Make) -> None:
    plain = await collect(make().chat(ChatRequest(messages=chat("Hi").messages)))
    told = await collect(make(system_prompt="Speak French.").chat(ChatRequest(messages=chat("Hi").messages)))

    assert told.usage.prompt_tokens > plain.usage.prompt_tokens + len("Speak French.")


async def test_a_text_ends_at_a_token_that_the_request_names(make: Make) -> None:
    ends = [ord("z"), ord("o")]
    answer = await collect(make().complete(completion("Say", stop_token_ids=ends)))
    later = await collect(make().complete(completion("Say", stop_token_ids=ends, min_tokens=3)))

    assert (answer.text, answer.reason) == ("B", "stop")
    assert (later.text, later.reason) == ('B"nj', "stop")


async def test_a_text_ends_with_its_stop_string_on_demand(make: Make) -> None:
    options = {"stop": ["our", "xyz"], "include_stop_str_in_output": True}
    text = await collect(make().complete(completion("Say", **options)))
    said = await collect(make(template=QWEN25).chat(request(**options, max_tokens=20)))

    assert (text.text, text.reason) == ("Bonjour", "stop")
    assert (said.text, said.reason) == ("Bonjour", "stop")


async def test_usage_is_told_all_along_on_demand(make: Make) -> None:
    told = StreamOptions(include_usage=True, continuous_usage_stats=True)
    asked = completion("Say", n=2, echo=True, stream=True, stream_options=told)
    answer = await collect(make().complete(asked))

    counts = [delta.usage.completion_tokens for delta in answer.deltas if delta.usage]
    assert len(counts) == len(answer.deltas)
    assert (counts[0], counts[-1]) == (0, 2 * (len("Bonjour.") + 1))
    assert counts == sorted(counts)


async def test_a_text_that_is_far_too_long_is_refused_before_it_is_read(make: Make) -> None:
    class Unread(Parrot):
        def conversation_prompt(self, segments: Sequence[Segment]) -> Prompt:
            raise AssertionError("it was read")

        def completion_prompt(self, request: CompletionRequest) -> Prompt:
            raise AssertionError("it was read")

    model = Unread("Bonjour.", CHATML, context_length=100)
    for asked in (model.chat(chat("a" * 2000)), model.complete(completion("a" * 2000))):
        with pytest.raises(ContextLengthExceededError, match=r"is 100 tokens.* 2\d\d\d char.* 2\d\d tokens"):
            await collect(asked)
    await model.unload()


async def test_a_text_that_may_fit_is_read(make: Make) -> None:
    with pytest.raises(ContextLengthExceededError, match="requested 1502 tokens"):
        await collect(make(context_length=100).complete(completion("a" * 1500, max_tokens=1)))


def test_a_text_of_many_megabytes_is_not_turned_into_tokens() -> None:
    check_text("a" * MOST_CHARACTERS)
    with pytest.raises(InvalidRequestError, match=f"{MOST_CHARACTERS + 1} characters"):
        check_text("a" * (MOST_CHARACTERS + 1))
