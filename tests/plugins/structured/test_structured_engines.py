"""Texts of a real model are what they are held to, in both local engines, whatever else is asked for."""

import asyncio
import json
import re
from typing import Any

import jsonschema
import msgspec
import pytest
from jan_host import ChatRequest, Chats, InvalidRequestError, JanHostError

from tests.plugins.structured.forms import GRAMMARS, PERSON, REGEXES, SCHEMAS, json_schema
from tests.plugins.talking import Answer, collect

pytestmark = pytest.mark.asyncio(loop_scope="session")

EXPLODING = "start: /[a-z]{90}!/ /((a{100}){100}){100}/"


def _ask(model: Chats, **options: Any) -> Any:
    messages = [{"role": "user", "content": "Describe a person as JSON."}]
    given = {"messages": messages, "max_tokens": 120, "temperature": 1.0, "seed": 1, **options}
    return collect(model.chat(msgspec.convert(given, ChatRequest)))


async def _answer(model: Chats, **options: Any) -> Answer:
    answer: Answer = await _ask(model, **options)
    return answer


@pytest.mark.parametrize("name", SCHEMAS)
async def test_every_answer_validates_by_its_schema(model: Chats, name: str) -> None:
    schema = SCHEMAS[name]
    answer = await _answer(model, response_format=json_schema(schema), n=4)

    assert set(answer.reasons.values()) == {"stop"}
    for text in answer.texts.values():
        jsonschema.validate(json.loads(text), schema, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("pattern", REGEXES)
async def test_an_answer_matches_its_regular_expression(model: Chats, pattern: str) -> None:
    answer = await _answer(model, regex=pattern, n=3)

    assert set(answer.reasons.values()) == {"stop"}
    for text in answer.texts.values():
        assert re.fullmatch(pattern, text), text


@pytest.mark.parametrize("grammar", GRAMMARS)
async def test_an_answer_matches_its_grammar(model: Chats, grammar: str) -> None:
    answer = await _answer(model, grammar=grammar, n=3)

    assert set(answer.reasons.values()) == {"stop"}
    for text in answer.texts.values():
        assert GRAMMARS[grammar].fullmatch(text), text


async def test_json_object_is_an_object(model: Chats) -> None:
    answer = await _answer(model, response_format={"type": "json_object"}, max_tokens=40, temperature=0.0)

    assert answer.text.startswith("{")
    if answer.reason == "stop":
        assert isinstance(json.loads(answer.text), dict)


async def test_greedy_answers_are_held_to_it_too(model: Chats) -> None:
    answer = await _answer(model, response_format=json_schema(PERSON), temperature=0.0)
    again = await _answer(model, response_format=json_schema(PERSON), temperature=0.0)

    jsonschema.validate(json.loads(answer.text), PERSON)
    assert again.text == answer.text


async def test_max_tokens_cuts_it_with_length_and_its_own_end_is_stop(model: Chats) -> None:
    whole = await _answer(model, response_format=json_schema(PERSON), temperature=0.0)
    used = whole.usage.completion_tokens
    for limit in (1, 2, 7, used - 1):
        cut = await _answer(model, response_format=json_schema(PERSON), temperature=0.0, max_tokens=limit)
        assert (cut.reason, cut.usage.completion_tokens) == ("length", limit)
        assert whole.text.startswith(cut.text)
    exact = await _answer(model, response_format=json_schema(PERSON), temperature=0.0, max_tokens=used)
    assert (exact.reason, exact.text) == ("stop", whole.text)


async def test_a_stop_string_ends_it_early(model: Chats) -> None:
    answer = await _answer(model, response_format=json_schema(PERSON), stop=['"age"'])

    assert answer.reason == "stop"
    assert answer.text.endswith(", ")


async def test_seeds_reproduce_it_whatever_else_runs(model: Chats) -> None:
    options = {"response_format": json_schema(PERSON), "seed": 5}
    alone = await _answer(model, **options)
    beside = await asyncio.gather(
        _ask(model, **options), *(_ask(model, seed=n, max_tokens=30) for n in range(3))
    )

    assert beside[0].text == alone.text


async def test_ends_that_are_forbidden_come_when_the_text_is_whole(model: Chats) -> None:
    for options in ({"ignore_eos": True}, {"min_tokens": 100}):
        answer = await _answer(model, response_format=json_schema(PERSON), **options)
        jsonschema.validate(json.loads(answer.text), PERSON)
        assert answer.reason == "stop"


async def test_the_end_waits_for_min_tokens_where_the_text_may_go_on(model: Chats) -> None:
    answer = await _answer(model, regex="x*", min_tokens=5, max_tokens=8)

    assert re.fullmatch("x+", answer.text)
    assert answer.usage.completion_tokens >= 5


@pytest.mark.parametrize(
    "options",
    [
        {"repeat_penalty": 1.5, "frequency_penalty": 1.0},
        {"dry_multiplier": 0.8},
        {"mirostat": 1},
        {"mirostat": 2},
        {"typical_p": 0.5},
        {"top_n_sigma": 1.0},
        {"xtc_probability": 1.0, "xtc_threshold": 0.05},
        {"temperature": 50.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0},
    ],
    ids=lambda options: next(iter(options)),
)
async def test_all_samplers_choose_among_what_is_allowed(model: Chats, options: dict[str, Any]) -> None:
    answer = await _answer(model, response_format=json_schema(PERSON), **options)

    jsonschema.validate(json.loads(answer.text), PERSON)


async def test_log_probabilities_are_told_of_every_token(model: Chats) -> None:
    answer = await _answer(model, response_format=json_schema(PERSON), logprobs=True, top_logprobs=1)
    told = [entry for delta in answer.deltas for entry in delta.logprobs]

    assert "".join(entry.token for entry in told) == answer.text


async def test_a_bias_against_all_that_is_allowed_is_an_error(model: Chats) -> None:
    digits = {str(token): -100 for text in "01" for token in await model.tokenize(text)}  # type: ignore[attr-defined]  # both engines tokenize
    with pytest.raises(InvalidRequestError, match="forbids every token") as caught:
        await _answer(model, regex="[01]{3}", logit_bias=digits)
    assert caught.value.param == "logit_bias"


async def test_what_becomes_too_complex_costs_that_request_alone(model: Chats) -> None:
    results: Any = await asyncio.gather(
        _ask(model, grammar=EXPLODING),
        _ask(model, response_format=json_schema(PERSON)),
        _ask(model, max_tokens=20, temperature=0.0),
        return_exceptions=True,
    )

    assert isinstance(results[0], JanHostError)
    assert "too complex on the way" in results[0].message
    jsonschema.validate(json.loads(results[1].text), PERSON)
    assert results[2].usage.completion_tokens > 0


async def test_cancelling_leaves_the_others_alone(model: Chats) -> None:
    messages = [{"role": "user", "content": "Describe a person as JSON."}]
    given = {"messages": messages, "max_tokens": 120, "response_format": json_schema(PERSON)}
    for steps in (0, 1, 3):
        stream: Any = model.chat(msgspec.convert(given, ChatRequest))
        for _ in range(steps):
            await anext(stream, None)
        await stream.aclose()
    answer = await _answer(model, response_format=json_schema(PERSON))
    jsonschema.validate(json.loads(answer.text), PERSON)
