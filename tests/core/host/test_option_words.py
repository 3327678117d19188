"""What clients of other local servers say in words of their own is heard."""

from typing import Any

import pytest
from jan_host import ChatMessage, ChatRequest, CompletionRequest, ValidationError
from jan_host.host.words import in_our_words
from jan_host.kit.structure import Form, form_of


def chat(extra: dict[str, Any], **fields: Any) -> ChatRequest:
    return ChatRequest(messages=[ChatMessage(role="user", content="x")], extra=extra, **fields)


def completion(extra: dict[str, Any], **fields: Any) -> CompletionRequest:
    return CompletionRequest(prompt="x", extra=extra, **fields)


@pytest.mark.parametrize("ask", [chat, completion])
def test_names_of_others(ask: Any) -> None:
    given = in_our_words(ask({"n_predict": 5, "n_cmpl": 2, "repetition_penalty": 1.3}))
    assert (given.max_tokens, given.n, given.repeat_penalty) == (5, 2, 1.3)


def test_no_limit_is_none() -> None:
    assert in_our_words(completion({"n_predict": -1})).max_tokens is None
    assert in_our_words(completion({"n_predict": None})).max_tokens is None


def test_our_own_word_counts() -> None:
    assert in_our_words(completion({"n_predict": 5}, max_tokens=7)).max_tokens == 7


def test_scores() -> None:
    asked = in_our_words(chat({"n_probs": 4}))
    assert (asked.logprobs, asked.top_logprobs) == (True, 4)
    assert in_our_words(completion({"n_probs": 4})).logprobs == 4
    assert in_our_words(chat({"n_probs": 0})).logprobs is None
    assert in_our_words(completion({"n_probs": 0})).logprobs is None


@pytest.mark.parametrize("ask", [chat, completion])
def test_a_schema_by_itself(ask: Any) -> None:
    form = form_of(in_our_words(ask({"json_schema": {"const": "42"}})))
    assert form is not None
    assert form == Form.of_schema({"const": "42"}, param=form.param, exact=False)


@pytest.mark.parametrize(
    "extra",
    [{"n_predict": "many"}, {"n_predict": -2}, {"n_probs": 21}, {"n_cmpl": 0}, {"json_schema": "x"}],
)
@pytest.mark.parametrize("ask", [chat, completion])
def test_values_that_can_not_be(ask: Any, extra: dict[str, Any]) -> None:
    name = next(iter(extra))
    with pytest.raises(ValidationError, match=f"^{name}: ") as raised:
        in_our_words(ask(extra))
    assert raised.value.param == name


def test_whoever_says_nothing_gets_the_same_request() -> None:
    request = chat({"frobnicate": True})
    assert in_our_words(request) is request
