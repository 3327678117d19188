"""Checks of tokenization."""

from collections.abc import Mapping
from typing import ClassVar

import pytest

from jan_host.contract.engine import Tokenizes
from jan_host.contract.errors import InvalidRequestError
from jan_host.testing.fixtures import EngineFixtures, require
from jan_host.testing.generation import Live
from jan_host.testing.running import Run
from jan_host.testing.samples import ODD_PROMPTS

TEXTS: Mapping[str, str] = {
    **ODD_PROMPTS,
    "a sentence": "The quick brown fox jumps over the lazy dog.",
    "white space": "  two spaces,\ta tab,\n\na blank line, and spaces at the end  ",
    "code": "def f(x: int) -> str:\n    return f'{x!r:>{8}}'\n",
    "numbers": "3.14159 1,000,000 0xdeadbeef ½ ²",
}
CONTROL_TEXTS = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>")


class TokenizeChecks(EngineFixtures):
    """Ids of texts, and texts of ids."""

    lossless_tokens: ClassVar[bool] = True
    """Whether ids give back exactly their text; not so where a tokenizer lowers case or drops spaces."""

    @pytest.fixture(scope="class")
    @classmethod
    def tokenizer(cls, live: Live) -> "Tokenizer":
        """The live model's tokenizer."""
        require("tokenize", live)
        return Tokenizer(live)

    @pytest.mark.parametrize("name", TEXTS)
    def test_tokens_give_back_their_text(self, run: Run, tokenizer: "Tokenizer", name: str) -> None:
        text = TEXTS[name]
        tokens = run(tokenizer.ids(text))
        back = run(tokenizer.text(tokens))
        assert isinstance(back, str), f"{back!r} is not text"
        if self.lossless_tokens:
            assert back == text, f"{tokens} gave back {back!r}"

    def test_the_same_text_has_the_same_tokens(self, run: Run, tokenizer: "Tokenizer") -> None:
        text = TEXTS["a sentence"]
        assert run(tokenizer.ids(text)) == run(tokenizer.ids(text))

    def test_an_empty_text_has_no_tokens(self, run: Run, tokenizer: "Tokenizer") -> None:
        assert run(tokenizer.ids("")) == []
        assert run(tokenizer.text([])) == ""

    @pytest.mark.parametrize("text", CONTROL_TEXTS)
    def test_a_control_token_that_is_typed_stays_text(
        self, run: Run, tokenizer: "Tokenizer", text: str
    ) -> None:
        tokens = run(tokenizer.ids(text))
        assert len(tokens) > 1, f"{text!r} became the one token {tokens}: as text it has several"

    def test_every_id_has_a_text(self, run: Run, tokenizer: "Tokenizer") -> None:
        for token in run(tokenizer.ids(TEXTS["emoji"] + TEXTS["a sentence"])):
            assert isinstance(run(tokenizer.text([token])), str)

    @pytest.mark.parametrize("token", [-1, 2**31 - 1, 2**40])
    def test_an_id_that_is_not_there_is_refused(self, run: Run, tokenizer: "Tokenizer", token: int) -> None:
        with pytest.raises(InvalidRequestError):
            run(tokenizer.text([token]))


class Tokenizer:
    """Asks the live model, and checks what each answer of it must hold."""

    def __init__(self, live: Live) -> None:
        self._live = live

    async def ids(self, text: str) -> list[int]:
        """The ids of a text."""
        assert isinstance(self._live.loaded, Tokenizes)
        tokens = await self._live.loaded.tokenize(text)
        assert all(type(token) is int for token in tokens), f"not all of {tokens} are int"
        assert all(token >= 0 for token in tokens), f"an id is below zero: {tokens}"
        return list(tokens)

    async def text(self, tokens: list[int]) -> str:
        """The text of some ids."""
        assert isinstance(self._live.loaded, Tokenizes)
        return await self._live.loaded.detokenize(tokens)
