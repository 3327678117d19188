"""Structured output in words of other servers' clients."""

import json
from typing import Any

import pytest
from jan_host import ChatMessage, ChatRequest, CompletionRequest, InvalidRequestError
from jan_host.host.words import in_our_words
from jan_host.kit.structure import Form, form_of

SCHEMA = {"type": "object", "properties": {"age": {"type": "integer"}}}


def form(extra: dict[str, Any], *, chats: bool = True) -> Form:
    request = (
        ChatRequest(messages=[ChatMessage(role="user", content="x")], extra=extra)
        if chats
        else CompletionRequest(prompt="x", extra=extra)
    )
    found = form_of(in_our_words(request))
    assert found is not None
    return found


@pytest.mark.parametrize("chats", [True, False])
@pytest.mark.parametrize(
    ("kind", "value", "same"),
    [
        ("json", SCHEMA, {"json_schema": SCHEMA}),
        ("json", json.dumps(SCHEMA), {"json_schema": SCHEMA}),
        ("regex", "[0-9]+", {"regex": "[0-9]+"}),
        ("grammar", 'root ::= "a"', {"grammar": 'root ::= "a"'}),
    ],
)
def test_each_kind_has_two_spellings(kind: str, value: Any, same: dict[str, Any], chats: bool) -> None:
    request = CompletionRequest(prompt="x", **{n: v for n, v in same.items() if n != "json_schema"})
    expected = form_of(request) or form({"json_schema": SCHEMA})
    assert form({"structured_outputs": {kind: value}}, chats=chats).text == expected.text
    assert form({f"guided_{kind}": value}, chats=chats).text == expected.text


def test_any_object() -> None:
    assert form({"guided_json_object": True}) == form({"structured_outputs": {"json_object": True}})
    assert form({"guided_json_object": True}).spaced


def test_another_name_of_a_grammar() -> None:
    assert form({"ebnf": 'root ::= "a"'}).kind == "lark"


@pytest.mark.parametrize(
    "extra",
    [
        {"structured_outputs": {}},
        {"structured_outputs": {"json": None, "json_object": False, "disable_fallback": False}},
        {"guided_json": None, "guided_json_object": False, "guided_choice": None},
    ],
)
def test_nothing_is_asked_for(extra: dict[str, Any]) -> None:
    assert form_of(in_our_words(CompletionRequest(prompt="x", extra=extra))) is None


@pytest.mark.parametrize(
    ("extra", "param"),
    [
        ({"structured_outputs": 3}, "structured_outputs"),
        ({"structured_outputs": {"structural_tag": "{}"}}, "structured_outputs"),
        ({"structured_outputs": {"json": {}, "regex": ".*"}}, "structured_outputs"),
        ({"structured_outputs": {"regex": {"a": 1}}}, "structured_outputs"),
        ({"structured_outputs": {"choice": "abc"}}, "structured_outputs.choice"),
        ({"guided_choice": []}, "guided_choice"),
        ({"guided_choice": [1]}, "guided_choice"),
        ({"guided_json": "no json"}, "guided_json"),
        ({"guided_json": "[1]"}, "guided_json"),
        ({"guided_json": 5}, "guided_json"),
        ({"guided_regex": 5}, "guided_regex"),
    ],
)
def test_what_is_no_structure_is_named(extra: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        in_our_words(CompletionRequest(prompt="x", extra=extra))
    assert raised.value.param == param
