"""What a request asks for becomes a form."""

from typing import Any

import msgspec
import pytest
from jan_host import ChatRequest, CompletionRequest, InvalidRequestError
from jan_host.kit.structure import Form, form_of


def _ask(**options: Any) -> ChatRequest:
    return msgspec.convert({"messages": [{"role": "user", "content": "Hi"}], **options}, ChatRequest)


def test_requests_without_a_form_have_none() -> None:
    assert form_of(_ask()) is None
    assert form_of(_ask(response_format={"type": "text"})) is None
    assert form_of(CompletionRequest(prompt="Hi")) is None


def test_strict_decides_what_happens_to_what_can_not_be_enforced() -> None:
    def form(strict: bool | None) -> Form | None:
        wanted = {"name": "x", "schema": {"type": "array", "uniqueItems": True}, "strict": strict}
        return form_of(_ask(response_format={"type": "json_schema", "json_schema": wanted}))

    exact, loose, unsaid = form(True), form(False), form(None)
    assert exact is not None
    assert exact.exact
    assert loose == unsaid
    assert loose is not None
    assert not loose.exact


def test_two_forms_at_once_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match="response_format and regex"):
        form_of(_ask(response_format={"type": "json_object"}, regex="x"))


def test_what_a_schema_says_about_itself_is_no_matter() -> None:
    plain = Form.of_schema({"type": "string"}, param="x")
    assert Form.of_schema({"type": "string", "$schema": "nonsense"}, param="x") == plain
    assert Form.of_schema({"type": "string", "x-guidance": {"lenient": True}}, param="x") == plain


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.mark.parametrize(
    "wanted",
    [
        {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
        {"type": "json_schema", "json_schema": {"schema": SCHEMA}},
        {"type": "json_schema", "schema": SCHEMA},
        {"type": "json_object", "schema": SCHEMA},
    ],
)
def test_all_spellings_of_a_schema_mean_the_same(wanted: dict[str, Any]) -> None:
    chat, text = (
        form_of(_ask(response_format=wanted)),
        form_of(msgspec.convert({"prompt": "Hi", "response_format": wanted}, CompletionRequest)),
    )
    assert chat is not None
    assert chat == text == Form.of_schema(SCHEMA, param=chat.param, exact=False)


def test_a_format_without_its_schema_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="no schema"):
        form_of(_ask(response_format={"type": "json_schema"}))


def test_an_empty_grammar_is_none() -> None:
    assert form_of(_ask(grammar="", regex="")) is None
    assert form_of(_ask(grammar="", regex="x")) == Form.of_regex("x", param="regex")
