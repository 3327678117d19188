"""What a model must write where it must call is what is read as calls, in every family, whatever it draws."""

import json
import random
from collections.abc import AsyncIterator

import jsonschema
import pytest
import pytest_asyncio
from jan_host.kit import ChatTemplate
from jan_host.kit.structure import Constraint, Grammars, TokenTable
from jan_host.kit.tools import Asked, Dialogue

from tests.core.kit.tools import templates
from tests.core.kit.tools.test_dialogue import CITY, FAMILIES, request

CONTROL_TEXTS = (
    *(
        "<tool_call>",
        "</tool_call>",
        "[TOOL_CALLS]",
        "[ARGS]",
        "<|python_tag|>",
        "<|channel|>",
        "<|message|>",
    ),
    *("<|constrain|>", "<|start|>", "<|end|>", f"<{templates.BAR}tool▁sep{templates.BAR}>"),
    *("<start_function_call>", "<end_function_call>", "<escape>"),
)
CONTROL = {text: 256 + place for place, text in enumerate(CONTROL_TEXTS)}
SPELLED = [*(bytes([byte]) for byte in range(256)), *(text.encode() for text in CONTROL_TEXTS), b"<end>"]
END = len(SPELLED) - 1
MISTRAL11 = templates.MISTRAL + "{#- Calls are [TOOL_CALLS]name[ARGS]{...}. #}"
SOURCES = {**{name: source for name, (source, _) in FAMILIES.items()}, "mistral v11": MISTRAL11}
THOUGHTS = {"deepseek r1": "Hm.\n</think>\n\n", "qwen 3": "<think>Hm.</think>"}
"""What thinks first would draw its thoughts for ever."""
UNCHECKED = {"function gemma"}
"""Its arguments are no JSON, so that schemas hold for none of them."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def grammars() -> AsyncIterator[Grammars]:
    """A vocabulary of bytes and control tokens."""
    opened = Grammars(
        TokenTable(
            size=len(SPELLED),
            ends=[END],
            special=CONTROL,
            spelled=SPELLED.__getitem__,
            tokenize=lambda text: list(text.encode()),
        )
    )
    yield opened
    await opened.close()


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


def calls(asked: Asked, tokens: list[int]) -> list[tuple[str, str]]:
    assert asked.reader is not None
    reader = asked.reader()
    found: list[tuple[str, str]] = []
    said = [reader.push(asked.shown.get(token, SPELLED[token])) for token in tokens if token != END]
    for piece in [*said, reader.flush()]:
        assert not piece.text.strip(), f"{piece.text!r} beside calls"
        for call in piece.tool_calls:
            assert call.function is not None
            if call.id is not None:
                found.append((call.function.name or "", ""))
            name, arguments = found[-1]
            found[-1] = (name, arguments + (call.function.arguments or ""))
    return found


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("family", SOURCES)
async def test_what_must_be_written_is_read_as_calls(grammars: Grammars, family: str, single: bool) -> None:
    dialogue = Dialogue(ChatTemplate(SOURCES[family], control_tokens=CONTROL_TEXTS), CONTROL)
    asked = await dialogue.ask(request(tool_choice="required", parallel_tool_calls=not single))
    assert asked.form is not None
    for seed in range(4):
        (constraint,) = await grammars.constraints(asked.form, 1)
        tokens = write(constraint, seed, THOUGHTS.get(family, ""))
        found = calls(asked, tokens)
        assert constraint.complete
        assert 1 <= len(found) <= (1 if single else 16)
        for name, arguments in found:
            assert name in ("get_weather", "get_time")
            if family not in UNCHECKED:
                schema = CITY if name == "get_weather" else {"type": "object"}
                jsonschema.validate(json.loads(arguments), schema)
