"""Chat completions: whole answers and streams."""

import json
from typing import Any

import httpx
import pytest

from tests.api.conftest import MODEL, chat, said


def ask(client: httpx.Client, text: str, **fields: Any) -> dict[str, Any]:
    response = client.post("/v1/chat/completions", json=chat(text, **fields))
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def stream(client: httpx.Client, text: str, **fields: Any) -> list[dict[str, Any]]:
    """The data of a stream that ends well."""
    response = client.post("/v1/chat/completions", json=chat(text, stream=True, **fields))
    assert response.status_code == 200, response.text
    events = response.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    return [json.loads(event.removeprefix("data: ")) for event in events[:-2]]


def test_a_whole_answer_has_openais_shape(client: httpx.Client) -> None:
    answer = ask(client, "count 3")
    assert answer.pop("id").startswith("chatcmpl-")
    assert answer.pop("created") > 1_700_000_000
    assert answer.pop("system_fingerprint").startswith("jan-host-")
    assert answer.pop("timings")["predicted_n"] == 3
    usage = answer.pop("usage")
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (3, 3, 6)
    assert answer == {
        "object": "chat.completion",
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "0 1 2 ", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
    }


def test_a_stream_begins_with_the_role_and_ends_with_the_reason(client: httpx.Client) -> None:
    chunks = stream(client, "count 2")
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": ""},
        {"content": "0 "},
        {"content": "1 "},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, None, "stop"]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert all("usage" not in chunk for chunk in chunks)


def test_a_stream_tells_usage_when_asked(client: httpx.Client) -> None:
    *chunks, last = stream(client, "count 2", stream_options={"include_usage": True})
    assert all(chunk["usage"] is None for chunk in chunks)
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == 5


def test_a_stream_tells_its_timings_once_at_its_end(client: httpx.Client) -> None:
    for options in ({}, {"stream_options": {"include_usage": True}}):
        *chunks, last = stream(client, "count 2", n=2, **options)
        assert not any("timings" in chunk for chunk in chunks)
        assert last["timings"]["predicted_n"] == 2


def test_tools_may_be_chosen_freely_where_there_are_none(client: httpx.Client) -> None:
    without: list[dict[str, Any]] = [{"tools": []}, {"tools": None}, {}]
    for options in without:
        answer = ask(client, "count 2", **options, tool_choice="auto")
        assert answer["choices"][0]["message"]["content"] == "0 1 "


@pytest.mark.parametrize("text", ["count 5", "think", "decline", "call"])
@pytest.mark.parametrize("n", [1, 3])
def test_a_stream_put_together_is_the_plain_answer(client: httpx.Client, text: str, n: int) -> None:
    if text != "count 5":
        n = 1
    plain = ask(client, text, n=n)
    messages: dict[int, dict[str, Any]] = {}
    reasons = {}
    for chunk in stream(client, text, n=n):
        for choice in chunk["choices"]:
            merge(messages.setdefault(choice["index"], {}), choice["delta"])
            reasons[choice["index"]] = choice["finish_reason"]
    for choice in plain["choices"]:
        whole = {name: value for name, value in choice["message"].items() if value is not None}
        together = messages[choice["index"]]
        assert {name: value for name, value in together.items() if value or name in whole} == whole
        assert reasons[choice["index"]] == choice["finish_reason"]


def merge(message: dict[str, Any], delta: dict[str, Any]) -> None:
    for call in delta.pop("tool_calls", []):
        calls = message.setdefault("tool_calls", [])
        if call["index"] == len(calls):
            calls.append({"function": {"name": "", "arguments": ""}})
        target, function = calls[call.pop("index")], call.pop("function", {})
        target.update(call)
        for name, piece in function.items():
            target["function"][name] += piece
    for name, value in delta.items():
        message[name] = message.get(name, "") + value if isinstance(value, str) else value


def test_tool_calls_are_put_together(client: httpx.Client) -> None:
    message = ask(client, "call")["choices"][0]["message"]
    assert message["content"] is None
    assert [(call["id"], call["type"], call["function"]) for call in message["tool_calls"]] == [
        ("call_0", "function", {"name": "look", "arguments": '{"at": 0}'}),
        ("call_1", "function", {"name": "listen", "arguments": '{"at": 1}'}),
    ]


def test_reasoning_stands_apart(client: httpx.Client) -> None:
    message = ask(client, "think")["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("Let me think.", "Done.")


def test_log_probabilities(client: httpx.Client) -> None:
    choice = ask(client, "count 2", logprobs=True, top_logprobs=2)["choices"][0]
    tokens = choice["logprobs"]["content"]
    assert [token["token"] for token in tokens] == ["0 ", "1 "]
    assert tokens[0]["top_logprobs"][1]["token"] == "other"
    chunks = stream(client, "count 2", logprobs=True)
    streamed = [
        item for chunk in chunks for item in (chunk["choices"][0]["logprobs"] or {}).get("content", [])
    ]
    assert streamed == tokens


def test_the_models_own_stream_parameter_does_not_count_and_others_do(client: httpx.Client) -> None:
    answer = ask(client, "echo")
    seen = json.loads(answer["choices"][0]["message"]["content"])
    assert seen["top_k"] == 7
    assert "stream" not in seen


def test_unknown_fields_reach_the_engine(client: httpx.Client) -> None:
    answer = ask(client, "echo", id_slot=True, nested={"a": [1, None]})
    seen = json.loads(answer["choices"][0]["message"]["content"])
    assert seen["$extra"] == {"id_slot": True, "nested": {"a": [1, None]}}


def test_fields_that_ask_for_what_only_others_offer_are_refused(client: httpx.Client) -> None:
    answer = client.post("/v1/chat/completions", json=chat("count 1", modalities=["text", "audio"]))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported")
    assert answer.json()["error"]["param"] == "modalities"
    assert ask(client, "count 1", modalities=["text"], store=False, metadata={"a": "b"}, functions=None)


def test_a_leading_slash_of_the_model_does_not_count(client: httpx.Client) -> None:
    body = {"model": f"/{MODEL}", "messages": said("count 1")}
    assert client.post("/v1/chat/completions", json=body).json()["model"] == MODEL


def test_an_error_before_the_first_delta_is_an_ordinary_one(client: httpx.Client) -> None:
    for streams in (True, False):
        response = client.post("/v1/chat/completions", json=chat("refuse", stream=streams))
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize("text", ["break", "crash", "cut"])
def test_an_error_after_the_first_byte_is_an_event_and_the_end(client: httpx.Client, text: str) -> None:
    response = client.post("/v1/chat/completions", json=chat(text, stream=True, model="two"))
    assert response.status_code == 200
    *pieces, error, nothing = response.text.split("\n\n")
    assert nothing == ""
    assert pieces
    name, _, data = error.partition("\n")
    assert name == "event: error"
    codes = {"break": "context_length_exceeded", "crash": "worker_crashed", "cut": "engine_error"}
    assert json.loads(data.removeprefix("data: "))["error"]["code"] == codes[text]


@pytest.mark.parametrize("text", ["break", "crash", "cut"])
def test_a_plain_answer_that_fails_on_the_way_is_an_error(client: httpx.Client, text: str) -> None:
    response = client.post("/v1/chat/completions", json=chat(text, model="two"))
    assert response.status_code in (400, 500)
    assert response.json()["error"]["message"]


def test_the_headers_of_a_stream(client: httpx.Client) -> None:
    response = client.post(
        "/v1/chat/completions", json=chat("count 1", stream=True), headers={"x-request-id": "mine-1"}
    )
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers["x-request-id"] == "mine-1"


def test_usage_all_along(client: httpx.Client) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    chunks = stream(client, "grow 2", stream_options=options)

    told = [chunk["usage"]["completion_tokens"] for chunk in chunks]
    assert told == [1, 1, 2, 2, 2]
    assert "usage" not in stream(client, "grow 2", stream_options={**options, "include_usage": False})[0]
    assert stream(client, "grow 2", stream_options={"include_usage": True})[0]["usage"] is None
