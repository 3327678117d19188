"""Fields and forms that jan-host does not know: kept at every level, harmless to engines on this machine."""

import json
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jan_host import (
    ChatRequest,
    InvalidRequestError,
    TextPart,
    Tool,
    Unknown,
    ValidationError,
    as_plain,
    to_json,
)
from jan_host.api.decoding import decode

from tests.api.conftest import chat, said

EVERYWHERE: dict[str, Any] = {
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look", "cache_control": {"type": "ephemeral"}},
                {"type": "video_url", "video_url": {"url": "https://films.example/1"}},
                {"type": "image_url", "image_url": {"url": "data:,", "own": 1}, "min_pixels": 4},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav", "own": 2}},
                {"type": "file", "file": {"file_id": "f", "own": 3}},
            ],
            "mood": "good",
        },
        {
            "role": "assistant",
            "thinking_blocks": [{"type": "thinking", "signature": "s"}],
            "tool_calls": [
                {
                    "id": "a",
                    "type": "function",
                    "function": {"name": "f", "arguments": "{}", "own": 4},
                    "extra_content": {"thought_signature": "t"},
                },
                {"id": "b", "type": "custom", "custom": {"name": "g", "input": "free text"}},
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "4"},
    ],
    "tools": [
        {
            "type": "function",
            "function": {"name": "f", "parameters": {"type": "object"}, "own": 5},
            "cache_control": {"type": "ephemeral"},
        },
        {"type": "custom", "custom": {"name": "g", "format": {"type": "text"}}},
    ],
    "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
    "response_format": {"type": "structural_tag", "structures": []},
    "stream_options": {"include_usage": True, "continuous_usage_stats": True},
    "model": "m",
    "provider": {"order": ["a"], "choices": []},
}


NAMES = st.sampled_from(
    ["type", "text", "function", "name", "arguments", "url", "image_url", "role", "content", "$extra", "own"]
)
WORDS = st.sampled_from(["", "text", "function", "image_url", "json_schema", "user", "$other", "$extra"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, inner in pairs for place in places(inner, (*path, name)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with another value in one place."""
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


def read(body: dict[str, Any]) -> ChatRequest:
    found: ChatRequest = decode(json.dumps(body).encode(), ChatRequest)
    return found


def test_everything_comes_out_as_it_went_in() -> None:
    request = read(EVERYWHERE)
    assert json.loads(to_json(request)) == EVERYWHERE
    # Between host and worker, too.
    packed = msgspec.msgpack.encode(request)
    assert as_plain(msgspec.msgpack.decode(packed, type=ChatRequest)) == EVERYWHERE


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(places(EVERYWHERE)), JSON)
def test_anything_anywhere_is_kept_or_refused(path: tuple[Any, ...], value: Any) -> None:
    try:
        request = read(changed(EVERYWHERE, path, value))
    except (ValidationError, InvalidRequestError):
        return
    again = json.loads(to_json(request))
    assert json.loads(to_json(read(again))) == again


def test_what_is_known_stays_typed() -> None:
    request = read(EVERYWHERE)
    content = request.messages[0].content
    assert isinstance(content, list)
    assert isinstance(content[0], TextPart)
    assert content[0].extra == {"cache_control": {"type": "ephemeral"}}
    assert isinstance(content[1], Unknown)
    assert content[1].kind == "video_url"
    assert request.tools is not None
    assert isinstance(request.tools[0], Tool)
    assert request.extra == {"provider": {"order": ["a"], "choices": []}}


def test_without_its_unknown_fields_a_message_is_plain() -> None:
    first = as_plain(read(EVERYWHERE), unknown=False)["messages"][0]
    assert "mood" not in first
    assert first["content"][0] == {"type": "text", "text": "look"}


def test_a_stand_in_from_outside_is_nothing_special() -> None:
    part = {"type": "$other", "x": 1}
    body = {"messages": [{"role": "user", "content": [part]}]}
    assert json.loads(to_json(read(body))) == body


def test_what_a_user_wrote_may_have_any_names() -> None:
    parameters = {"properties": {"$extra": 1, "$other": {"$extra": {"type": "$other"}}}}
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters}, "own": {"$extra": 2}}
    body = {"messages": said("x"), "tools": [tool]}
    assert json.loads(to_json(read(body))) == body


def test_where_one_form_is_known_its_type_may_be_left_out() -> None:
    bare = {"function": {"name": "f"}}
    call = {"id": "c", "function": {"name": "f"}}
    messages = [*said("x"), {"role": "assistant", "tool_calls": [call]}]
    request = read({"messages": messages, "tools": [bare], "tool_choice": bare})
    assert json.loads(to_json(request))["tools"] == [{"type": "function", **bare}]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": EVERYWHERE["messages"][:1]}, "messages[0].content[1]"),
        ({"messages": [*said("x"), EVERYWHERE["messages"][1]]}, "messages[1].tool_calls[1]"),
        ({"tools": EVERYWHERE["tools"]}, "tools[1]"),
        ({"tools": EVERYWHERE["tools"][:1], "tool_choice": EVERYWHERE["tool_choice"]}, "tool_choice"),
        ({"response_format": EVERYWHERE["response_format"]}, "response_format"),
    ],
)
def test_engines_here_are_not_asked_for_what_they_do_not_know(
    client: httpx.Client, fields: dict[str, Any], param: str
) -> None:
    answer = client.post("/v1/chat/completions", json={**chat("count 1"), **fields})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("unsupported", param)
    assert "Leave it out" in error["message"]


def test_unknown_fields_are_no_hindrance_here(client: httpx.Client) -> None:
    messages = [{**said("count 2")[0], "mood": "good"}]
    tools = EVERYWHERE["tools"][:1]
    body = {
        **chat("count 2"),
        "messages": messages,
        "tools": tools,
        "stream_options": {"own": 1},
        "future": 1,
    }
    answer = client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text


def test_the_document_says_so(client: httpx.Client) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert schemas["ChatMessage"]["additionalProperties"] is True
    assert schemas["Unknown"]["properties"] == {"type": {"type": "string"}}
    assert "$" not in json.dumps(schemas).replace('"$ref"', "").replace("$`", "").replace('$"', "")
