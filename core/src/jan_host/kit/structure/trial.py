"""Tries grammars in a process of its own, so that one that is too much ends this process and not a model's.

Run by its path, with llguidance and the standard library alone (see `trying`). Lines of JSON come in: first
``{"special": [...]}``, the texts of control tokens, then ``{"grammar": ..., "limits": {...}}``; a line of
JSON goes out for each: ``{}``, then ``{"problem": text or null}``. It ends when its input ends, also while it
compiles.
"""

import json
import os
import sys
import threading
from queue import SimpleQueue
from typing import Any

from llguidance import LLMatcher, LLParserLimits, LLTokenizer

_STACK = 2 << 20
"""Bytes: a quarter of what threads have elsewhere, so that what passes here has room there."""
_MEMORY = 2 << 30
"""Bytes of address space."""
_STEPS = 24
_TOO_COMPLEX = ("LexerTooComplex", "ParserTooComplex")


class _Bytes:
    """A vocabulary with a token for each byte, and control tokens; in the form that llguidance asks for."""

    is_tokenizer_wrapper = True
    bos_token_id = None

    def __init__(self, special: list[str]) -> None:
        self.tokens = (
            [bytes([byte]) for byte in range(256)] + [text.encode() for text in special] + [b"<end>"]
        )
        self.eos_token_id = len(self.tokens) - 1
        self.special_token_ids = list(range(256, len(self.tokens)))

    def __call__(self, text: str) -> list[int]:
        return list(text.encode("utf-8", "replace"))


def _problem(tokenizer: LLTokenizer, grammar: str, limits: dict[str, Any]) -> str | None:
    """What is wrong with a grammar; it is compiled, and a text is begun by it."""
    matcher = LLMatcher(
        tokenizer, grammar, log_level=0, limits=LLParserLimits(verbose_errors=False, **limits)
    )
    mask = matcher.compute_bitmask()
    if matcher.is_error():
        return matcher.get_error()
    for step in range(_STEPS):
        allowed = [at * 8 + bit for at, byte in enumerate(mask) for bit in range(8) if byte >> bit & 1]
        if not matcher.consume_token(allowed[step * 7919 % len(allowed)]) or matcher.is_stopped():
            break
        matcher.compute_ff_tokens()
        mask = matcher.compute_bitmask()
    return matcher.get_error() if matcher.stop_reason() in _TOO_COMPLEX else None


def _work(lines: "SimpleQueue[bytes]") -> None:
    tokenizer = LLTokenizer(_Bytes(json.loads(lines.get())["special"]), slices=[])  # type: ignore[arg-type]  # as it does with its own wrapper, it looks at attributes alone
    answer: dict[str, str | None] = {}
    while True:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
        asked = json.loads(lines.get())
        answer = {"problem": _problem(tokenizer, asked["grammar"], asked["limits"])}


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Answer until the input ends."""
    _limit_memory()
    lines: SimpleQueue[bytes] = SimpleQueue()
    threading.stack_size(_STACK)
    threading.Thread(target=_work, args=(lines,), daemon=True).start()
    for line in sys.stdin.buffer:
        lines.put(line)
    os._exit(0)  # not held up by a grammar that is being compiled


if __name__ == "__main__":
    main()
