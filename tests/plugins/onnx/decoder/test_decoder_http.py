"""A decoder in ONNX through a real server and OpenAI's client: what a user sees, and what a crash costs."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import openai
import psutil
import pytest

from tests.cli.conftest import environment
from tests.examples.servers import serving
from tests.plugins.onnx.decoder.folders import decoder_folder

MODEL = "smol-onnx"
ANSWER = "The capital of France is Paris."


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[openai.OpenAI, psutil.Process]]:
    """A client and the server's process."""
    root = tmp_path_factory.mktemp("root")
    folder, source = root / "models" / MODEL, decoder_folder("gqa")
    (folder / "onnx").mkdir(parents=True)
    for path in source.rglob("*.*"):
        if path.is_file():
            (folder / path.relative_to(source)).hardlink_to(path)
    document = {"settings": {"ctx_len": 512, "n_parallel": 4}}
    (folder / "model.json").write_text(json.dumps(document))
    command = [sys.executable, "-m", "jan_host.cli", "serve", "--root", str(root)]
    with (
        serving(command, environment(), root) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=120) as client,
    ):
        yield client, psutil.Process(json.loads((root / "server.json").read_text())["pid"])


def _stream(client: openai.OpenAI, **options: object) -> Any:
    return client.chat.completions.create(  # type: ignore[call-overload]  # options are open here
        model=MODEL,
        messages=[
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": "What is the capital of France?"},
        ],
        temperature=0,
        stream=True,
        **options,
    )


def test_a_stream_carries_log_probabilities(served: tuple[openai.OpenAI, psutil.Process]) -> None:
    client, _ = served
    text = ""
    tokens: list[Any] = []
    for chunk in _stream(client, logprobs=True, top_logprobs=2):
        choice = chunk.choices[0]
        text += choice.delta.content or ""
        tokens += choice.logprobs.content if choice.logprobs else []

    assert text == ANSWER
    assert "".join(token.token for token in tokens) == ANSWER
    assert all(len(token.top_logprobs) == 2 and token.logprob <= 0 for token in tokens)


def test_a_completion_carries_log_probabilities(served: tuple[openai.OpenAI, psutil.Process]) -> None:
    client, _ = served
    done = client.completions.create(
        model=MODEL, prompt="The capital of France is", max_tokens=2, temperature=0, logprobs=3
    )

    assert done.choices[0].text == " Paris."
    assert done.choices[0].logprobs is not None
    assert done.choices[0].logprobs.tokens == [" Paris", "."]
    assert done.choices[0].logprobs.text_offset == [0, 6]


def test_a_killed_worker_costs_its_requests_alone(served: tuple[openai.OpenAI, psutil.Process]) -> None:
    client, server = served
    stream = _stream(client, max_tokens=300, extra_body={"ignore_eos": True})
    next(stream)
    (worker,) = server.children()
    worker.kill()
    with pytest.raises(openai.APIError, match="SIGKILL"):
        list(stream)

    text = "".join(chunk.choices[0].delta.content or "" for chunk in _stream(client))
    assert text == ANSWER
