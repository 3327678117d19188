"""Schemas as pydantic and zod emit them: what is written under them is what they describe."""

import json
from contextlib import suppress
from typing import Any

import jsonschema
import pytest
from jan_host import InvalidRequestError
from jan_host.kit.structure import Form, Grammars

from tests.core.kit.structure.writing import write

pytestmark = pytest.mark.asyncio(loop_scope="session")

EMITTED: dict[str, dict[str, Any]] = {
    "z.record(z.string(), z.boolean())": {
        "type": "object",
        "propertyNames": {"type": "string"},
        "additionalProperties": {"type": "boolean"},
        "maxProperties": 1,
    },
    'z.record(z.enum(["a", "b"]), z.boolean())': {
        "type": "object",
        "propertyNames": {"type": "string", "enum": ["a", "b"]},
        "additionalProperties": {"type": "boolean"},
        "required": ["a", "b"],
    },
    "dict[Color, bool]": {
        "$defs": {"Color": {"enum": ["red", "blue"], "title": "Color", "type": "string"}},
        "type": "object",
        "propertyNames": {"$ref": "#/$defs/Color"},
        "additionalProperties": {"type": "boolean"},
        "minProperties": 1,
    },
    'dict[Literal["only"], None]': {
        "type": "object",
        "propertyNames": {"const": "only"},
        "additionalProperties": {"type": "null"},
    },
    "dict[constr(pattern), None]": {
        "type": "object",
        "propertyNames": {"pattern": "^[a-z]{1,2}$"},
        "additionalProperties": {"type": "null"},
        "maxProperties": 1,
    },
    'z.string().startsWith("ab")': {"type": "string", "format": "starts_with", "pattern": "^ab[a-z]{0,3}$"},
    "IPvAnyAddress": {
        "anyOf": [{"type": "string", "format": "ipvanyaddress", "maxLength": 2}, {"type": "null"}]
    },
    "a field that is called format": {
        "type": "object",
        "properties": {"format": {"enum": ["pdf"]}, "propertyNames": {"type": "boolean"}},
        "required": ["format", "propertyNames"],
        "additionalProperties": False,
    },
}
LOOKS_AHEAD = {"type": "string", "pattern": "^(?!no$)[a-z]+$", "maxLength": 4}


@pytest.mark.parametrize("name", EMITTED)
async def test_strict_schemas_are_kept(grammars: Grammars, name: str) -> None:
    schema = EMITTED[name]
    ended = 0
    for seed, constraint in enumerate(
        await grammars.constraints(Form.of_schema(schema, param="schema", exact=True), 8)
    ):
        text, whole = write(constraint, seed)
        if whole:
            jsonschema.validate(json.loads(text), schema)
        ended += whole
    assert ended


async def test_names_that_can_not_be_told_in_other_words_are_refused(grammars: Grammars) -> None:
    more: dict[str, Any]
    for more in ({"properties": {"c": {}}}, {"patternProperties": {"^x": {}}}):
        schema = {"type": "object", "propertyNames": {"enum": ["a", "b"]}, **more}
        with pytest.raises(InvalidRequestError, match="propertyNames"):
            await grammars.constraints(Form.of_schema(schema, param="schema"), 1)


async def test_a_pattern_that_looks_ahead_is_refused_where_all_must_hold_and_else_left_out(
    grammars: Grammars,
) -> None:
    with pytest.raises(InvalidRequestError, match="look-ahead"):
        await grammars.constraints(Form.of_schema(LOOKS_AHEAD, param="schema", exact=True), 1)
    form = Form.of_schema({"type": "array", "items": LOOKS_AHEAD, "maxItems": 1}, param="schema", exact=False)
    (constraint,) = await grammars.constraints(form, 1)
    text, whole = write(constraint, seed=5)

    assert whole
    assert all(len(each) <= 4 for each in json.loads(text))


OPEN = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}
JOINED: dict[str, dict[str, Any]] = {
    "z.intersection": {
        "allOf": [OPEN, {"type": "object", "properties": {"b": {"type": "null"}}, "required": ["b"]}]
    },
    "a name without a schema": {**OPEN, "required": ["a", "b"]},
    "a choice beside properties": {
        **OPEN,
        "anyOf": [{"properties": {"b": {"type": "null"}}, "required": ["b"]}],
    },
}


@pytest.mark.parametrize("exact", [True, False])
async def test_what_a_schema_does_not_name_is_not_written(grammars: Grammars, exact: bool) -> None:
    nested = {"type": "array", "items": {"anyOf": [OPEN, {"type": "null"}]}, "minItems": 1, "maxItems": 2}
    for seed, constraint in enumerate(
        await grammars.constraints(Form.of_schema(nested, param="schema", exact=exact), 8)
    ):
        text, whole = write(constraint, seed)
        assert whole
        assert all(each is None or each.keys() == {"a"} for each in json.loads(text))


@pytest.mark.parametrize("name", JOINED)
async def test_properties_that_stand_elsewhere_are_written(grammars: Grammars, name: str) -> None:
    (constraint,) = await grammars.constraints(Form.of_schema(JOINED[name], param="schema"), 1)
    for byte in b'{"a": true, "b": null':
        assert byte in constraint.allowed().tolist()
        constraint.accept(byte)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": ["a"]},
        {"type": "object", "properties": {"a": {}}, "required": 5},
        {"type": "object", "properties": {"a": {}}, "required": [{}, "a"]},
        {"type": "object", "propertyNames": {"pattern": ["x"]}},
        {"type": "object", "propertyNames": {"enum": [[], {}]}},
        {"type": "object", "propertyNames": {"$ref": "#/$defs/x"}, "$defs": []},
        {"format": [], "pattern": {}, "type": "string"},
    ],
)
async def test_what_is_no_schema_breaks_nothing(grammars: Grammars, schema: dict[str, Any]) -> None:
    for exact in (True, False):
        with suppress(InvalidRequestError):
            await grammars.constraints(Form.of_schema(schema, param="schema", exact=exact), 1)
