"""Text completions: whole and streamed, several prompts, log probabilities."""

import json
from typing import Any

import httpx

from tests.api.conftest import MODEL, StartServer


def ask(client: httpx.Client, **body: Any) -> httpx.Response:
    return client.post("/v1/completions", json={"model": MODEL, **body})


def chunks_of(response: httpx.Response) -> list[dict[str, Any]]:
    events = response.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    return [json.loads(event.removeprefix("data: ")) for event in events[:-2]]


def test_a_whole_text(client: httpx.Client) -> None:
    answer = ask(client, prompt="count 2").json()
    assert answer["object"] == "text_completion"
    assert answer["id"].startswith("cmpl-")
    assert answer["choices"] == [{"index": 0, "text": "0 1 ", "logprobs": None, "finish_reason": "stop"}]
    assert answer["usage"]["completion_tokens"] == 2


def test_several_prompts_with_several_choices(client: httpx.Client) -> None:
    answer = ask(client, prompt=["count 1", "count 2"], n=2).json()
    assert [(choice["index"], choice["text"]) for choice in answer["choices"]] == [
        (0, "0 "),
        (1, "0 "),
        (2, "0 1 "),
        (3, "0 1 "),
    ]
    assert answer["usage"]["completion_tokens"] == 6


def test_a_stream_put_together_is_the_plain_answer(client: httpx.Client) -> None:
    body: dict[str, Any] = {"prompt": ["count 3", "count 4"], "logprobs": 1}
    plain = ask(client, **body).json()
    streamed: dict[int, dict[str, Any]] = {}
    for chunk in chunks_of(ask(client, **body, stream=True)):
        for choice in chunk["choices"]:
            whole = streamed.setdefault(choice["index"], {"text": "", "logprobs": {}})
            whole["text"] += choice["text"]
            whole["finish_reason"] = choice["finish_reason"]
            for name, values in (choice["logprobs"] or {}).items():
                whole["logprobs"].setdefault(name, []).extend(values)
    for choice in plain["choices"]:
        assert streamed[choice.pop("index")] == choice


def test_log_probabilities_have_the_older_shape(client: httpx.Client) -> None:
    logprobs = ask(client, prompt="count 2", logprobs=1).json()["choices"][0]["logprobs"]
    assert logprobs == {
        "tokens": ["0 ", "1 "],
        "token_logprobs": [-0.5, -0.5],
        "top_logprobs": [{"0 ": -0.5, "other": -1.5}, {"1 ": -0.5, "other": -1.5}],
        "text_offset": [0, 2],
    }


def test_the_chosen_token_is_among_those_that_are_told(client: httpx.Client) -> None:
    logprobs = ask(client, prompt="surprise", logprobs=1).json()["choices"][0]["logprobs"]
    assert logprobs["top_logprobs"] == [{"other": -0.1, "odd": -4.0}, {"alone": -1.0}]


def test_usage_in_a_stream(client: httpx.Client) -> None:
    body = {"prompt": "count 1", "stream": True, "stream_options": {"include_usage": True}}
    *chunks, last = chunks_of(ask(client, **body))
    assert all(chunk["usage"] is None for chunk in chunks)
    assert (last["choices"], last["usage"]["completion_tokens"]) == ([], 1)


def test_mixed_prompts_and_best_of_are_refused(client: httpx.Client) -> None:
    mixed = ask(client, prompt=["text", 1])
    assert (mixed.status_code, mixed.json()["error"]["param"]) == (422, "prompt")
    empty = ask(client, prompt=[[1], []])
    assert (empty.status_code, empty.json()["error"]["param"]) == (422, "prompt[1]")
    best = ask(client, prompt="count 1", best_of=3)
    assert (best.status_code, best.json()["error"]["param"]) == (400, "best_of")


def test_more_prompts_than_the_queue_takes(start_server: StartServer) -> None:
    with start_server("[runtime]\nmax_waiting = 3\n") as server, server.client() as client:
        answer = ask(client, prompt=["count 1"] * 40)
        assert [choice["index"] for choice in answer.json()["choices"]] == list(range(40))
        assert answer.json()["usage"]["completion_tokens"] == 40


def test_an_error_of_one_prompt_is_the_requests_error(client: httpx.Client) -> None:
    answer = ask(client, prompt=["refuse", "count 1"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "context_length_exceeded")
