"""The radix tree against the plain search through everything that is held."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from jan_host.kit.generation import common_prefix
from jan_host_llamacpp.radix import RadixTree, Tokens

# Few different tokens, so that most runs begin like another one.
runs = st.lists(st.integers(0, 2), max_size=12).map(lambda run: np.array(run, np.int32))
steps = st.lists(st.tuples(st.integers(0, 5), runs), max_size=30)


@settings(max_examples=200)
@given(steps, st.lists(runs, min_size=1, max_size=5))
def test_it_finds_what_a_search_through_all_finds(
    puts: list[tuple[int, Tokens]], asked: list[Tokens]
) -> None:
    tree: RadixTree[int] = RadixTree()
    held: dict[int, Tokens] = {}
    for holder, tokens in puts:
        tree.put(holder, tokens)
        held[holder] = tokens
    for wanted in asked:
        found: dict[int, int] = {}
        lengths = []
        for length, holders in tree.matches(wanted):
            lengths.append(length)
            for holder in holders:
                found.setdefault(holder, length)
        shared = {holder: common_prefix(tokens, wanted) for holder, tokens in held.items()}

        assert found == {holder: length for holder, length in shared.items() if length}
        assert lengths == sorted(set(lengths), reverse=True)


@given(steps)
def test_it_knows_what_only_one_holds(puts: list[tuple[int, Tokens]]) -> None:
    tree: RadixTree[int] = RadixTree()
    held: dict[int, Tokens] = {}
    for holder, tokens in puts:
        tree.put(holder, tokens)
        held[holder] = tokens
    for holder, tokens in held.items():
        others = [common_prefix(tokens, other) for number, other in held.items() if number != holder]
        assert tree.alone(holder) == len(tokens) - max(others, default=0)


@given(steps)
def test_nothing_is_left_of_what_was_removed(puts: list[tuple[int, Tokens]]) -> None:
    tree: RadixTree[int] = RadixTree()
    for holder, tokens in puts:
        tree.put(holder, tokens)
    for holder in range(6):
        tree.remove(holder)
    tree.put(0, np.array([0, 1, 2], np.int32))

    assert [(length, set(holders)) for length, holders in tree.matches(np.array([0, 1, 2], np.int32))] == [
        (3, {0})
    ]


def test_what_is_held_does_not_change_with_the_array_it_came_in() -> None:
    tree: RadixTree[str] = RadixTree()
    tokens = np.array([5, 6, 7], np.int32)
    tree.put("one", tokens)
    tokens[:] = 0

    assert [length for length, _ in tree.matches(np.array([5, 6, 9], np.int32))] == [2]
