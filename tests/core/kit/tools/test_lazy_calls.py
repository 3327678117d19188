"""An answer that may call tools is free until a call begins, held to its schema in it, and free again."""

import json
import random

import jsonschema
import msgspec
import pytest
from jan_host import InvalidRequestError
from jan_host.kit.structure import Constrains, Grammars, TokenTable
from jan_host.kit.tools import Asked
from jan_host.kit.tools.formats.deepseek import ALL_BEGIN

from tests.core.kit.tools.bytewise import SOURCES, UNCHECKED, dialogue_of, read, table, tokens_of
from tests.core.kit.tools.test_dialogue import CITY, request

pytestmark = pytest.mark.asyncio(loop_scope="session")

BEGINNINGS = {
    "qwen 2.5": "Let me look.\n<tool_call>",
    "qwen 3": "<think>A <tool_call> may help.</think>Let me look.\n<tool_call>",
    "llama 3.1": '\n{"name":',
    "mistral": "Let me look.[TOOL_CALLS]",
    "mistral v11": "Let me look.[TOOL_CALLS]",
    "functionary 3.1": "Let me look. <function=",
    "functionary 3.2": "all\nLet me look.>>>get_weather\n",
    "gemma 3": '{"name":',
    "function gemma": "Let me look.<start_function_call>",
    "gpt-oss": (
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary to=functions."
    ),
    "deepseek r1": f"Shall I write {ALL_BEGIN}?</think>Let me look.{ALL_BEGIN}",
    "none": '{"tool_calls":',
}
"""What a model of each family writes up to the text that begins a call."""


async def held(grammars: Grammars, asked: Asked, **options: bool) -> Constrains:
    """What the answer is held to, once its grammar is there."""
    assert asked.calls is not None
    lazy = msgspec.structs.replace(asked.calls, strict=True)
    (constraint,) = await grammars.lazy_constraints(lazy, 1, **options)
    return constraint


def say(constraint: Constrains, tokens: list[int]) -> None:
    """Write tokens that nothing may forbid."""
    for token in tokens:
        assert constraint.allowed() is None
        constraint.accept(token)


def draw(constraint: Constrains, seed: int, known: TokenTable) -> list[int]:
    """Tokens drawn from those that are allowed, mostly such as end texts and objects, until all are."""
    choose = random.Random(seed)
    tokens: list[int] = []
    while (allowed := constraint.allowed()) is not None:
        assert len(tokens) < 3000
        ids = allowed.tolist()
        assert not set(ids) & set(known.ends)
        ending = [token for token in ids if token >= 256 or token in b'"}]>']
        printable = [token for token in ids if 32 <= token < 127] or ids
        token = choose.choice(ending if ending and choose.random() < 0.4 else printable)
        tokens += [token, *constraint.accept(token)]
    return tokens


def check(family: str, found: list[tuple[str, str]]) -> None:
    """The calls are of the tools, and match their schemas."""
    for name, arguments in found:
        assert name in ("get_weather", "get_time")
        if family not in UNCHECKED:
            jsonschema.validate(json.loads(arguments), CITY if name == "get_weather" else {"type": "object"})


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("forces", [True, False])
@pytest.mark.parametrize("family", SOURCES)
async def test_a_call_that_begins_becomes_a_whole_one(
    grammars: Grammars, family: str, forces: bool, seed: int
) -> None:
    known = table()
    asked = await dialogue_of(family).ask(request(tool_choice="auto"))
    constraint = await held(grammars, asked, forces=forces)
    begun = tokens_of(BEGINNINGS[family], known)
    say(constraint, begun[:-1])
    begun += constraint.accept(begun[-1])
    assert constraint.allowed() is not None

    drawn = draw(constraint, seed, known)
    text, found = read(asked, [*begun, *drawn], known)

    assert found
    check(family, found)
    assert text.strip() in ("", "Let me look.")


async def test_a_second_call_is_held_like_the_first(grammars: Grammars) -> None:
    known = table()
    asked = await dialogue_of("qwen 2.5").ask(request(tool_choice="auto"))
    constraint = await held(grammars, asked)
    tokens: list[int] = []
    for seed, words in enumerate(("First:\n<tool_call>", "\nThen:\n<tool_call>", "\n<tool_call>")):
        begun = tokens_of(words, known)
        say(constraint, begun)
        tokens += [*begun, *draw(constraint, seed, known)]
    say(constraint, tokens_of("\nThat is all.", known))

    _, found = read(asked, tokens, known)

    assert len(found) == 3
    check("qwen 2.5", found)


@pytest.mark.parametrize(
    "free",
    [
        "There is no tool for that.",
        "A <tool_cal is no call, and </tool_call> begins none.",
        "<think>I could write <tool_call> here, and go on",
        "  <think>I could write <tool_call> here.</think> But no.",
        '{"name": "get_weather"}',
    ],
)
async def test_what_is_no_call_stays_free(grammars: Grammars, free: str) -> None:
    asked = await dialogue_of("qwen 3").ask(request(tool_choice="auto"))
    constraint = await held(grammars, asked)

    say(constraint, tokens_of(free, table()))

    assert constraint.allowed() is None
    assert not constraint.complete


async def test_an_object_that_is_not_first_is_no_call(grammars: Grammars) -> None:
    asked = await dialogue_of("llama 3.1").ask(request(tool_choice="auto"))
    constraint = await held(grammars, asked)

    say(constraint, tokens_of('An example: {"name": 3}', table()))

    assert constraint.allowed() is None


async def test_code_behind_the_tag_of_the_interpreter_is_free(grammars: Grammars) -> None:
    asked = await dialogue_of("llama 3.1").ask(request(tool_choice="auto"))
    constraint = await held(grammars, asked)
    say(constraint, tokens_of("<|python_tag|>print(3)", table()))
    other = await held(grammars, asked)
    say(other, tokens_of("<|python_tag|>{", table()))

    assert constraint.allowed() is None
    assert other.allowed() is not None


WORDS = ('_call>\n{"na', "_call>Well", "</tool_call>\n\n")
"""Tokens that end a trigger and begin a call, or something else, and one that reaches beyond a call's end."""


@pytest.mark.parametrize(("word", "holds"), [(WORDS[0], True), (WORDS[1], False)])
async def test_a_token_may_end_the_trigger_and_begin_the_call(word: str, holds: bool) -> None:
    known = table(*WORDS, control={})
    asked = await dialogue_of("qwen 2.5", {}).ask(request(tool_choice="auto"))
    grammars = Grammars(known)
    try:
        constraint = await held(grammars, asked)
        begun = tokens_of("Look: <tool" + word, known)
        say(constraint, begun)

        assert (constraint.allowed() is not None) is holds
        if holds:
            text, found = read(asked, [*begun, *draw(constraint, 1, known)], known)
            assert len(found) == 1
            check("qwen 2.5", found)
            assert text.strip() == "Look:"
    finally:
        await grammars.close()


async def test_one_call_is_enough_where_one_is_wanted(grammars: Grammars) -> None:
    known = table()
    asked = await dialogue_of("mistral").ask(request(tool_choice="auto", parallel_tool_calls=False))
    for seed in range(5):
        constraint = await held(grammars, asked)
        begun = tokens_of("[TOOL_CALLS]", known)
        say(constraint, begun)
        _, found = read(asked, [*begun, *draw(constraint, seed, known)], known)
        assert len(found) == 1


async def test_without_tools_nothing_is_held() -> None:
    for fields in ({"tools": None}, {"tool_choice": "none"}):
        asked = await dialogue_of("qwen 2.5").ask(request(**fields))
        assert asked.calls is None
        assert asked.form is None


async def test_only_strict_tools_wait_and_are_refused_for_their_schema() -> None:
    never = {"type": "integer", "minimum": 3, "maximum": 1}
    impossible = {"type": "object", "properties": {"a": never}, "required": ["a"]}
    for strict in (False, True):
        tool = {"type": "function", "function": {"name": "f", "parameters": impossible, "strict": strict}}
        asked = await dialogue_of("qwen 2.5").ask(request(tools=[tool]))
        assert asked.calls is not None
        grammars = Grammars(table())
        try:
            if strict:
                with pytest.raises(InvalidRequestError, match="tools"):
                    await grammars.lazy_constraints(asked.calls, 1)
            else:
                (constraint,) = await grammars.lazy_constraints(asked.calls, 1)
                say(constraint, tokens_of("<tool_call>", table()))
                await grammars.close()
                say(constraint, tokens_of('\n{"name": 3}</tool_call>', table()))
        finally:
            await grammars.close()


async def test_a_call_that_begins_before_its_grammar_is_there_is_held_from_then_on() -> None:
    known = table()
    asked = await dialogue_of("qwen 2.5").ask(request(tool_choice="auto"))
    assert asked.calls is not None
    grammars = Grammars(known)
    try:
        (constraint,) = await grammars.lazy_constraints(asked.calls, 1)
        begun = tokens_of('Look: <tool_call>\n{"name": "get_w', known)
        say(constraint, begun)  # nothing is compiled yet, since this loop did not get around to it
        await held(grammars, asked)
        constraint.accept(ord("e"))

        text, found = read(asked, [*begun, ord("e"), *draw(constraint, 1, known)], known)

        check("qwen 2.5", found)
        assert [name for name, _ in found] == ["get_weather"]
        assert text.strip() == "Look:"
    finally:
        await grammars.close()
