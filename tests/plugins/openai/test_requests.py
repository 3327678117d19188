"""What is sent to an upstream."""

import json
from typing import Any

import msgspec
import pytest
from jan_host import (
    ChatMessage,
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    RerankRequest,
    TextPart,
    Tool,
    UpstreamError,
    to_json,
)
from jan_host_openai.requests import chat_body, is_reasoning

from tests.plugins.openai.conftest import LoadModel
from tests.plugins.openai.upstream import Exchange, Upstream

HELLO = {"role": "user", "content": "Hello"}


def sent(request: dict[str, Any], *, reasoning: bool = False, usage: bool = True) -> dict[str, Any]:
    decoded = msgspec.convert({"messages": [HELLO], "model": "ours", **request}, ChatRequest)
    return plain(chat_body(decoded, "theirs", reasoning=reasoning, usage=usage))


def plain(body: msgspec.Struct) -> dict[str, Any]:
    """What goes out."""
    found: dict[str, Any] = json.loads(to_json(body))
    return found


@pytest.mark.parametrize(
    ("request_", "reasoning", "body"),
    [
        ({}, False, {"stream": False}),
        ({"stream": True}, False, {"stream": True, "stream_options": {"include_usage": True}}),
        ({"max_tokens": 5}, False, {"stream": False, "max_tokens": 5}),
        ({"max_completion_tokens": 6, "max_tokens": 5}, False, {"stream": False, "max_tokens": 6}),
        ({"max_tokens": 5}, True, {"stream": False, "max_completion_tokens": 5}),
        (
            {"temperature": 0.5, "top_p": 1, "presence_penalty": 1, "frequency_penalty": 1, "seed": 3},
            True,
            {"stream": False, "seed": 3},
        ),
        (
            {"temperature": 0.0, "logprobs": True},
            False,
            {"stream": False, "temperature": 0.0, "logprobs": True},
        ),
        ({"logprobs": True}, True, {"stream": False, "logprobs": True}),
        (
            {"$extra": {"future": {"a": [1]}}, "user": "u"},
            False,
            {"stream": False, "future": {"a": [1]}, "user": "u"},
        ),
    ],
)
def test_a_body(request_: dict[str, Any], reasoning: bool, body: dict[str, Any]) -> None:
    assert sent(request_, reasoning=reasoning) == {"model": "theirs", "messages": [HELLO], **body}


def test_usage_is_not_asked_for_where_it_is_not_known() -> None:
    assert "stream_options" not in sent({"stream": True}, usage=False)


def test_messages_tools_and_formats_go_out_as_they_came() -> None:
    given: dict[str, Any] = {
        "messages": [
            {"role": "developer", "content": "Be kind."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is it?"},
                    {
                        "type": "image_url",
                        "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"},
                    },
                ],
            },
            {
                "role": "assistant",
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "c", "content": "4"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": {"type": "object"}},
        },
        "logit_bias": {"7": -100.0},
        "n": 2,
    }
    assert sent(given) == {"model": "theirs", "stream": False, **given}


@pytest.mark.parametrize(
    ("model", "reasoning"),
    [
        ("o1", True), ("o3-mini", True), ("o4-mini-2025-04-16", True), ("gpt-5", True),
        ("openai/gpt-5-mini", True),
        ("gpt-5-chat-latest", False), ("gpt-4o", False), ("gpt-4.1", False), ("llama-3", False),
        ("openhermes", False),
    ],
)  # fmt: skip
def test_reasoning_models_are_known_by_name(model: str, reasoning: bool) -> None:
    assert is_reasoning(model) is reasoning


async def test_embeddings(upstream: Upstream, load: LoadModel) -> None:
    async def embed(exchange: Exchange) -> None:
        data = [{"index": 1, "embedding": [0, 1]}, {"index": 0, "embedding": [0.5, 0.25]}]
        await exchange.send(200, {"data": data, "usage": {"prompt_tokens": 4, "total_tokens": 4}})

    upstream.script = embed
    model = await load(base_url=upstream.url, model="theirs")
    request = EmbeddingRequest(input=["a", "b"], encoding_format="base64", dimensions=2, extra={"own": 1})
    result = await model.embed(request)
    assert result.embeddings == [[0.5, 0.25], [0.0, 1.0]]
    assert result.usage.prompt_tokens == 4
    assert upstream.last.path == "/v1/embeddings"
    assert upstream.last.body == {
        "model": "theirs", "input": ["a", "b"], "encoding_format": "float", "dimensions": 2, "own": 1,
    }  # fmt: skip


async def test_rerank(upstream: Upstream, load: LoadModel) -> None:
    results = [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]

    async def rank(exchange: Exchange) -> None:
        await exchange.send(200, {"results": results})

    upstream.script = rank
    model = await load(base_url=upstream.url)
    request = RerankRequest(query="q", documents=["a", "b"], top_n=1)
    assert (await model.rerank(request)).scores == [0.1, 0.9]
    assert "top_n" not in upstream.last.body
    results.pop()
    with pytest.raises(UpstreamError, match="every document"):
        await model.rerank(request)


def test_what_structs_leave_out_is_what_clients_left_out() -> None:
    request = ChatRequest(
        messages=[ChatMessage(role="user", content=[TextPart(text="x")])],
        tools=[msgspec.convert({"function": {"name": "f"}}, Tool)],
    )
    body = plain(chat_body(request, "m", reasoning=False, usage=False))
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "x"}]}]
    assert body["tools"] == [{"type": "function", "function": {"name": "f"}}]
    assert "prompt" not in body
    assert CompletionRequest(prompt="x").token_limit() is None
