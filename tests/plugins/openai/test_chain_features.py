"""openai client -> jan-host -> jan-host -> an engine in a worker that can do all that the API has."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.api.conftest import MODEL, lay_out, plugin_path, running_server, said
from tests.pictures import png, url
from tests.plugins.openai.servers import jan_host, put

__all__ = ["plugin_path"]

FUNCTION = {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "integer"}}}}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PIXEL = url(png(width=1, height=1))
IMAGE = [
    {"type": "text", "text": "echo"},
    {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
]

CHATS: dict[str, dict[str, Any]] = {
    "tools": {
        "messages": said("call"),
        "tools": [{"type": "function", "function": FUNCTION}],
        "tool_choice": "required",
        "parallel_tool_calls": True,
    },
    "tool results": {
        "messages": [
            *said("x"),
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "c", "type": "function", "function": {"name": "look", "arguments": '{"at":1}'}}
                ],
            },
            {"role": "tool", "tool_call_id": "c", "content": "a tree"},
            *said("echo"),
        ],
        "tools": [{"type": "function", "function": FUNCTION}],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
    },
    "logprobs": {"messages": said("count 3"), "logprobs": True, "top_logprobs": 2},
    "n": {"messages": said("count 3"), "n": 3, "logprobs": True},
    "json object": {"messages": said("echo"), "response_format": {"type": "json_object"}},
    "json schema": {
        "messages": said("echo"),
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "city", "schema": SCHEMA, "strict": True},
        },
    },
    "images": {"messages": [{"role": "user", "content": IMAGE}]},
    "options": {
        "messages": said("echo"),
        "seed": 7, "temperature": 0.5, "top_p": 0.9, "stop": ["a", "b"], "logit_bias": {"5": -1.5},
        "presence_penalty": 0.5, "frequency_penalty": -0.5, "max_completion_tokens": 50, "user": "u",
        "reasoning_effort": "low",
        "extra_body": {"top_k": 5, "min_p": 0.1, "grammar": "root ::= [a-z]", "future": {"a": 1}},
    },
    "reasoning": {"messages": said("think")},
    "refusal": {"messages": said("decline")},
}  # fmt: skip

OWN = {"id", "created", "model", "system_fingerprint"}
"""What each host says of itself."""


Clients = tuple[openai.OpenAI, openai.OpenAI]


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory, plugin_path: str) -> Iterator[Clients]:
    """A client of the host that has the engine, and one of the host in front of it."""
    back_root, front_root = lay_out(tmp_path_factory.mktemp("back")), tmp_path_factory.mktemp("front")
    with running_server(back_root, plugin_path) as back:
        settings = {"base_url": back.url, "model": MODEL}
        put(front_root, "m", {"id": "m", "engine": "openai", "format": "api", "settings": settings})
        with jan_host(front_root) as front:
            options: dict[str, Any] = {"api_key": "none", "max_retries": 0, "timeout": 60}
            with (
                openai.OpenAI(base_url=f"{back.url}/v1", **options) as direct,
                openai.OpenAI(base_url=f"{front.url}/v1", **options) as through,
            ):
                yield direct, through


def seen(answer: Any) -> dict[str, Any]:
    """What an answer says, and in it what the engine was asked, for an engine that echoes it."""
    found: dict[str, Any] = answer.model_dump(exclude=OWN)
    for choice in found["choices"]:
        message = choice["message"]
        if (message["content"] or "").startswith("{"):
            message["content"] = asked(json.loads(message["content"]))
    return found


def asked(request: dict[str, Any]) -> dict[str, Any]:
    """A request without what differs by design: the limit's name, and a ``stream`` of false."""
    limit = request.pop("max_completion_tokens", None)
    return {"max_tokens": limit, **{name: value for name, value in request.items() if name != "stream"}}


@pytest.mark.parametrize("name", CHATS)
def test_a_chat_is_the_same_with_a_host_between(clients: Clients, name: str) -> None:
    direct, through = clients
    there = seen(direct.chat.completions.create(model=MODEL, **CHATS[name]))
    here = seen(through.chat.completions.create(model="m", **CHATS[name]))
    assert here == there


@pytest.mark.parametrize("name", [name for name in CHATS if name not in ("n", "options")])
def test_a_stream_put_together_is_the_plain_answer(clients: Clients, name: str) -> None:
    _, through = clients
    plain = through.chat.completions.create(model="m", **CHATS[name]).choices[0]
    with through.chat.completions.stream(model="m", **CHATS[name]) as stream:
        whole = stream.get_final_completion().choices[0]
    assert whole.finish_reason == plain.finish_reason
    there, here = plain.message.model_dump(), whole.message.model_dump()
    if (there["content"] or "").startswith("{"):
        there["content"], here["content"] = (
            {**asked(json.loads(each["content"])), "stream_options": None} for each in (there, here)
        )
    assert calls(here.pop("tool_calls", None)) == calls(there.pop("tool_calls", None))
    assert {name: value for name, value in here.items() if value and name != "parsed"} == {
        name: value for name, value in there.items() if value
    }


def calls(found: list[dict[str, Any]] | None) -> list[tuple[str, str, str]]:
    return [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in found or ()]


def test_choices_of_a_stream(clients: Clients) -> None:
    texts = {0: "", 1: "", 2: ""}
    tokens = 0
    for chunk in clients[1].chat.completions.create(model="m", stream=True, **CHATS["n"]):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            tokens += len(choice.logprobs.content or ()) if choice.logprobs else 0
    assert set(texts.values()) == {"0 1 2 "}
    assert tokens == 9


def test_completions_with_logprobs(clients: Clients) -> None:
    ask: dict[str, Any] = {"prompt": ["count 2", "count 3"], "n": 2, "logprobs": 1}
    there = clients[0].completions.create(model=MODEL, **ask).model_dump(exclude=OWN)
    here = clients[1].completions.create(model="m", **ask).model_dump(exclude=OWN)
    assert [choice["text"] for choice in here["choices"]] == ["0 1 ", "0 1 ", "0 1 2 ", "0 1 2 "]
    assert here == there


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings(clients: Clients, encoding: Any) -> None:
    ask: dict[str, Any] = {"input": ["a", "bcd"], "encoding_format": encoding}
    there = clients[0].embeddings.create(model=MODEL, **ask)
    here = clients[1].embeddings.create(model="m", **ask)
    assert [item.embedding for item in here.data] == [item.embedding for item in there.data]
    assert here.usage == there.usage


def test_rerank(clients: Clients) -> None:
    body = {"query": "sea", "documents": ["sea", "no", "sea and sea"], "top_n": 2, "return_documents": True}
    there = clients[0].post("/rerank", body={**body, "model": MODEL}, cast_to=dict[str, Any])
    here = clients[1].post("/rerank", body={**body, "model": "m"}, cast_to=dict[str, Any])
    assert [result["index"] for result in here["results"]] == [2, 0]
    assert here["results"] == there["results"]
