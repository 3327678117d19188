"""`logit_bias` in the forms that clients send it."""

from typing import Any

import msgspec
import numpy as np
import pytest
from jan_host import CompletionRequest, InvalidRequestError, ValidationError
from jan_host.kit.generation.adjusting import adjustments

SIZE = 8


def biased(given: Any) -> list[float]:
    """What becomes of scores of 0."""
    body = msgspec.json.encode({"prompt": "x", "logit_bias": given})
    request = msgspec.json.decode(body, type=CompletionRequest)
    scores = np.zeros(SIZE, np.float32)
    for adjust in adjustments(request, np.array([0], np.int32), SIZE):
        adjust(scores, 0)
    return scores.tolist()


@pytest.mark.parametrize("given", [{"2": 1.5, "5": -100}, [[2, 1.5], [5, False]], [["2", 1.5], ["5", -100]]])
def test_all_forms_say_the_same(given: Any) -> None:
    assert biased(given) == [0, 0, 1.5, 0, 0, -np.inf, 0, 0]


@pytest.mark.parametrize("given", [{}, []])
def test_nothing_changes_nothing(given: Any) -> None:
    assert biased(given) == [0] * SIZE


@pytest.mark.parametrize(
    "given", [{"8": 1}, [[8, 1]], [[-1, 1]], {" the": 1}, [[" the", 1]], [["", 1]], {"9" * 5000: 1}]
)
def test_what_is_no_token_is_refused(given: Any) -> None:
    with pytest.raises(InvalidRequestError, match="not a token id") as raised:
        biased(given)
    assert raised.value.param == "logit_bias"


def test_true_says_nothing() -> None:
    with pytest.raises(ValidationError, match="a number, or false"):
        biased([[2, True]])


@pytest.mark.parametrize("given", ["2", [2], [[2]], [[2, 1, 1]], [[2, 101]], [[2, "1"]], [[1.5, 1]]])
def test_other_forms_are_no_form(given: Any) -> None:
    with pytest.raises(msgspec.ValidationError, match="logit_bias"):
        biased(given)
