"""Azure's addresses, headers and errors; sign-in with Entra ID; addresses in general."""

import sys
from typing import Any

import pytest
from jan_host import ChatMessage, ChatRequest, EmbeddingRequest, ModelLoadError, UpstreamError
from jan_host_openai.addresses import base_url, is_azure
from jan_host_openai.engine import AzureOpenAIEngine, OpenAIEngine
from jan_host_openai.entra import SCOPE, token_provider

from tests.plugins.openai.conftest import KEY, LoadModel
from tests.plugins.openai.upstream import WORDS, Exchange, Upstream, collect

ID = "openai.azure.com/res/gpt4-turbo"


def chat(**options: Any) -> ChatRequest:
    return ChatRequest(messages=[ChatMessage(role="user", content="Hello")], **options)


async def test_a_deployment(upstream: Upstream, load: LoadModel) -> None:
    model = await load(azure=True, model_id=ID, origin=upstream.url, api_version="2023-05-15")
    deltas = await collect(model.chat(chat(stream=True)))
    assert "".join(delta.text for delta in deltas) == "".join(WORDS)
    asked = upstream.last
    assert asked.path == "/openai/deployments/gpt4-turbo/chat/completions?api-version=2023-05-15"
    assert asked.headers["api-key"] == KEY
    assert "authorization" not in asked.headers
    assert "stream_options" not in asked.body, "this version does not know it"


async def test_a_deployment_that_is_named_and_newer(upstream: Upstream, load: LoadModel) -> None:
    model = await load(azure=True, base_url=f"{upstream.url}/", deployment_name="d-1", model="o3-mini")
    await collect(model.chat(chat(stream=True, max_tokens=9)))
    assert upstream.last.path == "/openai/deployments/d-1/chat/completions?api-version=2024-10-21"
    assert upstream.last.body["stream_options"] == {"include_usage": True}
    assert upstream.last.body["max_completion_tokens"] == 9


async def test_embeddings_of_a_deployment(upstream: Upstream, load: LoadModel) -> None:
    async def embed(exchange: Exchange) -> None:
        await exchange.send(200, {"data": [{"index": 0, "embedding": [1]}]})

    upstream.script = embed
    model = await load(azure=True, model_id=ID, origin=upstream.url)
    assert (await model.embed(EmbeddingRequest(input="x"))).embeddings == [[1.0]]
    assert upstream.last.path.startswith("/openai/deployments/gpt4-turbo/embeddings?")


async def test_azures_errors(upstream: Upstream, load: LoadModel) -> None:
    async def refuse(exchange: Exchange) -> None:
        message = "Access denied due to invalid subscription key or wrong API endpoint."
        await exchange.send(401, {"error": {"code": "401", "message": message}})

    upstream.script = refuse
    model = await load(azure=True, model_id=ID, origin=upstream.url)
    with pytest.raises(UpstreamError, match="invalid subscription key") as caught:
        await collect(model.chat(chat()))
    assert (caught.value.http_status, caught.value.code) == (401, "401")


async def test_neither_key_nor_sign_in(load: LoadModel, upstream: Upstream) -> None:
    with pytest.raises(ModelLoadError, match="entra_id"):
        await load(azure=True, origin=upstream.url, api_key=None)
    with pytest.raises(ModelLoadError, match="base_url"):
        await load(azure=True)


async def test_entra_id_without_its_package_names_the_cure(
    load: LoadModel, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "azure", None)
    with pytest.raises(ModelLoadError, match="pip install"):
        await load(azure=True, origin=upstream.url, api_key=None, entra_id=True)


class Credential:
    """A credential as azure-identity's are: what comes from it goes into the header."""

    closed = False

    def __init__(self, *_: Any, **__: Any) -> None:
        self.token = "entra-token-123456"

    async def get_token(self, *scopes: str) -> "Credential":
        assert scopes == (SCOPE,)
        if not self.token:
            raise ZeroDivisionError("the secret of the sign-in")
        return self

    async def close(self) -> None:
        Credential.closed = True


async def test_entra_id(load: LoadModel, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jan_host_openai.engine.default_credential", Credential)
    model = await load(azure=True, model_id=ID, origin=upstream.url, api_key=None, entra_id=True)
    await collect(model.chat(chat()))
    assert upstream.last.headers["authorization"] == "Bearer entra-token-123456"
    assert "api-key" not in upstream.last.headers
    await model.unload()
    assert Credential.closed


async def test_a_sign_in_that_fails_tells_no_secret() -> None:
    credential = Credential()
    credential.token = ""
    with pytest.raises(UpstreamError, match="az login") as caught:
        await token_provider(credential)()
    assert "the secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("api.openai.com", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("localhost:1337", "http://localhost:1337/v1"),
        ("http://10.0.0.7:8000", "http://10.0.0.7:8000/v1"),
        ("https://openrouter.ai/api/v1?x=1", "https://openrouter.ai/api/v1"),
    ],
)
def test_addresses(written: str, url: str) -> None:
    assert base_url(written) == url


@pytest.mark.parametrize(
    "written", ["", "ftp://h/v1", "https://", "https://user:pw@h/v1", "http://[", "http://h:x/"]
)
def test_what_is_no_address_is_refused_and_not_repeated(written: str) -> None:
    with pytest.raises(ModelLoadError) as caught:
        base_url(written)
    assert "pw" not in str(caught.value)


def test_whose_origin_it_is() -> None:
    azure, openai = AzureOpenAIEngine(), OpenAIEngine()
    assert azure.accepts("https://docs-test-001.openai.azure.com/")
    assert not openai.accepts("https://docs-test-001.openai.azure.com/")
    assert openai.accepts("api.openai.com")
    assert not azure.accepts("https://openai.azure.com.evil.example/")
    assert not is_azure("http://[")
    assert not openai.accepts("")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"api_key": "env:NO_SUCH_VARIABLE"}, "NO_SUCH_VARIABLE"),
        ({"api_key": "file:/no/such/file"}, "/no/such/file"),
        ({"headers": {"X": "env:NO_SUCH_VARIABLE"}}, "headers.X"),
        ({"proxy": "socks9://user:secret@h"}, "proxy"),
    ],
)
async def test_settings_that_can_not_be_used(load: LoadModel, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelLoadError, match=words) as caught:
        await load(base_url="http://127.0.0.1:9", **settings)
    assert "secret@" not in str(caught.value)


async def test_a_key_in_a_file_and_a_literal_one(
    load: LoadModel, upstream: Upstream, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "key").write_text("sk-from-a-file\n")
    await collect((await load(base_url=upstream.url, api_key=f"file:{tmp_path / 'key'}")).chat(chat()))
    assert upstream.last.headers["authorization"] == "Bearer sk-from-a-file"
    assert not caplog.records
    await collect((await load(base_url=upstream.url, api_key="sk-literal-123")).chat(chat()))
    assert upstream.last.headers["authorization"] == "Bearer sk-literal-123"
    assert "env:NAME" in caplog.text
    assert "sk-literal" not in caplog.text
