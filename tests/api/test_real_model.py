"""A real model through a real server: what a user of SmolLM2 sees, and what a crash or a bad file costs."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import psutil
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.cli.conftest import environment
from tests.examples.servers import serving

MODEL = "smol"
QUESTION: list[ChatCompletionMessageParam] = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "What is the capital of France?"},
]
ANSWER = "The capital of France is Paris."
SECONDS = 120


@dataclass(frozen=True, slots=True)
class Served:
    """A server with its root and its process."""

    url: str
    root: Path
    process: psutil.Process
    client: openai.OpenAI

    def get(self, path: str) -> dict[str, Any]:
        answer: dict[str, Any] = httpx.get(self.url + path, timeout=SECONDS, trust_env=False).json()
        return answer

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return httpx.post(self.url + path, json=body, timeout=SECONDS, trust_env=False)

    def worker(self) -> psutil.Process:
        """The process of the only model that runs."""
        (child,) = self.process.children()
        return child


def lay_out(root: Path, model: Path) -> None:
    folder = root / "models" / MODEL
    folder.mkdir(parents=True)
    (folder / model.name).symlink_to(model)
    document = {"settings": {"ctx_len": 512, "n_parallel": 8}}
    (folder / "model.json").write_text(json.dumps(document))


@pytest.fixture(scope="module")
def server(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with SmolLM2."""
    root = tmp_path_factory.mktemp("root")
    lay_out(root, smollm2)
    command = [sys.executable, "-m", "jan_host.cli", "serve", "--root", str(root)]
    with serving(command, environment(), root) as url:
        said = json.loads((root / "server.json").read_text())
        with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=SECONDS) as client:
            yield Served(url, root, psutil.Process(said["pid"]), client)


def test_the_openai_client_lists_and_retrieves(server: Served) -> None:
    client = server.client
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).owned_by == "you"
    with pytest.raises(openai.NotFoundError, match="nobody"):
        client.models.retrieve("nobody")


def test_a_chat_and_its_stream_are_the_same_answer(server: Served) -> None:
    client = server.client
    plain = client.chat.completions.create(model=MODEL, messages=QUESTION, temperature=0)
    assert plain.choices[0].message.content == ANSWER
    assert plain.choices[0].finish_reason == "stop"
    assert plain.usage is not None
    assert plain.usage.prompt_tokens + plain.usage.completion_tokens == plain.usage.total_tokens
    stream = client.chat.completions.create(
        model=MODEL, messages=QUESTION, temperature=0, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == ANSWER
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == plain.usage.completion_tokens


def test_a_completion(server: Served) -> None:
    done = server.client.completions.create(
        model=MODEL, prompt=["One, two, three,", "A, B, C, D, E, F,"], max_tokens=4, temperature=0
    )
    assert [choice.index for choice in done.choices] == [0, 1]
    assert "four" in done.choices[0].text
    assert "G" in done.choices[1].text


def test_tokens(server: Served) -> None:
    body = {"model": MODEL, "input": "How many tokens does this text have? <|im_end|> 🤖"}
    tokens = server.post("/extras/tokenize", body).json()["tokens"]
    assert server.post("/extras/tokenize/count", body).json() == {"count": len(tokens)}
    text = server.post("/extras/detokenize", {"model": MODEL, "tokens": tokens}).json()["text"]
    assert text == body["input"]


def test_what_a_request_asks_too_much_of_is_said(server: Served) -> None:
    client = server.client
    long: list[ChatCompletionMessageParam] = [{"role": "user", "content": "word " * 600}]
    with pytest.raises(openai.BadRequestError, match="512") as refused:
        client.chat.completions.create(model=MODEL, messages=long)
    assert refused.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError, match="embed"):
        client.embeddings.create(model=MODEL, input="text")


def test_eight_streams_at_once_answer_as_one_alone(server: Served) -> None:
    client = server.client

    def ask(_: int) -> str:
        stream = client.chat.completions.create(model=MODEL, messages=QUESTION, temperature=0, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [ANSWER] * 8


def _story(client: openai.OpenAI) -> "openai.Stream[Any]":
    return client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Tell me a long story."}],
        max_tokens=400,
        stream=True,
        extra_body={"ignore_eos": True},
    )


def test_a_killed_worker_costs_its_requests_alone(server: Served) -> None:
    client = server.client
    stream = _story(client)
    next(stream)
    server.worker().kill()
    with pytest.raises(openai.APIError, match="SIGKILL"):
        list(stream)
    answer = client.chat.completions.create(model=MODEL, messages=QUESTION, temperature=0)
    assert answer.choices[0].message.content == ANSWER
    model = server.get(f"/v1/models/{MODEL}")
    assert model["status"] == "running"
    assert "SIGKILL" in model["status_reason"]


def test_a_client_that_leaves_frees_its_place(server: Served) -> None:
    stream = _story(server.client)
    next(stream)
    assert server.get(f"/v1/models/{MODEL}")["requests"] == 1
    stream.close()
    idle = threading.Event()
    for _ in range(100):
        if server.get(f"/v1/models/{MODEL}")["requests"] == 0:
            return
        idle.wait(0.05)
    raise AssertionError("the request of a client that left still runs")


@pytest.fixture(scope="module")
def bad_files(server: Served, smollm2: Path) -> dict[str, dict[str, Any]]:
    """Models of bad files by their ids, as they are listed once they are no unfinished copies any more."""
    good = smollm2.read_bytes()
    header = good[:8]
    contents = {
        "text": b"This is a text and no model.\n" * 100,
        "truncated": good[: len(good) // 2],
        "promises": header + (2**40).to_bytes(8, "little") + good[16:4096],
        "garbage": header + os.urandom(4096),
        "empty": b"",
    }
    missing = set(contents)
    with httpx.stream("GET", f"{server.url}/v1/events", timeout=SECONDS, trust_env=False) as answer:
        lines = answer.iter_lines()
        next(lines)
        for name, content in contents.items():
            folder = server.root / "models" / name
            folder.mkdir()
            (folder / f"{name}.gguf").write_bytes(content)
        for line in lines:
            if line.startswith("data: "):
                missing.difference_update(json.loads(line.removeprefix("data: ")).get("models", ()))
            if not missing:
                break
    return {model["id"]: model for model in server.get("/v1/models")["data"]}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("text", "not a GGUF file"),
        ("truncated", "its header promises 98362432 bytes, and the file has 49181216"),
        ("promises", "damaged: it claims to have 1099511627776 tensors"),
        ("garbage", "damaged"),
        ("empty", "is empty"),
    ],
)
def test_a_bad_file_costs_itself_alone(
    server: Served, bad_files: dict[str, dict[str, Any]], name: str, reason: str
) -> None:
    assert bad_files[name]["status"] == "broken"
    assert bad_files[name]["status_reason"]
    started = httpx.put(f"{server.url}/v1/models/{name}/start", timeout=SECONDS, trust_env=False)
    assert started.is_error
    error = started.json()["error"]
    assert error["code"] in ("model_broken", "model_load_failed")
    assert name in error["message"]
    assert reason in error["message"]
    assert server.get("/health")["status"] == "ok"
    assert bad_files[MODEL]["status"] in ("running", "downloaded")


def test_a_host_that_is_killed_leaves_nothing_behind(smollm2: Path, tmp_path: Path) -> None:
    lay_out(tmp_path, smollm2)
    child = subprocess.Popen(
        [sys.executable, "-m", "jan_host.cli", "serve", "--root", str(tmp_path), "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert child.stderr is not None
    try:
        url = next(word for line in child.stderr for word in line.split() if word.startswith("http://"))
        with openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=SECONDS) as client:
            next(_story(client))
            family = psutil.Process(child.pid).children(recursive=True)
            assert family
            child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
        child.stderr.close()
    _, left = psutil.wait_procs(family, timeout=30)
    # A process that ended and that nobody has reaped yet is gone as well.
    assert [process for process in left if process.status() != psutil.STATUS_ZOMBIE] == []
