"""What a model must write where it must call is what is read as calls, in every family, whatever it draws."""

import json
import random

import jsonschema
import pytest
from jan_host.kit.structure import Constraint, Grammars

from tests.core.kit.tools.bytewise import SOURCES, UNCHECKED, dialogue_of, read, table
from tests.core.kit.tools.test_dialogue import CITY, request

THOUGHTS = {"deepseek r1": "Hm.\n</think>\n\n", "qwen 3": "<think>Hm.</think>"}
"""What thinks first would draw its thoughts for ever."""


def write(constraint: Constraint, seed: int, opening: str) -> list[int]:
    """`opening`, then tokens drawn from those that are allowed, mostly such as end texts and objects."""
    draw = random.Random(seed)
    tokens = list(opening.encode())
    for token in tokens:
        assert token in constraint.allowed().tolist()
        constraint.accept(token)
    while not constraint.complete and len(tokens) < 3000:
        allowed = constraint.allowed().tolist()
        ending = [token for token in allowed if token >= 256 or token in b'"}]']
        printable = [token for token in allowed if 32 <= token < 127] or allowed
        token = draw.choice(ending if ending and draw.random() < 0.4 else printable)
        constraint.accept(token)
        tokens.append(token)
    return tokens


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("family", SOURCES)
async def test_what_must_be_written_is_read_as_calls(grammars: Grammars, family: str, single: bool) -> None:
    asked = await dialogue_of(family).ask(request(tool_choice="required", parallel_tool_calls=not single))
    assert asked.form is not None
    for seed in range(4):
        (constraint,) = await grammars.constraints(asked.form, 1)
        tokens = write(constraint, seed, THOUGHTS.get(family, ""))
        text, found = read(asked, tokens, table())
        assert constraint.complete
        assert not text.strip()
        assert 1 <= len(found) <= (1 if single else 16)
        for name, arguments in found:
            assert name in ("get_weather", "get_time")
            if family not in UNCHECKED:
                schema = CITY if name == "get_weather" else {"type": "object"}
                jsonschema.validate(json.loads(arguments), schema)


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("parameters", [{}, {"type": "object"}, {"$schema": "x", "type": "object"}, None])
async def test_a_tool_that_names_no_arguments_gets_none(
    grammars: Grammars, parameters: dict[str, str] | None
) -> None:
    tools = [{"type": "function", "function": {"name": "get_time", "parameters": parameters}}]
    asked = await dialogue_of("none").ask(request(tool_choice="required", tools=tools))
    assert asked.form is not None
    (constraint,) = await grammars.constraints(asked.form, 1)

    assert read(asked, write(constraint, 0, ""), table())[1][0] == ("get_time", "{}")
