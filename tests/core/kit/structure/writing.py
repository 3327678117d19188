"""A vocabulary of single bytes, and texts written by it under a constraint: no model is needed for that."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

from jan_host.kit.structure import Constraint, TokenTable

END = 256
START = 257
"""A control token, ``<|start|>``."""


def table(tokenize: str = "bytes") -> TokenTable:
    """Tokens 0 to 255 are bytes, then come the end and a control token.

    Args:
        tokenize: ``bytes``, or ``spaced`` for a tokenizer that puts a space before every text.
    """
    spelled = [bytes([byte]) for byte in range(256)] + [b"<|end|>", b"<|start|>"]
    before = b" " if tokenize == "spaced" else b""
    return TokenTable(
        size=len(spelled),
        ends={END},
        special={"<|end|>": END, "<|start|>": START},
        spelled=spelled.__getitem__,
        tokenize=lambda text: list(before + text.encode()),
    )


def write(constraint: Constraint, seed: int, most: int = 400) -> tuple[bytes, bool]:
    """A text of tokens chosen at random, and whether it came to its end."""
    choose = random.Random(seed).choice
    text = b""
    while not constraint.complete and len(text) < most:
        token = int(choose(constraint.allowed().tolist()))
        forced = constraint.accept(token)
        text += bytes(each for each in (token, *forced) if each < END)
    return text, constraint.complete


@contextmanager
def nothing_left() -> Iterator[None]:
    """No process of this one's is there afterwards that was not there before."""
    import psutil

    before = set(psutil.Process().children(recursive=True))
    yield
    assert set(psutil.Process().children(recursive=True)) <= before
