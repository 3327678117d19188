"""A vocabulary of bytes and control tokens, the families' templates, and what readers make of tokens."""

import re
from collections.abc import Mapping, Sequence

from jan_host.kit import ChatTemplate
from jan_host.kit.structure import TokenTable
from jan_host.kit.tools import Asked, Dialogue

from tests.core.kit.tools import templates
from tests.core.kit.tools.test_dialogue import FAMILIES

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
UNCHECKED = {"function gemma"}
"""Its arguments are no JSON, so that schemas hold for none of them."""


def table(*words: str, control: Mapping[str, int] = CONTROL) -> TokenTable:
    """The vocabulary, with these control tokens, and some words as tokens of their own before its end."""
    spelled = [*SPELLED[: 256 + len(control)], *(word.encode() for word in words), SPELLED[END]]
    return TokenTable(
        size=len(spelled),
        ends=[len(spelled) - 1],
        special=control,
        spelled=spelled.__getitem__,
        tokenize=lambda text: list(text.encode()),
    )


def dialogue_of(family: str, control: Mapping[str, int] = CONTROL) -> Dialogue:
    """What makes prompts for a model of this family, whose vocabulary has these control tokens."""
    return Dialogue(ChatTemplate(SOURCES[family], control_tokens=control), control)


def tokens_of(text: str, known: TokenTable) -> list[int]:
    """The tokens of a text: control tokens and words where they stand, else bytes."""
    spelled = [known.spelled(token).decode() for token in range(256, known.size)]
    numbers = {word: 256 + place for place, word in enumerate(spelled)}
    longest_first = sorted(numbers, key=len, reverse=True)
    found: list[int] = []
    for piece in re.split("(" + "|".join(map(re.escape, longest_first)) + ")", text):
        found += [numbers[piece]] if piece in numbers else list(piece.encode())
    return found


def read(asked: Asked, tokens: Sequence[int], known: TokenTable) -> tuple[str, list[tuple[str, str]]]:
    """The text of an answer, and name and arguments of each call in it."""
    assert asked.reader is not None
    reader = asked.reader()
    text = ""
    found: list[tuple[str, str]] = []
    pieces = [asked.shown.get(token, known.spelled(token)) for token in tokens if token not in known.ends]
    for said in [*map(reader.push, pieces), reader.flush()]:
        text += said.text
        for call in said.tool_calls:
            assert call.function is not None
            if call.id is not None:
                found.append((call.function.name or "", ""))
            name, arguments = found[-1]
            found[-1] = (name, arguments + (call.function.arguments or ""))
    return text, found
