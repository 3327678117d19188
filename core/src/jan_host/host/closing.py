"""Iterators that are closed for certain: that is what cancels a generation, wherever it is."""

from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Closing(Generic[T]):
    """An iterator for the length of a block; closed at its end, if it can be closed.

    `contextlib.aclosing` does not take iterators that can't, and an engine may return one.
    """

    __slots__ = ("_items",)

    def __init__(self, items: AsyncIterator[T]) -> None:
        self._items = items

    async def __aenter__(self) -> AsyncIterator[T]:
        return self._items

    async def __aexit__(self, *exception: object) -> None:
        close = getattr(self._items, "aclose", None)
        if close is not None:
            await close()
