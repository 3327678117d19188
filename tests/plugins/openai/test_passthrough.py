"""What jan-host does not know goes through two of them, in both directions."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.test_unknown import EVERYWHERE
from tests.plugins.openai.conftest import KEY
from tests.plugins.openai.servers import Server, jan_host, put
from tests.plugins.openai.upstream import PATIENCE, Exchange, Upstream, running

REMOTE = {"engine": "openai", "format": "api"}

CALLS: list[dict[str, Any]] = [
    {
        "id": "a",
        "type": "function",
        "function": {"name": "f", "arguments": '{"x": 1}', "own": 1},
        "extra_content": {"thought_signature": "t"},
    },
    {"id": "b", "type": "custom", "custom": {"name": "g", "input": "free text"}},
]
MESSAGE: dict[str, Any] = {
    "content": "Hello",
    "refusal": None,
    "reasoning": "Well",
    "reasoning_details": [{"type": "reasoning.text", "text": "Well"}],
    "annotations": [{"type": "url_citation"}],
    "audio": {"id": "sound"},
    "thinking_blocks": [],
}
ANSWER: dict[str, Any] = {
    "system_fingerprint": "fp_theirs",
    "service_tier": "flex",
    "citations": ["https://a.example", "https://b.example"],
    "provider": "Far",
    "x_groq": {"id": "req_1"},
}
CHOICE: dict[str, Any] = {"content_filter_results": {"hate": {"filtered": False}}, "matched_stop": 2}
USAGE: dict[str, Any] = {
    "prompt_tokens": 5,
    "completion_tokens": 7,
    "total_tokens": 12,
    "cost": 0.25,
    "prompt_tokens_details": {"cached_tokens": 1, "audio_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 3, "accepted_prediction_tokens": 4},
}
TOKEN: dict[str, Any] = {
    "token": "x", "logprob": -0.5, "bytes": [120], "token_id": None, "id": 7,
    "top_logprobs": [{"token": "x", "logprob": -0.5, "bytes": None, "token_id": None, "rank": 1}],
}  # fmt: skip


async def tell(exchange: Exchange) -> None:
    """Answer with more than anybody asked for."""
    body, path = exchange.request.body, exchange.request.path
    head = {"id": "theirs", "created": 1, "model": "theirs", **ANSWER}
    if path.endswith("/embeddings"):
        # In another order than asked: each goes back to its place, with all that is beside it.
        data = [
            {"object": "embedding", "index": place, "embedding": [1.0], "tokens": place} for place in (1, 0)
        ]
        await exchange.send(200, {"data": data, "usage": {"prompt_tokens": 1, "cost": 1}, "extra_list": [1]})
    elif path.endswith("/rerank"):
        results = [{"index": 0, "relevance_score": 0.5, "document": {"text": "d"}, "why": {"words": 1}}]
        await exchange.send(200, {"results": results, "usage": {"total_tokens": 1}, "meta": {"billed": 1}})
    elif path.endswith("/chat/completions") and not body["stream"]:
        message = {"role": "assistant", **MESSAGE, "tool_calls": CALLS}
        choice = {"index": 0, "message": message, "finish_reason": "eos_token", **CHOICE}
        await exchange.send(200, {**head, "choices": [choice], "usage": USAGE})
    elif path.endswith("/chat/completions"):
        await stream_chat(exchange, head)
    else:
        choice = {"index": 0, "text": "Hello", "finish_reason": "stop", **CHOICE}
        await exchange.send(200, {**head, "choices": [choice], "usage": USAGE})


async def stream_chat(exchange: Exchange, head: dict[str, Any]) -> None:
    await exchange.open()
    await exchange.event({"choices": [], "prompt_filter_results": [{"prompt_index": 0}]})
    if exchange.request.body["stream_options"].get("continuous_usage_stats"):
        for count in (1, 2):
            choice = {"index": 0, "delta": {"content": "x"}, "logprobs": {"content": [TOKEN]}}
            usage = {**USAGE, "completion_tokens": count}
            await exchange.event({**head, "choices": [choice], "usage": usage})
    for name, value in {"role": "assistant", **MESSAGE, "tool_calls": CALLS}.items():
        calls = [{"index": place, **call} for place, call in enumerate(CALLS)]
        delta = {name: calls if name == "tool_calls" else value}
        await exchange.event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    end = {"index": 0, "delta": {}, "finish_reason": "eos_token", **CHOICE}
    await exchange.event({**head, "choices": [end]})
    await exchange.event({**head, "choices": [], "usage": USAGE, "late": True})
    await exchange.push(b"data: [DONE]\n\n")
    await exchange.close()


@pytest.fixture(scope="module")
def far() -> Iterator[Upstream]:
    with running() as upstream:
        upstream.script = tell
        yield upstream


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, far: Upstream) -> Iterator[Server]:
    back_root, front_root = tmp_path_factory.mktemp("back"), tmp_path_factory.mktemp("front")
    # The key inside the list is spelt as the seeds spell it.
    inner = {"model": "theirs", "upstreams": [{"base_url": far.url, "API-KEY": "env:UPSTREAM_KEY"}]}
    put(back_root, "middle", {**REMOTE, "id": "middle", "settings": inner})
    with jan_host(back_root, UPSTREAM_KEY=KEY) as back:
        put(front_root, "m", {**REMOTE, "id": "m", "settings": {"base_url": back.url, "model": "middle"}})
        with jan_host(front_root) as server:
            yield server


def post(front: Server, path: str, body: dict[str, Any]) -> httpx.Response:
    answer = httpx.post(
        f"{front.url}/v1/{path}", json={"model": "m", **body}, timeout=PATIENCE, trust_env=False
    )
    assert answer.status_code == 200, answer.text
    return answer


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("stream", [True, False])
def test_a_request(front: Server, far: Upstream, stream: bool) -> None:
    post(front, "chat/completions", {**EVERYWHERE, "stream": stream})
    sent = far.last.body
    expected = {**EVERYWHERE, "model": "theirs", "stream": stream}
    if not stream:
        del expected["stream_options"]
    assert sent == expected
    assert far.last.headers["authorization"] == f"Bearer {KEY}"


def test_an_answer_in_one_piece(front: Server) -> None:
    answer = post(front, "chat/completions", {"messages": [{"role": "user", "content": "x"}]}).json()
    (choice,) = answer.pop("choices")
    assert {name: answer[name] for name in ANSWER} == ANSWER
    assert (answer["model"], answer["usage"]) == ("m", USAGE)
    assert answer["id"].startswith("chatcmpl-")
    message = choice.pop("message")
    assert message == {
        "role": "assistant", **MESSAGE, "reasoning_content": "Well", "tool_calls": CALLS,
    }  # fmt: skip
    assert choice == {
        "index": 0, "logprobs": None, "finish_reason": "stop", "native_finish_reason": "eos_token", **CHOICE,
    }  # fmt: skip


def test_a_stream(front: Server) -> None:
    body = {"messages": [{"role": "user", "content": "x"}], "stream": True}
    chunks = events(post(front, "chat/completions", {**body, "stream_options": {"include_usage": True}}))
    assert chunks[-1]["usage"] == USAGE
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["late"] is True
    message: dict[str, Any] = {}
    choice: dict[str, Any] = {}
    for chunk in chunks:
        assert {name: chunk[name] for name in ANSWER} == ANSWER
        assert chunk["prompt_filter_results"] == [{"prompt_index": 0}]
        assert chunk["model"] == "m"
        for each in chunk["choices"]:
            delta = each.pop("delta")
            # Each field comes once, but for the content, which opens the stream empty.
            message |= {name: value for name, value in delta.items() if value or name not in message}
            choice |= {name: value for name, value in each.items() if value is not None}
    calls = [{"index": place, **call} for place, call in enumerate(CALLS)]
    expected = {name: value for name, value in MESSAGE.items() if name != "refusal"}
    assert message == {"role": "assistant", **expected, "reasoning_content": "Well", "tool_calls": calls}
    assert choice == {
        "index": 0, "finish_reason": "stop", "native_finish_reason": "eos_token", **CHOICE,
    }  # fmt: skip


def test_completions_embeddings_and_rerank(front: Server) -> None:
    answer = post(front, "completions", {"prompt": "x", "own": {"a": 1}}).json()
    assert {name: answer[name] for name in ANSWER} == ANSWER
    assert answer["choices"] == [
        {"index": 0, "text": "Hello", "logprobs": None, "finish_reason": "stop", **CHOICE}
    ]
    vectors = post(front, "embeddings", {"input": ["x", "y"], "task": "query"}).json()
    assert vectors["data"] == [
        {"object": "embedding", "index": place, "embedding": [1.0], "tokens": place} for place in (0, 1)
    ]
    assert vectors["extra_list"] == [1]
    assert vectors["usage"] == {"prompt_tokens": 1, "total_tokens": 1, "cost": 1}
    ranks = post(front, "rerank", {"query": "q", "documents": ["d"], "own": 1}).json()
    assert ranks["meta"] == {"billed": 1}
    assert ranks["results"] == [{"index": 0, "relevance_score": 0.5, "why": {"words": 1}}]


def test_usage_that_grows_and_single_tokens(front: Server) -> None:
    body = {"messages": [{"role": "user", "content": "x"}], "stream": True, "logprobs": True}
    options = {"include_usage": True, "continuous_usage_stats": True}
    chunks = events(post(front, "chat/completions", {**body, "stream_options": options}))
    told = [chunk["usage"]["completion_tokens"] for chunk in chunks]
    # The first delta makes two chunks here, one of them with the role; each chunk has the usage so far.
    last = USAGE["completion_tokens"]
    assert (told[:3], told[-2:]) == ([1, 1, 2], [last, last])
    assert set(told[3:-2]) == {2}
    tokens = [
        token for chunk in chunks for choice in chunk["choices"] if choice["logprobs"]
        for token in choice["logprobs"]["content"]
    ]  # fmt: skip
    assert tokens == [TOKEN, TOKEN]


def test_usage_of_several_prompts_is_added_up(front: Server) -> None:
    usage = post(front, "completions", {"prompt": ["x", "y"]}).json()["usage"]
    assert usage == {
        "prompt_tokens": 10,
        "completion_tokens": 14,
        "total_tokens": 24,
        "cost": 0.5,
        "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 6, "accepted_prediction_tokens": 8},
    }


@pytest.mark.parametrize("choice", ["any", "required", {"type": "any"}])
def test_words_that_are_not_known_here(front: Server, far: Upstream, choice: Any) -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    messages = [{"role": "critic", "content": "x"}, {"role": "user", "content": "y"}]
    body = {"messages": messages, "tools": tools, "tool_choice": choice, "max_tokens": -1, "top_k": -1}
    post(front, "chat/completions", body)
    sent = far.last.body
    assert (sent["messages"], sent["tool_choice"], sent["top_k"]) == (messages, choice, 0)
    assert "max_tokens" not in sent


@pytest.mark.parametrize(
    "extra",
    [
        {"structured_outputs": {"structural_tag": "{}"}},
        {"structured_outputs": {"json": {}, "regex": "x"}},
        {"guided_json": "a name that this server gave a schema"},
        {"n_predict": "many"},
    ],
)
def test_words_of_other_servers_that_mean_something_else_there(
    front: Server, far: Upstream, extra: dict[str, Any]
) -> None:
    post(front, "chat/completions", {"messages": [{"role": "user", "content": "x"}], **extra})
    assert far.last.body.items() >= extra.items()
