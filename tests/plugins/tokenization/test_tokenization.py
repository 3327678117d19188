"""The tokenization plugin over a real host with a real model."""

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jan_host import Extra, Host, InvalidRequestError, ModelNotFoundError, Route
from jan_host.config import load_config
from jan_host.host import JanHost
from jan_host.testing import Call, ExtraContract
from jan_host_tokenization.extra import Tokenization

from tests.examples.poem import write_model

SEED = {
    "/extras/tokenize": ("tokenize", {"input"}, {"tokens"}),
    "/extras/tokenize/count": ("count_tokens", {"input"}, {"count"}),
    "/extras/detokenize": ("detokenize", {"tokens"}, {"text"}),
}
"""Path: operation id, required fields of the body, fields of the answer."""


@pytest.fixture
def extra() -> Extra:
    return Tokenization()


def call_of(path: str, body: dict[str, Any]) -> Call:
    return Call(method="POST", path=path, arguments={"data": body})


class TestTokenization(ExtraContract):
    @pytest.fixture
    def calls(self) -> Sequence[Call]:
        return [
            Call(
                method="POST", path="/extras/tokenize", arguments={"data": {"input": "Hello", "model": "no"}}
            ),
            Call(method="POST", path="/extras/detokenize", arguments={"data": {"tokens": [2**31 - 1]}}),
        ]


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[JanHost]:
    for name in ("lake", "sea"):
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        write_model(folder, name)
    async with JanHost(load_config(tmp_path, environ={})) as host:
        yield host


def handler(host: Host, path: str) -> Any:
    return next(route.handler for route in Tokenization().routes(host) if route.path == path)


async def call(host: Host, path: str, body: dict[str, Any]) -> Any:
    """What the host does with a request: decode, call, encode."""
    function = handler(host, path)
    data = msgspec.convert(body, function.__annotations__["data"])
    return json.loads(msgspec.json.encode(await function(data=data)))


async def test_tokens_count_and_text_belong_together(host: Host) -> None:
    text = "Once upon a time 👍 <|end|>"
    tokens = (await call(host, "/extras/tokenize", {"input": text, "model": "sea"}))["tokens"]
    assert await call(host, "/extras/tokenize/count", {"input": text, "model": "sea"}) == {
        "count": len(tokens)
    }
    assert await call(host, "/extras/detokenize", {"tokens": tokens, "model": "sea"}) == {"text": text}


async def test_without_model_the_only_running_one_is_meant(host: Host) -> None:
    with pytest.raises(InvalidRequestError):
        await call(host, "/extras/tokenize", {"input": "Once"})
    await host.start("sea")
    assert (await call(host, "/extras/tokenize", {"input": "Once"}))["tokens"]
    assert (await call(host, "/extras/tokenize/count", {"input": ""})) == {"count": 0}


async def test_an_unknown_model_and_an_unknown_token_are_errors_in_words(host: Host) -> None:
    with pytest.raises(ModelNotFoundError, match="nobody"):
        await call(host, "/extras/tokenize", {"input": "Once", "model": "nobody"})
    with pytest.raises(InvalidRequestError, match="2147483647"):
        await call(host, "/extras/detokenize", {"tokens": [2**31 - 1], "model": "sea"})


@pytest.mark.parametrize("path", SEED)
def test_names_and_shapes_are_the_api_documents_own(path: str) -> None:
    operation, required, answer = SEED[path]
    route: Route = next(route for route in Tokenization().routes(None) if route.path == path)  # type: ignore[arg-type]  # only the declarations are looked at
    assert (route.method, route.operation_id, list(route.tags)) == ("POST", operation, ["Extras"])
    body = msgspec.structs.fields(route.handler.__annotations__["data"])
    assert {field.name for field in body if field.required} == required
    assert {field.name for field in body} == required | {"model"}
    shape = msgspec.structs.fields(route.handler.__annotations__["return"])
    assert {field.name for field in shape} == answer


def test_input_is_a_string_and_tokens_are_ids() -> None:
    service = {route.path: route.handler for route in Tokenization().routes(None)}  # type: ignore[arg-type]  # as above
    for path, body in (
        ("/extras/tokenize", {"input": ["a", "b"]}),
        ("/extras/tokenize", {}),
        ("/extras/detokenize", {"tokens": [-1]}),
        ("/extras/detokenize", {"tokens": "abc"}),
    ):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(body, service[path].__annotations__["data"])
