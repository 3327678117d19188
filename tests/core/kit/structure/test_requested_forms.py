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
