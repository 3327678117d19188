"""Forms that are wrong, impossible or too much: refused in words, in time, and nothing else suffers."""

import asyncio
from typing import Any

import psutil
import pytest
from jan_host import InvalidRequestError, UnavailableError
from jan_host.kit.structure import Form, Grammars

from tests.core.kit.structure.writing import table, write

pytestmark = pytest.mark.asyncio(loop_scope="session")

_CHAIN = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}, {"const": n}]} for n in range(3000)}


def _nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return schema


REFUSED: dict[str, tuple[str, Any, str]] = {
    "100 levels": ("schema", _nested(100), "100 levels deep"),
    "no type": ("schema", {"type": "foo"}, "foo"),
    "type as a number": ("schema", {"type": 5}, "type must be"),
    "properties as a list": ("schema", {"properties": [1]}, "properties must be"),
    "$ref to nowhere": ("schema", {"$ref": "#/$defs/x"}, "does not exist"),
    "$ref elsewhere": ("schema", {"$ref": "http://127.0.0.1/schema.json"}, "127.0.0.1"),
    "$ref to itself": ("schema", {"$ref": "#"}, "no text matches it"),
    "allOf of itself": ("schema", {"allOf": [{"$ref": "#"}, {"type": "object"}]}, "circular"),
    "a long chain of $ref": ("schema", {"$defs": {**_CHAIN, "a3000": {}}, "$ref": "#/$defs/a0"}, "deeper"),
    "minimum above maximum": ("schema", {"type": "integer", "minimum": 5, "maximum": 1}, "minimum"),
    "minLength above maxLength": ("schema", {"type": "string", "minLength": 5, "maxLength": 2}, "minLength"),
    "minItems of a billion": (
        "schema",
        {"type": "array", "items": {"type": "null"}, "minItems": 10**9},
        "Too many items",
    ),
    "false, demanded": (
        "schema",
        {"type": "object", "properties": {"a": False}, "required": ["a"]},
        "unsatisfiable",
    ),
    "false, in lists": ("schema", {"anyOf": [False, {"not": {}}], "prefixItems": [True]}, "not"),
    "empty enum": ("schema", {"type": "string", "enum": []}, "is empty"),
    "enum of another type": ("schema", {"enum": [1, 2], "type": "string"}, "incompatible"),
    "endless multipleOf": ("schema", {"type": "integer", "multipleOf": 99999989}, "longer to compile"),
    "exploding allOf": (
        "schema",
        {"allOf": [{"anyOf": [{"properties": {f"{c}{n}": {}}} for c in "pq"]} for n in range(25)]},
        "too large",
    ),
    "lookahead": ("schema", {"type": "string", "pattern": "(?=a)b"}, "look-ahead"),
    "broken pattern": ("schema", {"type": "string", "pattern": "(a"}, "unclosed group"),
    "regex: open": ("regex", "(a", "unclosed group"),
    "regex: backreference": ("regex", r"(a)\1", "backreferences"),
    "regex: lone backslash": ("regex", "a\\", "escapes nothing"),
    "regex: 20,000 parentheses": ("regex", "(" * 20_000 + "a" + ")" * 20_000, "nest"),
    "regex: exploding": ("regex", "((a{100}){100}){100}", "too many expressions|longer to compile"),
    "regex: nothing": ("regex", r"[^\x{0}-\x{10FFFF}]", "no text matches"),
    "gbnf: 20,000 parentheses": ("grammar", "root ::= " + "(" * 20_000, "groups inside each other"),
    "gbnf: no root": ("grammar", 'start ::= "a"', 'no rule "root"'),
    "gbnf: unknown rule": ("grammar", "root ::= other", "'other'"),
    "gbnf: open literal": ("grammar", 'root ::= "a', "line 1, column 12"),
    "gbnf: where": ("grammar", "root ::= a\na ::= [z-a]", "line 2, column 11"),
    "gbnf: escape": ("grammar", r'root ::= "\q"', "an escape is"),
    "gbnf: surrogate": ("grammar", r'root ::= "\uD800"', "no such character"),
    "gbnf: count": ("grammar", 'root ::= "a"{1000000}', "100000 at most"),
    "gbnf: reversed count": ("grammar", 'root ::= "a"{3,1}', "smaller to a larger"),
    "gbnf: nothing behind": ("grammar", 'root ::= "a" )', "belongs to no rule"),
    "gbnf: itself": ("grammar", "root ::= root", "no text matches it"),
    "lark: 20,000 parentheses": ("grammar", "start: " + "(" * 20_000 + '"a"' + ")" * 20_000, "nested"),
    "lark: no start": ("grammar", 'a: "x"', "start"),
    "lark: unknown rule": ("grammar", "start: b", "unknown name"),
    "lark: itself": ("grammar", "start: a\na: b\nb: a", "no text matches it"),
    "lark: a deep chain": (
        "grammar",
        "start: a0\n" + "\n".join(f'a{n}: a{n + 1} "x"' for n in range(8000)) + '\na8000: "x"',
        "deeper",
    ),
    "lark: exploding terminal": (
        "grammar",
        "start: A0\n" + "\n".join(f"A{n}: A{n + 1} A{n + 1}" for n in range(40)) + '\nA40: "x"',
        "too big",
    ),
    "lark: unknown control token": ("grammar", "start: <|nope|>", "special token"),
    "not a grammar at all": ("grammar", "Please be brief.", "Expected token"),
}
HARMLESS: dict[str, tuple[str, Any]] = {
    "maxItems of a billion": ("schema", {"type": "array", "items": {"type": "null"}, "maxItems": 10**9}),
    "maxLength of a billion": ("schema", {"type": "string", "maxLength": 10**9}),
    "20,000 of an enum": ("schema", {"enum": [f"v{n}" for n in range(20_000)]}),
    "thirty doubled objects": (
        "schema",
        {
            "$defs": {
                f"a{n}": {
                    "type": "object",
                    "properties": {key: {"$ref": f"#/$defs/a{n + 1}"} for key in "lr"},
                }
                for n in range(30)
            }
            | {"a30": {"type": "null"}},
            "$ref": "#/$defs/a0",
        },
    ),
    "catastrophic elsewhere": ("regex", "(a+)+$"),
    "ambiguous elsewhere": ("regex", "(a|aa|aaa)*b"),
    "long tail": ("regex", ".*a.{40}"),
    "left recursion": ("grammar", 'start: start "a" | "a"'),
    "ambiguity": ("grammar", 'start: s\ns: s s | s s s | "a" | ""'),
    "what is no schema": ("schema", {"foo": 1, "type": "null"}),
}


def _form(kind: str, value: Any) -> Form:
    if kind == "schema":
        return Form.of_schema(value, param=kind)
    return (Form.of_regex if kind == "regex" else Form.of_grammar)(value, param=kind)


@pytest.mark.parametrize("name", REFUSED)
async def test_what_can_not_be_had_is_refused_in_words(grammars: Grammars, name: str) -> None:
    kind, value, words = REFUSED[name]
    with pytest.raises(InvalidRequestError, match=words) as caught:
        await grammars.constraints(_form(kind, value), 1)
    assert caught.value.param == kind
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("name", HARMLESS)
async def test_what_looks_dangerous_and_is_not_works(grammars: Grammars, name: str) -> None:
    (constraint,) = await grammars.constraints(_form(*HARMLESS[name]), 1, forces=True)
    write(constraint, seed=1, most=60)


async def test_the_message_names_the_part_of_a_schema_that_is_to_blame(grammars: Grammars) -> None:
    part = {"type": "array", "items": {"$ref": "#/$defs/odd"}}
    schema = {"type": "object", "properties": {"ok": {}, "a/b": part}, "$defs": {"odd": {"not": {}}}}
    with pytest.raises(InvalidRequestError, match=r"schema at /properties/a~1b/items can't be used: .*not"):
        await grammars.constraints(Form.of_schema(schema, param="schema"), 1)

    schema = {
        "type": "object",
        "properties": {"ok": {}, "a/b": {"items": {"format": "iri", "type": "string"}}},
    }
    with pytest.raises(InvalidRequestError, match=r"at /properties/a~1b/items can't be used: .*format"):
        await grammars.constraints(Form.of_schema(schema, param="schema"), 1)


async def test_one_that_takes_too_long_holds_up_no_loop(grammars: Grammars) -> None:
    form = _form("schema", {"type": "integer", "multipleOf": 99999959})
    compiling = asyncio.ensure_future(grammars.constraints(form, 1))
    for _ in range(50):  # were the loop held up, it would be done behind the first of these
        await asyncio.sleep(0.001)
        assert not compiling.done()
    with pytest.raises(InvalidRequestError, match="longer to compile"):
        await compiling


async def test_equal_forms_are_compiled_once_and_refusals_are_known() -> None:
    grammars = Grammars(table())
    slow = _form("schema", {"type": "integer", "multipleOf": 99999971})
    try:
        answers = await asyncio.gather(
            *(grammars.constraints(slow, 1) for _ in range(8)), return_exceptions=True
        )
        first = psutil.Process().children()
        again = await asyncio.gather(grammars.constraints(slow, 1), return_exceptions=True)
        assert psutil.Process().children() == first  # nothing was tried again
        assert {str(answer) for answer in (*answers, *again)} == {str(answers[0])}
    finally:
        await grammars.close()


async def test_a_killed_trial_is_started_again() -> None:
    before = set(psutil.Process().children())
    grammars = Grammars(table())
    try:
        await grammars.constraints(Form.of_regex("a", param="x"), 1)
        (process,) = set(psutil.Process().children()) - before
        process.kill()
        process.wait(30)
        assert await grammars.constraints(Form.of_regex("b", param="x"), 1)
    finally:
        await grammars.close()
    assert set(psutil.Process().children()) <= before


async def test_what_becomes_too_complex_on_the_way_says_so(grammars: Grammars) -> None:
    form = Form.of_grammar("start: /[a-z]{40}!/ /((a{100}){100}){100}/", param="grammar")
    (constraint,) = await grammars.constraints(form, 1)
    with pytest.raises(InvalidRequestError, match=r"grammar became too complex on the way: .*expressions"):
        write(constraint, seed=1)


async def test_closing_ends_what_is_being_compiled() -> None:
    grammars = Grammars(table())
    slow = asyncio.ensure_future(
        grammars.constraints(_form("schema", {"type": "integer", "multipleOf": 99999941}), 1)
    )
    await asyncio.sleep(0)
    await grammars.close()
    with pytest.raises(UnavailableError, match="unloaded"):
        await slow
