"""Two real models of two engines that do not fit together, and a model that comes and goes many times."""

import json
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import openai
import psutil
import pytest

from tests.api.test_real_model import ANSWER, QUESTION, SECONDS, Served
from tests.cli.conftest import environment
from tests.examples.servers import serving

CLIENTS = 4
TURNS = 4
ROUNDS = 20
BUDGET = 400_000_000
"""Bytes: enough for either model, and too few for both."""


@pytest.fixture
def small(smollm2: Path, minilm_int8: Path, minilm: Path, tmp_path: Path) -> Iterator[Served]:
    """A server with SmolLM2 and MiniLM whose memory holds one of them."""
    chat, embed = (tmp_path / "models" / name for name in ("smol", "minilm"))
    for folder in (chat, embed):
        folder.mkdir(parents=True)
    (chat / smollm2.name).symlink_to(smollm2)
    (chat / "model.json").write_text(json.dumps({"settings": {"ctx_len": 512, "n_parallel": 4}}))
    (embed / "model.onnx").symlink_to(minilm_int8)
    (embed / "tokenizer.json").symlink_to(minilm / "tokenizer.json")
    (tmp_path / "config.toml").write_text(f"[runtime]\nmemory_bytes = {BUDGET}\n")
    command = [sys.executable, "-m", "jan_host.cli", "serve", "--root", str(tmp_path)]
    with serving(command, environment(), tmp_path) as url:
        said = json.loads((tmp_path / "server.json").read_text())
        with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=SECONDS) as client:
            yield Served(url, tmp_path, psutil.Process(said["pid"]), client)


def test_both_answer_all_requests_though_one_alone_fits(small: Served) -> None:
    with httpx.Client(base_url=small.url, timeout=SECONDS, trust_env=False) as client:
        with client.stream("GET", "/v1/events") as answer:
            lines = answer.iter_lines()
            place = next(line for line in lines if line.startswith("id: ")).removeprefix("id: ")
        with ThreadPoolExecutor(CLIENTS) as threads:
            failures = list(threads.map(lambda number: ask_both(small, number), range(CLIENTS)))
        assert failures == [[]] * CLIENTS
        running = [model["id"] for model in client.get("/v1/models?filter=running").json()["data"]]
        assert len(running) == 1  # the other had to leave
        loads = list(loads_since(client, place, until=running[0]))
    for name in ("smol", "minilm"):
        assert loads.count(name) >= 2, loads  # each came back at least once


def ask_both(server: Served, number: int) -> list[str]:
    """One client, which calls both models by name in turns; what went wrong."""
    failures = []
    for turn in range(TURNS):
        if (number + turn) % 2:
            reply = server.post("/v1/embeddings", {"model": "minilm", "input": ["a ship", "the sea"]})
            right = (
                reply.is_success and [len(each["embedding"]) for each in reply.json()["data"]] == [384] * 2
            )
        else:
            body = {"model": "smol", "messages": QUESTION, "temperature": 0, "max_tokens": 10}
            reply = server.post("/v1/chat/completions", body)
            right = reply.is_success and reply.json()["choices"][0]["message"]["content"] == ANSWER
        if not right:
            failures.append(reply.text)
    return failures


def loads_since(client: httpx.Client, place: str, *, until: str) -> Iterator[str]:
    """The models that were started after an event, in their order, up to the last that came to run."""
    with client.stream("GET", "/v1/events", headers={"Last-Event-ID": place}) as answer:
        data = (line.removeprefix("data: ") for line in answer.iter_lines() if line.startswith("data: "))
        seen = [json.loads(next(data))]
        # The marker is an event of our own: a model is stopped that nobody uses any more.
        stopping = threading.Thread(target=httpx.put, args=(f"{client.base_url}/v1/models/{until}/stop",))
        stopping.start()
        for line in data:
            seen.append(json.loads(line))
            if seen[-1].get("status") == "stopping" and seen[-1]["reason"] is None:
                break
        stopping.join()
    return (event["model"] for event in seen if event.get("status") == "starting")


def test_memory_returns_after_each_of_many_rounds(small: Served) -> None:
    sizes = []
    with httpx.Client(base_url=small.url, timeout=SECONDS, trust_env=False) as client:
        for _ in range(ROUNDS):
            assert client.put("/v1/models/smol/start").json()["status"] == "running"
            assert client.put("/v1/models/smol/stop").json()["status"] == "downloaded"
            assert small.process.children(recursive=True) == []
            sizes.append(small.process.memory_info().rss)
    assert sizes[-1] < 1.1 * sizes[0], sizes
