"""A radix tree over token ids: who holds which beginning of which prompt."""

from collections.abc import Collection, Hashable, Iterator
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
from jan_host.kit.generation import common_prefix

Tokens = npt.NDArray[np.int32]
H = TypeVar("H", bound=Hashable)


class _Node(Generic[H]):
    """A stretch of tokens that all of `holders` hold, behind what leads to `parent`."""

    __slots__ = ("children", "edge", "holders", "parent")

    def __init__(self, edge: Tokens, parent: "_Node[H] | None") -> None:
        self.edge = edge
        self.parent = parent
        self.children: dict[int, _Node[H]] = {}
        self.holders: set[H] = set()

    def split(self, length: int) -> "_Node[H]":
        """Cut the stretch in two; the first part, which is new and takes this node's place."""
        assert self.parent is not None
        first = _Node(self.edge[:length], self.parent)
        first.holders = set(self.holders)
        self.parent.children[int(self.edge[0])] = first
        self.edge = self.edge[length:]
        self.parent = first
        first.children[int(self.edge[0])] = self
        return first


class RadixTree(Generic[H]):
    """Each holder holds one run of tokens; runs that begin alike share their nodes.

    To put, to remove and to look up takes time with the length of the run, whatever the number of
    holders is.
    """

    def __init__(self) -> None:
        self._root: _Node[H] = _Node(np.empty(0, np.int32), None)
        self._ends: dict[H, _Node[H]] = {}

    def put(self, holder: H, tokens: Tokens) -> None:
        """Let `holder` hold `tokens`, in place of what it held. No tokens: it holds nothing."""
        self.remove(holder)
        node, rest = self._root, tokens.copy()  # the caller's may change
        while len(rest):
            child = node.children.get(int(rest[0]))
            if child is None:
                child = node.children[int(rest[0])] = _Node(rest, node)
            shared = common_prefix(child.edge, rest)
            node = child.split(shared) if shared < len(child.edge) else child
            node.holders.add(holder)
            rest = rest[shared:]
        if node is not self._root:
            self._ends[holder] = node

    def remove(self, holder: H) -> None:
        """Let `holder` hold nothing."""
        node = self._ends.pop(holder, None)
        while node is not None and node.parent is not None:
            parent = node.parent
            node.holders.discard(holder)
            if not node.holders:
                del parent.children[int(node.edge[0])]
            else:
                self._join(node)
            node = parent

    def matches(self, tokens: Tokens) -> Iterator[tuple[int, Collection[H]]]:
        """Who holds a beginning of `tokens`.

        Returns:
            Pairs of a length and of the holders that share so many tokens, or more, with `tokens`; the
            longest first. Lengths are those at which holders part.
        """
        found: list[tuple[int, _Node[H]]] = []
        node, length = self._root, 0
        while length < len(tokens):
            child = node.children.get(int(tokens[length]))
            if child is None:
                break
            shared = common_prefix(child.edge, tokens[length:])
            length += shared
            found.append((length, child))
            if shared < len(child.edge):
                break
            node = child
        for length, node in reversed(found):
            yield length, node.holders

    def alone(self, holder: H) -> int:
        """How many of a holder's tokens, the last ones, nobody else holds."""
        node, count = self._ends.get(holder), 0
        while node is not None and len(node.holders) == 1:
            count += len(node.edge)
            node = node.parent
        return count

    def _join(self, node: _Node[H]) -> None:
        """Make one of a node and its only child, when the same hold both: what parted them is gone."""
        if len(node.children) != 1:
            return
        (child,) = node.children.values()
        if child.holders != node.holders:
            return
        assert node.parent is not None
        child.edge = np.concatenate([node.edge, child.edge])
        child.parent = node.parent
        node.parent.children[int(child.edge[0])] = child
