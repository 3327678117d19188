"""Structured output as OpenAI's client asks for it, over both local engines."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jsonschema
import openai
import pydantic
import pytest

from tests.plugins.structured.conftest import ENGINES, Served
from tests.plugins.structured.forms import GRAMMARS, PERSON, SCHEMAS, json_schema

MESSAGES: Any = [{"role": "user", "content": "Describe a person as JSON."}]
HOSTILE: list[dict[str, Any]] = [
    {"grammar": "root ::= " + "(" * 20_000 + '"a"' + ")" * 20_000},
    {"grammar": "start: " + "(" * 20_000 + '"a"' + ")" * 20_000},
    {"grammar": "start: a0\n" + "\n".join(f'a{n}: a{n + 1} "x"' for n in range(8000)) + '\na8000: "x"'},
    {"regex": "(" * 20_000},
    {"regex": "a{1000000000}"},
    {"response_format": json_schema({"type": "integer", "multipleOf": 99999989})},
    {"response_format": json_schema({"$ref": "#"})},
    {"response_format": json_schema({"type": "array", "items": {"type": "null"}, "minItems": 10**9})},
    {"response_format": json_schema({"type": 5})},
    {"response_format": json_schema({"properties": {"a": {"not": {}}}})},
]


class Address(pydantic.BaseModel):
    street: str = pydantic.Field(max_length=16)
    number: int = pydantic.Field(ge=1, le=999)


class Person(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=16)
    address: Address
    likes: list[bool] = pydantic.Field(max_length=2)


def _create(served: Served, engine: str, **options: Any) -> Any:
    given = {"max_tokens": 160, "temperature": 1.0, **options}
    return served.client.chat.completions.create(model=engine, messages=MESSAGES, **given)


def _streamed(served: Served, engine: str, **options: Any) -> tuple[str, str | None]:
    text, reason = "", None
    for chunk in _create(served, engine, stream=True, **options):
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reason = choice.finish_reason or reason
    return text, reason


@pytest.mark.parametrize("engine", ENGINES)
def test_parse_gives_the_clients_own_type(served: Served, engine: str) -> None:
    for seed in range(3):
        parsed = served.client.chat.completions.parse(
            model=engine,
            messages=MESSAGES,
            response_format=Person,
            max_tokens=160,
            temperature=1.0,
            seed=seed,
        )
        assert isinstance(parsed.choices[0].message.parsed, Person)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", SCHEMAS)
def test_a_stream_put_together_is_the_plain_answer_and_validates(
    served: Served, engine: str, name: str
) -> None:
    for seed in range(2):
        options = {"response_format": json_schema(SCHEMAS[name]), "seed": seed}
        plain = _create(served, engine, **options).choices[0]
        text, reason = _streamed(served, engine, **options)

        assert (text, reason) == (plain.message.content, plain.finish_reason) == (text, "stop")
        jsonschema.validate(json.loads(text), SCHEMAS[name], cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("engine", ENGINES)
def test_json_object_regex_and_grammar_over_http(served: Served, engine: str) -> None:
    text, _ = _streamed(served, engine, response_format={"type": "json_object"}, max_tokens=24)
    assert text.startswith("{")

    pattern = "[0-9]{4}-[a-z]{3}"
    assert re.fullmatch(pattern, _streamed(served, engine, extra_body={"regex": pattern})[0])
    for grammar, expected in GRAMMARS.items():
        done = served.client.completions.create(
            model=engine, prompt="Say:", max_tokens=40, n=2, extra_body={"grammar": grammar}
        )
        assert all(expected.fullmatch(choice.text) for choice in done.choices)


@pytest.mark.parametrize("engine", ENGINES)
def test_hostile_forms_are_refused_and_the_worker_lives_and_works_on(served: Served, engine: str) -> None:
    _create(served, engine, max_tokens=1)
    workers = served.workers()
    with ThreadPoolExecutor(1) as beside:
        stream = beside.submit(_streamed, served, engine, response_format=json_schema(PERSON))
        for options in HOSTILE:
            body = {key: value for key, value in options.items() if key != "response_format"}
            named = {key: value for key, value in options.items() if key == "response_format"}
            with pytest.raises(openai.BadRequestError) as caught:
                _create(served, engine, **named, extra_body=body)
            assert caught.value.param == ("response_format.json_schema.schema" if named else next(iter(body)))
        jsonschema.validate(json.loads(stream.result()[0]), PERSON)

    assert served.workers() == workers
    assert _create(served, engine, extra_body={"regex": "ok"}).choices[0].message.content == "ok"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_schema_that_is_refused_says_where(served: Served, engine: str) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"not": {}}}}}
    with pytest.raises(openai.BadRequestError, match="schema at /properties/a/items can't be used"):
        _create(served, engine, response_format=json_schema(schema))
