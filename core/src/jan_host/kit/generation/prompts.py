"""Prompts as an engine's stepper gets them, and how long reading one may hold up the event loop."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_INLINE_SIZE: Final = 4096
"""Characters or token ids that are read on the event loop, sooner than another thread could begin."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The token ids of a prompt.

    An engine that has more to tell its stepper (the pictures between the words, the adapters that a request
    wants) derives from this; the stepper finds it as ``sequence.job.given``.
    """

    ids: Sequence[int]
    added: int = 0
    """How many of the first ones stand for nothing that the client sent; an echo leaves them out."""


async def off_loop(read: Callable[[T], R], item: T, size: int) -> R:
    """Read a text or tokens, on another thread when that may take long.

    Args:
        read: Does it; thread-safe.
        item: What to read.
        size: Its characters or tokens.
    """
    return read(item) if size <= _INLINE_SIZE else await asyncio.to_thread(read, item)
