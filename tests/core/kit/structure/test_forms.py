"""Texts written at random under a form match it."""

import json
import re
from typing import Any

import jsonschema
import pytest
from jan_host import InvalidRequestError
from jan_host.kit.structure import Form, Grammars, TokenTable

from tests.core.kit.structure.writing import END, START, table, write

IN_ONE_LOOP = pytest.mark.asyncio(loop_scope="session")
"""The compiler that all tests share lives in one loop."""


ADDRESS = {
    "type": "object",
    "properties": {"street": {"type": "string", "maxLength": 8}, "number": {"type": "integer", "minimum": 1}},
    "required": ["street", "number"],
    "additionalProperties": False,
}
SCHEMAS: dict[str, dict[str, Any]] = {
    "object": ADDRESS,
    "nested": {
        "type": "object",
        "properties": {"homes": {"type": "array", "items": {"$ref": "#/$defs/address"}, "maxItems": 2}},
        "required": ["homes"],
        "additionalProperties": False,
        "$defs": {"address": ADDRESS},
    },
    "enum": {"enum": ["red", "green", 3, None, {"a": [1, 2]}]},
    "const": {"const": "only"},
    "pattern": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"},
    "number": {"type": "number", "minimum": -5, "maximum": 5},
    "multiple": {"type": "integer", "multipleOf": 7, "minimum": 0, "maximum": 700},
    "any of": {"anyOf": [{"type": "boolean"}, {"type": "null"}, {"enum": [1, 2]}]},
    "one of": {
        "oneOf": [
            {
                "type": "object",
                "properties": {"kind": {"const": kind}, "value": {"type": of}},
                "required": ["kind", "value"],
                "additionalProperties": False,
            }
            for kind, of in (("flag", "boolean"), ("none", "null"))
        ]
    },
    "tuple": {"type": "array", "prefixItems": [{"type": "boolean"}, {"type": "null"}], "items": False},
    "recursive": {
        "type": "object",
        "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
        "required": ["next"],
        "additionalProperties": False,
    },
    "date": {"type": "string", "format": "date"},
}
REGEXES = [r"[0-9]{3}-[a-z]+", r"(yes|no)!?", r"(?i)abc", r"a/b\n\\", r"\d{1,2}:\d{2}", "é+ü", r"(a+)+b", ""]
GBNF = {
    'root ::= "yes" | "no"': r"yes|no",
    'root ::= [a-z]* "x"': r"[a-z]*x",
    'root ::= word (", " word)*\nword ::= [A-Z] [a-z]+ # a comment': r"[A-Z][a-z]+(, [A-Z][a-z]+)*",
    'root ::= "a"{2} "b"{1,3} "c"{2,} "d"{0,1}': r"aa(b|bb|bbb)c{2,}d?",
    'root ::= [^"\\\\\\x00-\\x1F]+ "\\""': r'[^"\\\x00-\x1f]+"',
    'root ::=\n  "one"\n  | "two"\n  | ( "th"\n "ree" )': r"one|two|three",
    'root ::= "\\u00e9" [\\U0001F600-\\U0001F602] "\\x41\\n\\t\\""': 'é[😀-😂]A\n\t"',
    "root ::= .": r"(?s:.)",
    'root ::= "" | "x"': r"x?",
    'my-rule ::= "b"\nroot ::= my-rule My_Rule\nMy_Rule ::= "a"': r"ba",
    'root ::= ws "x" ws\nws ::= | " " | "\\n" [ \\t]{0,4}': r"( |\n[ \t]{0,4})?x( |\n[ \t]{0,4})?",
}
NUMBERS = 'root ::= sum\nsum ::= term ([-+*/] term)*\nterm ::= [0-9]+ | "(" sum ")"\n'


async def _texts(grammars: Grammars, form: Form, count: int = 6) -> list[str]:
    """The texts, written at random, that came to an end; at least one did."""
    plain = [write(each, seed) for seed, each in enumerate(await grammars.constraints(form, count))]
    quick = [
        write(each, seed) for seed, each in enumerate(await grammars.constraints(form, count, forces=True))
    ]
    ended = [text.decode() for text, complete in (*plain, *quick) if complete]
    assert ended
    return ended


@pytest.mark.parametrize("name", SCHEMAS)
@IN_ONE_LOOP
async def test_json_matches_its_schema(grammars: Grammars, name: str) -> None:
    schema = SCHEMAS[name]
    for text in await _texts(grammars, Form.of_schema(schema, param="x"), 12):
        jsonschema.validate(json.loads(text), schema, cls=jsonschema.Draft202012Validator)


@IN_ONE_LOOP
async def test_json_is_written_on_one_line(grammars: Grammars) -> None:
    for text in await _texts(grammars, Form.of_schema({"const": {"a": 1, "b": [1, 2]}}, param="x")):
        assert text == '{"a": 1, "b": [1, 2]}'


@pytest.mark.parametrize("pattern", REGEXES)
@IN_ONE_LOOP
async def test_text_matches_its_regular_expression(grammars: Grammars, pattern: str) -> None:
    for text in await _texts(grammars, Form.of_regex(pattern, param="x")):
        assert re.fullmatch(pattern, text)


@pytest.mark.parametrize("grammar", GBNF)
@IN_ONE_LOOP
async def test_text_matches_its_gbnf_grammar(grammars: Grammars, grammar: str) -> None:
    for text in await _texts(grammars, Form.of_grammar(grammar, param="x")):
        assert re.fullmatch(GBNF[grammar], text), text


@IN_ONE_LOOP
async def test_a_recursive_gbnf_grammar_writes_what_it_means(grammars: Grammars) -> None:
    for text in await _texts(grammars, Form.of_grammar(NUMBERS, param="x"), 12):
        inner = text
        while (shorter := re.sub(r"\(\d+([-+*/]\d+)*\)", "1", inner)) != inner:
            inner = shorter
        assert re.fullmatch(r"\d+([-+*/]\d+)*", inner), text


@IN_ONE_LOOP
async def test_text_matches_its_lark_grammar(grammars: Grammars) -> None:
    lark = 'start: "<" NAME ">" %json {"type": "boolean"}\nNAME: /[a-z]{1,5}/\n'
    for text in await _texts(grammars, Form.of_grammar(lark, param="x")):
        assert re.fullmatch(r"<[a-z]{1,5}>(true|false)", text)


@IN_ONE_LOOP
async def test_a_lark_grammar_may_name_control_tokens_and_no_text_matches_them(grammars: Grammars) -> None:
    (named,) = await grammars.constraints(Form.of_grammar('start: <|start|> "x"', param="x"), 1)
    (anything,) = await grammars.constraints(Form.of_regex(r"(?s:.)*", param="x"), 1)

    assert named.allowed().tolist() == [START]
    assert START not in anything.allowed()
    assert END in anything.allowed()


@IN_ONE_LOOP
async def test_the_end_is_allowed_where_the_text_is_whole_and_alone_where_it_must(grammars: Grammars) -> None:
    (word,) = await grammars.constraints(Form.of_regex("a{1,2}", param="x"), 1)
    assert word.allowed().tolist() == [ord("a")]
    word.accept(ord("a"))
    assert word.allowed().tolist() == [ord("a"), END]
    word.accept(END)
    assert word.complete


@IN_ONE_LOOP
async def test_what_can_come_alone_is_given_at_once(grammars: Grammars) -> None:
    form = Form.of_schema(ADDRESS, param="x")
    (constraint,) = await grammars.constraints(form, 1, forces=True)
    forced = constraint.accept(ord("{"))

    assert bytes(forced).decode().startswith('"street": "')


@IN_ONE_LOOP
async def test_forced_text_has_its_own_bytes_whatever_the_tokenizer_adds() -> None:
    grammars = Grammars(table("spaced"))
    form = Form.of_schema({"const": "four words of text"}, param="x")
    try:
        assert set(await _texts(grammars, form)) == {'"four words of text"'}
    finally:
        await grammars.close()


@IN_ONE_LOOP
async def test_a_model_without_an_end_is_told_so() -> None:
    known = table()
    endless = TokenTable(size=known.size, ends=(), special={}, spelled=known.spelled, tokenize=known.tokenize)
    grammars = Grammars(endless)
    try:
        with pytest.raises(InvalidRequestError, match="no token that ends a text"):
            await grammars.constraints(Form.of_regex("a", param="x"), 1)
    finally:
        await grammars.close()


@IN_ONE_LOOP
async def test_what_strict_refuses_is_the_models_affair_otherwise(grammars: Grammars) -> None:
    schema = {"type": "array", "uniqueItems": True, "items": {"type": "boolean"}, "maxItems": 3}
    with pytest.raises(InvalidRequestError, match="uniqueItems"):
        await grammars.constraints(Form.of_schema(schema, param="x"), 1)
    for text in await _texts(grammars, Form.of_schema(schema, param="x", exact=False)):
        assert isinstance(json.loads(text), list)
