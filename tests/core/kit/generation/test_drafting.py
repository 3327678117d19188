"""Guesses at the tokens to come: out of the text, as long as they are right and cost little."""

from collections.abc import Iterator

import numpy as np
import pytest
from jan_host.kit.generation import Drafter, RunCosts
from jan_host.kit.generation.drafting import find_draft

PASSAGE = list(range(100, 160))


def tokens(*ids: int) -> "np.ndarray[tuple[int], np.dtype[np.int32]]":
    return np.array(ids, np.int32)


@pytest.mark.parametrize(
    ("text", "draft", "matched"),
    [
        ((1, 2, 3, 4, 9, 1, 2), [3, 4], 2),
        ((1, 2, 3, 8, 1, 2, 4, 9, 1, 2), [4, 9], 2),
        ((7, 1, 2, 3, 0, 8, 1, 2, 4, 0, 7, 1, 2), [3, 0], 3),
        ((5, 6, 5, 6), [5, 6], 2),
        ((8, 8, 8), [8, 8], 2),
    ],
    ids=["again", "the last of several", "the longest match", "a text that turns round", "one token"],
)
def test_a_draft_is_what_followed_before(text: tuple[int, ...], draft: list[int], matched: int) -> None:
    found, length = find_draft(tokens(*text), 2)

    assert (found.tolist(), length) == (draft, matched)


@pytest.mark.parametrize("text", [(1,), (1, 2), (1, 2, 3), (2, 3, 9, 2), (4, 4)])
def test_a_text_that_says_nothing_twice_has_no_draft(text: tuple[int, ...]) -> None:
    assert find_draft(tokens(*text), 4)[0].size == 0


def test_no_draft_is_longer_than_wanted() -> None:
    text = tokens(*PASSAGE, *PASSAGE[:6])

    assert [find_draft(text, most)[0].tolist() for most in (0, 1, 3)] == [[], PASSAGE[6:7], PASSAGE[6:9]]


def test_a_text_that_is_said_again_comes_in_few_runs() -> None:
    runs = list(_written([*PASSAGE, 0], PASSAGE))

    assert len(runs) < len(PASSAGE) / 3
    assert sum(runs) == len(PASSAGE)


def test_nobody_guesses_for_long_where_guesses_are_wrong() -> None:
    said = [token for other in range(10, 210) for token in (1, 2, 3, other)]
    drafted = [bool(draft) for draft in _drafts(Drafter(_costs(0.1)), said[:4], said[4:])]
    behind_three = drafted[3::4]

    assert any(behind_three[:3])
    assert not any(behind_three[10:]), "behind 1, 2, 3 something else comes each time"


def test_guessing_begins_again_when_the_text_repeats_itself() -> None:
    wrong = [token for other in range(10, 70) for token in (1, 2, 3, other)]
    again = [1, 2, 3, 4] * 20
    drafted = [len(draft) for draft in _drafts(Drafter(_costs(0.1)), wrong, again)]

    assert not any(drafted[:3])
    assert all(drafted[-20:])


def test_runs_that_cost_as_much_as_their_tokens_are_not_made() -> None:
    drafter = Drafter(_costs(0.95))
    drafted = [len(draft) for draft in _drafts(drafter, PASSAGE, PASSAGE)]

    assert not any(drafted)


def test_costs_are_those_of_the_last_runs_of_each_size() -> None:
    costs = _costs(0.5)
    assert [costs.of(size) for size in (1, 2, 6)] == pytest.approx([1, 1.5, 3.5], rel=0.1)
    for _ in range(20):
        costs.learn(5, 4 * 0.025)
    assert [costs.of(size) for size in (2, 5)] == pytest.approx([1.5, 4], rel=0.1)
    for _ in range(20_000):
        costs.learn(1, 0.025)
    assert costs.of(5) < 1.5, "what held a run up once is forgotten"


def test_sizes_that_were_never_run_are_tried() -> None:
    costs = RunCosts()
    costs.learn(1, 0.025)
    costs.learn(2, 0.025 * 1.9)

    assert 1.9 < costs.of(8) < 3


def _costs(slope: float) -> RunCosts:
    """As learned from a model for which each token more takes so many runs of one."""
    costs = RunCosts()
    for _ in range(50):
        costs.learn(1, 0.025)
        for size in range(2, 9):
            costs.learn(size, 0.025 * (1 + (size - 1) * slope))
    return costs


def _drafts(drafter: Drafter, before: list[int], following: list[int]) -> Iterator[list[int]]:
    """The draft at each token of `following`, which comes whatever was guessed."""
    for count in range(len(following)):
        yield drafter.draft(tokens(*before, *following[:count]), 100).tolist()


def _written(before: list[int], following: list[int]) -> Iterator[int]:
    """How many tokens of `following` each run gives."""
    drafter, done = Drafter(_costs(0.05)), 0
    while done < len(following):
        draft = drafter.draft(tokens(*before, *following[:done]), len(following) - done - 1)
        right = 0
        while right < len(draft) and draft[right] == following[done + right]:
            right += 1
        yield right + 1
        done += right + 1
