"""openai client -> jan-host -> jan-host -> a model, and no key on the way that anybody can see."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.core.library.parts import SEEDS
from tests.examples.poem import write_model
from tests.plugins.openai.conftest import KEY
from tests.plugins.openai.servers import Server, jan_host, put
from tests.plugins.openai.upstream import PATIENCE, WORDS, Exchange, Upstream, running, talk

FRONT_KEY = "front-key-000111222"
AZURE_ID = "openai.azure.com/docs-test-001/gpt4-turbo"


@pytest.fixture(scope="module")
def back(tmp_path_factory: pytest.TempPathFactory, smollm2: Path) -> Iterator[Server]:
    """The jan-host that has models, and asks for a key."""
    root = tmp_path_factory.mktemp("back")
    (root / "models" / "sea").mkdir(parents=True)
    write_model(root / "models" / "sea")
    (root / "models" / "smol").mkdir()
    (root / "models" / "smol" / smollm2.name).symlink_to(smollm2)
    (root / "config.toml").write_text('[server]\napi_keys = ["env:BACK_KEY"]\n')
    with jan_host(root, BACK_KEY=KEY) as server:
        yield server


@pytest.fixture(scope="module")
def far() -> Iterator[Upstream]:
    """An upstream that is no jan-host; what it says tells the key that it got."""

    async def echo(exchange: Exchange) -> None:
        if "fail" in json.dumps(exchange.request.body or {}):
            headers = exchange.request.headers
            got = headers.get("api-key", "") + headers.get("authorization", "")
            await exchange.send(401, {"error": {"message": f"The key {got} is wrong.", "code": got}})
        elif exchange.request.method == "GET":
            await exchange.send(200, {"data": [{"id": "listed"}]})
        else:
            await talk(exchange)

    with running() as upstream:
        upstream.script = echo
        yield upstream


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, back: Server, far: Upstream) -> Iterator[Server]:
    """The jan-host that is asked. It names its keys, but for one that stands in a model.json."""
    root = tmp_path_factory.mktemp("front")
    remote: dict[str, Any] = {"engine": "openai", "format": "api"}
    there = {"base_url": back.url, "api_key": "env:UPSTREAM_KEY"}
    put(root, "sea", {**remote, "id": "far/sea", "settings": {**there, "model": "sea"}})
    put(root, "smol", {**remote, "id": "smol", "settings": there})
    put(root, "absent", {**remote, "id": "absent", "settings": there})
    put(root, "keyless", {**remote, "id": "keyless", "settings": {"base_url": back.url, "model": "sea"}})
    put(root, "literal", {**remote, "id": "literal", "settings": {"base_url": far.url, "API-KEY": KEY}})
    both = [{"base_url": "http://127.0.0.1:9/v1"}, {"base_url": back.url}]
    put(
        root, "cluster", {**remote, "id": "cluster", "settings": {**there, "model": "sea", "upstreams": both}}
    )
    seed = (SEEDS / "model-azure-openai-gpt4-turbo.json").read_text()
    assert '"API-KEY": ""' in seed
    (root / "models" / "azure-openai").mkdir()
    azure = root / "models" / "azure-openai" / "azure-openai-gpt4-turbo.json"
    azure.write_text(seed.replace('"API-KEY": ""', '"API-KEY": "env:UPSTREAM_KEY"'))
    # Azure's own address stands in the file; here it leads to the upstream of the tests.
    (root / "engines" / "azure_openai").mkdir(parents=True)
    (root / "engines" / "azure_openai" / "engine.json").write_text(json.dumps({"base_url": far.url}))
    host = far.url.removeprefix("http://")
    (root / "config.toml").write_text(
        f'[server]\napi_keys = ["env:FRONT_KEY"]\n[plugins.openai.keys]\n"{host}" = "env:UPSTREAM_KEY"\n'
    )
    with jan_host(root, UPSTREAM_KEY=KEY, FRONT_KEY=FRONT_KEY) as server:
        yield server


@pytest.fixture(scope="module")
def client(front: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{front.url}/v1", api_key=FRONT_KEY, max_retries=0, timeout=120) as made:
        yield made


@pytest.fixture(scope="module")
def direct(back: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{back.url}/v1", api_key=KEY, max_retries=0, timeout=120) as made:
        yield made


ASK: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Once upon a time there was"}],
    "temperature": 0,
    "max_tokens": 12,
}


@pytest.mark.parametrize("model", ["far/sea", "cluster"])
@pytest.mark.parametrize("options", [{}, {"n": 2}, {"stop": [" was"]}, {"seed": 7, "temperature": 1}])
def test_an_answer_is_what_the_model_itself_answers(
    client: openai.OpenAI, direct: openai.OpenAI, model: str, options: dict[str, Any]
) -> None:
    there = direct.chat.completions.create(**{"model": "sea", **ASK, **options})
    here = client.chat.completions.create(**{"model": model, **ASK, **options})
    assert [choice.message.content for choice in here.choices] == [c.message.content for c in there.choices]
    assert [choice.finish_reason for choice in here.choices] == [c.finish_reason for c in there.choices]
    assert here.model == model
    assert here.usage is not None
    assert there.usage is not None
    assert here.usage.total_tokens == there.usage.total_tokens
    stream = client.chat.completions.create(
        **{"model": model, **ASK, **options}, stream=True, stream_options={"include_usage": True}
    )
    texts = [""] * len(there.choices)
    for chunk in stream:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
        usage = chunk.usage
    assert texts == [choice.message.content for choice in there.choices]
    assert usage is not None
    assert usage.total_tokens == there.usage.total_tokens


def test_completions(client: openai.OpenAI, direct: openai.OpenAI) -> None:
    ask: dict[str, Any] = {"prompt": ["The capital", "The bottle"], "temperature": 0, "max_tokens": 8}
    there = direct.completions.create(model="sea", **ask)
    here = client.completions.create(model="far/sea", **ask)
    assert [choice.text for choice in here.choices] == [choice.text for choice in there.choices]
    pieces = ["", ""]
    for chunk in client.completions.create(model="far/sea", stream=True, **ask):
        pieces[chunk.choices[0].index] += chunk.choices[0].text
    assert pieces == [choice.text for choice in there.choices]


def test_the_real_model(client: openai.OpenAI, direct: openai.OpenAI) -> None:
    system: Any = {"role": "system", "content": "You are a helpful assistant."}
    question: Any = {"role": "user", "content": "What is the capital of France?"}
    ask: dict[str, Any] = {
        "model": "smol",
        "messages": [system, question],
        "temperature": 0,
        "max_tokens": 16,
    }
    ask["max_tokens"] = 16
    there = direct.chat.completions.create(**ask)
    here = client.chat.completions.create(**ask)
    assert "Paris" in (here.choices[0].message.content or "")
    assert here.choices[0].message.content == there.choices[0].message.content
    assert here.usage is not None
    assert there.usage is not None
    assert here.usage.completion_tokens == there.usage.completion_tokens
    stream = client.chat.completions.create(**ask, stream=True)
    text = "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)
    assert text == there.choices[0].message.content


def test_errors_come_through_both_hosts(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="absent", **ASK)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as long:
        client.chat.completions.create(model="far/sea", messages=[{"role": "user", "content": "sea " * 5000}])
    assert long.value.code == "context_length_exceeded"
    with pytest.raises(openai.APIStatusError) as unable:
        client.embeddings.create(model="far/sea", input="x")
    assert (unable.value.status_code, unable.value.code) == (400, "unsupported")
    with pytest.raises(openai.AuthenticationError, match="refused the key that this host has"):
        client.chat.completions.create(model="keyless", **ASK)


def test_the_azure_file_of_the_seeds_works_as_printed(client: openai.OpenAI, far: Upstream) -> None:
    answer = client.chat.completions.create(model=AZURE_ID, messages=[{"role": "user", "content": "Hello"}])
    assert answer.choices[0].message.content == "".join(WORDS)
    asked = far.last
    assert asked.path == "/openai/deployments/gpt4-turbo/chat/completions?api-version=2023-05-15"
    assert asked.headers["api-key"] == KEY
    assert FRONT_KEY not in json.dumps(asked.headers)
    assert {
        name: asked.body[name] for name in ("temperature", "max_tokens", "presence_penalty", "top_p")
    } == {
        "temperature": 0.7,
        "max_tokens": 2048,
        "presence_penalty": 0.0,
        "top_p": 1.0,
    }


class Noting:
    """A client that keeps all that it sees."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http
        self.seen: list[str] = []

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = self.http.request(method, path, json=body)
        self.seen.append(f"{answer.status_code} {dict(answer.headers)} {answer.text}")
        found: dict[str, Any] = answer.json() if "json" in answer.headers["content-type"] else {}
        return found

    def fail(self) -> None:
        """Let upstreams repeat the key that they got."""
        for stream in (True, False):
            for model in ("literal", AZURE_ID, "keyless", "absent"):
                body = {"model": model, "messages": [{"role": "user", "content": "fail"}], "stream": stream}
                self.ask("POST", "/v1/chat/completions", body)
        for overrides in ({"api_key": KEY, "headers": {"X": KEY}}, {"api_keys": KEY}, {"api_key": [KEY]}):
            self.ask("PUT", "/v1/models/literal/start", overrides)

    def pull(self, origin: str) -> None:
        """Plan and pull, and follow the events until the model is there."""
        self.ask("POST", "/v1/models/plan", {"origin": origin})
        with self.http.stream("GET", "/v1/events") as events:
            lines = events.iter_lines()
            self.seen.append(next(lines))
            self.ask("POST", "/v1/models/pull", {"origin": origin})
            for line in lines:
                self.seen.append(line)
                if "library" in line:
                    break

    def look_around(self) -> dict[str, dict[str, Any]]:
        """Ask every route that shows something; the models by id."""
        models = {model["id"]: model for model in self.ask("GET", "/v1/models")["data"]}
        for name in models:
            self.ask("GET", f"/v1/models/{name}")
        for path in ("/v1/engines", "/v1/plugins", "/v1/downloads", "/openapi.json", "/v1/nothing"):
            self.ask("GET", path)
        return models


def test_no_key_is_seen_anywhere(client: openai.OpenAI, front: Server, back: Server, far: Upstream) -> None:
    bearer = {"Authorization": f"Bearer {FRONT_KEY}"}
    with httpx.Client(base_url=front.url, headers=bearer, timeout=PATIENCE, trust_env=False) as http:
        noting = Noting(http)
        noting.fail()
        noting.pull(f"openai:{far.url}")
        models = noting.look_around()
    pulled = f"{far.url.removeprefix('http://')}/listed"
    assert models["literal"]["settings"]["API-KEY"] == "***"
    assert models[AZURE_ID]["settings"]["API-KEY"] == "env:UPSTREAM_KEY"
    assert models[pulled]["settings"]["api_key"] == "env:UPSTREAM_KEY"
    assert models[pulled]["status"] == "remote"
    assert client.chat.completions.create(model=pulled, **ASK).choices[0].message.content == "".join(WORDS)
    assert "The key" in " ".join(noting.seen)
    for text in (*noting.seen, front.log.read_text(), back.log.read_text()):
        assert KEY not in text
        assert FRONT_KEY not in text
    assert "env:NAME" in front.log.read_text(), "the literal key is warned of"
    written = [file for file in front.root.rglob("*.json") if file.parent.name != "literal"]
    assert len(written) > 6
    assert [file for file in written if KEY in file.read_text()] == []
