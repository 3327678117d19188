"""The tests' tokenizer.json reads text as llama.cpp reads it, so that answers can be compared."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from jan_host_onnx.tokenizer import TextTokenizer

from tests.plugins.onnx.decoder.folders import decoder_folder
from tests.plugins.onnx.decoder.native import Native, native

TEXTS = (
    "The capital of France is Paris.",
    "  two spaces,\ta tab,\n\na blank line, and spaces at the end  ",
    "def f(x: int) -> str:\n    return f'{x!r:>{8}}'\n",
    "3.14159 1,000,000 0xdeadbeef 2024-01-31 \u00bd \u00b2",
    "It's what we've said they'd do, isn't it? I'll, you're",
    "\u65e5\u672c\u8a9e\u306e\u6587\u7ae0\u3002 \u0420\u0443\u0441\u0441\u043a\u0438\u0439",
    "emoji \U0001f600\U0001f469\u200d\U0001f4bb and \u00e9 e\u0301",
    "<|im_start|>user is text here<|im_end|>",
    "!!!???...---___",
    "",
)


@pytest.fixture(scope="module")
def llama(smollm2: Path) -> Iterator[Native]:
    """llama.cpp, for its tokenizer."""
    with native(smollm2) as opened:
        yield opened


@pytest.mark.parametrize("text", TEXTS)
def test_both_engines_read_the_same_tokens(llama: Native, text: str) -> None:
    tokenizer = TextTokenizer(decoder_folder("plain") / "tokenizer.json")

    assert tokenizer.tokenize(text) == list(llama.vocab.tokenize(text))
    assert tokenizer.detokenize(tokenizer.tokenize(text)) == text


def test_each_token_adds_the_same_bytes(llama: Native) -> None:
    tokenizer = TextTokenizer(decoder_folder("plain") / "tokenizer.json")

    assert all(tokenizer.piece(token) == llama.vocab.piece(token) for token in range(llama.vocab.size))
