"""The importers: what an upstream tells becomes a model.json without a secret in it."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest
from jan_host import ImportFailedError, ImportOptions, OriginNotFoundError
from jan_host.testing import ImporterContract
from jan_host_openai.importer import AzureImporter, OpenAIImporter

from tests.plugins.openai.conftest import KEY
from tests.plugins.openai.upstream import Exchange, Upstream, running

MODELS = ("small", "vendor/large")


async def tell(exchange: Exchange) -> None:
    """List models or deployments, to those who have the key."""
    request = exchange.request
    key = request.headers.get("api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
    if key != KEY:
        await exchange.send(401, {"error": {"message": f"The key {key} is wrong."}})
    elif request.path.startswith(("/v1/models", "/openai/deployments?api-version=")):
        data = [{"id": name, "owned_by": "them", "model": "gpt-4o"} for name in MODELS]
        await exchange.send(200, {"object": "list", "data": data})
    else:
        await exchange.send(404, {"error": {"message": "There is nothing."}})


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with running() as started, pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPSTREAM_KEY", KEY)
        started.script = tell
        yield started


def keys(server: Upstream) -> dict[str, str]:
    return {server.url.removeprefix("http://"): "env:UPSTREAM_KEY"}


class TestOpenAIImporter(ImporterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def importer(cls, server: Upstream) -> OpenAIImporter:
        return OpenAIImporter(keys(server))

    @pytest.fixture(scope="class")
    @classmethod
    def good_origins(cls, server: Upstream) -> Sequence[str]:
        return [server.url, f"{server.url}/v1", f"{server.url}/v1#vendor/large"]

    @pytest.fixture(scope="class")
    @classmethod
    def bad_origins(cls, server: Upstream) -> Sequence[str]:
        return [
            f"{server.url}/other",
            f"{server.url}#absent",
            "http://127.0.0.1:9",
            "https://u:p@h",
            "a b",
            "#x",
        ]


class TestAzureImporter(ImporterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def importer(cls, server: Upstream) -> AzureImporter:
        return AzureImporter(keys(server))

    @pytest.fixture(scope="class")
    @classmethod
    def good_origins(cls, server: Upstream) -> Sequence[str]:
        return [server.url, f"{server.url}/#small", f"{server.url}/openai/deployments/small/chat/completions"]

    @pytest.fixture(scope="class")
    @classmethod
    def bad_origins(cls, server: Upstream) -> Sequence[str]:
        return [f"{server.url}#absent", "http://127.0.0.1:9", "small"]


async def test_what_is_written(server: Upstream) -> None:
    plan = await OpenAIImporter(keys(server)).resolve(server.url, ImportOptions(variant="vendor/large"))
    host = server.url.removeprefix("http://")
    assert plan.model.id == f"{host}/vendor/large"
    assert (plan.model.format, plan.model.engine, plan.model.owned_by) == ("api", "openai", "them")
    assert plan.model.settings == {
        "base_url": f"{server.url}/v1",
        "api_key": "env:UPSTREAM_KEY",
        "model": "vendor/large",
    }
    assert plan.assets == []
    assert [variant.name for variant in plan.variants] == list(MODELS)
    assert KEY not in msgspec.json.encode(plan).decode()


async def test_what_is_written_of_azures(server: Upstream) -> None:
    plan = await AzureImporter(keys(server)).resolve(f"{server.url}/#small", ImportOptions())
    assert plan.model.id == "openai.azure.com/127/small"
    assert plan.model.settings == {
        "base_url": server.url,
        "api_key": "env:UPSTREAM_KEY",
        "deployment_name": "small",
        "model": "gpt-4o",
    }


async def test_a_deployment_is_taken_unseen_where_none_are_listed(upstream: Upstream) -> None:
    async def nothing(exchange: Exchange) -> None:
        await exchange.send(404, {"error": {"message": "No such operation."}})

    upstream.script = nothing
    importer = AzureImporter(keys(upstream))
    plan = await importer.resolve(f"{upstream.url}#mine", ImportOptions())
    assert plan.model.settings["deployment_name"] == "mine"
    assert "unseen" in plan.warnings[0]
    with pytest.raises(OriginNotFoundError):
        await importer.resolve(upstream.url, ImportOptions())


async def test_a_literal_key_in_the_configuration_is_not_used_and_a_wrong_one_not_told(
    server: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = server.url.removeprefix("http://")
    with pytest.raises(ImportFailedError, match="refused the key"):
        await OpenAIImporter({host: KEY}).resolve(server.url, ImportOptions())
    assert "authorization" not in server.last.headers
    monkeypatch.setenv("WRONG_KEY", "sk-wrong-and-secret")
    with pytest.raises(ImportFailedError) as caught:
        await OpenAIImporter({host: "env:WRONG_KEY"}).resolve(server.url, ImportOptions())
    assert "sk-wrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("origin", "openai", "azure"),
    [
        ("https://api.openai.com/v1", True, False),
        ("api.openai.com", True, False),
        ("https://docs-test-001.openai.azure.com/", False, True),
        ("https://huggingface.co/x/y", False, False),
        ("gpt-4o", False, False),
    ],
)
def test_whose_origin_it_is(origin: str, openai: bool, azure: bool) -> None:
    assert (OpenAIImporter().accepts(origin), AzureImporter().accepts(origin)) == (openai, azure)


async def test_a_model_of_openais_by_its_name_alone(
    monkeypatch: pytest.MonkeyPatch, server: Upstream
) -> None:
    asked: dict[str, Any] = {}

    def connect(settings: Any, url: str, *_: Any, **__: Any) -> Any:
        asked.update(url=url, key=settings.api_key)
        raise ImportFailedError("asked")

    monkeypatch.setattr("jan_host_openai.importer.connect", connect)
    for origin in ("gpt-4.1", "gpt-3.5-turbo", "ft:gpt-4o:org::id"):
        with pytest.raises(ImportFailedError, match="asked"):
            await OpenAIImporter().resolve(origin, ImportOptions())
        assert asked == {"url": "https://api.openai.com/v1", "key": "env:OPENAI_API_KEY"}
