"""Schemas as pydantic and zod emit them: what is written under them is what they describe."""

import json
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
