"""What an upstream refuses comes through as it says it, and no exception of the SDK's is missed."""

import email.utils
import inspect
import time
from typing import Any

import httpx2
import msgspec
import openai
import pytest
from jan_host import (
    ChatMessage,
    ChatRequest,
    ContextLengthExceededError,
    InvalidRequestError,
    JanHostError,
    TooManyRequestsError,
    UnsupportedError,
    UpstreamError,
)
from jan_host_openai.faults import meaning_of, retry_after

from tests.plugins.openai.conftest import KEY, LoadModel
from tests.plugins.openai.upstream import Exchange, Upstream, collect

REQUEST = httpx2.Request("POST", "http://upstream/v1", headers={"Authorization": f"Bearer {KEY}"})


def response(status: int) -> httpx2.Response:
    return httpx2.Response(status, request=REQUEST)


def all_of(module: Any) -> list[type[Exception]]:
    """Every exception that the module exports, and those below them."""
    # Looked at by name, since the SDK imports what else it exports when it is touched.
    exported = [vars(module).get(name) for name in module.__all__]
    found = {each for each in exported if inspect.isclass(each) and issubclass(each, Exception)}
    pending = list(found)
    while pending:
        below = set(pending.pop().__subclasses__()) - found
        found |= below
        pending += below
    own = [each for each in found if each.__module__.startswith(module.__name__)]
    return sorted((each for each in own if not issubclass(each, Warning)), key=lambda each: each.__name__)


def made(cls: type[Exception]) -> Exception:
    """An exception of the class; whatever its arguments are, it is the class that tells."""
    error = cls.__new__(cls)
    error.args = (f"words and {KEY}",)
    if isinstance(error, openai.APIStatusError):
        error.status_code = getattr(cls, "status_code", 500)
        error.response, error.body = response(error.status_code), None
    return error


@pytest.mark.parametrize(
    "cls", [*all_of(openai), *all_of(httpx2), msgspec.DecodeError, msgspec.ValidationError]
)
def test_every_exception_has_a_meaning(cls: type[Exception]) -> None:
    if cls is httpx2.CookieConflict:
        pytest.skip("only raised by looking into a cookie jar, which nothing here does")
    meaning = meaning_of(made(cls), "http://upstream", lambda text: text.replace(KEY, "***"))
    assert isinstance(meaning, JanHostError), f"{cls} is missed"
    assert meaning.http_status >= 400
    assert KEY not in f"{meaning}{meaning.code}{meaning.type}{meaning.param}"


def test_mistakes_of_our_own_are_not_the_upstreams() -> None:
    assert meaning_of(ZeroDivisionError(), "http://upstream", str) is None


@pytest.mark.parametrize(
    ("status", "body", "cls", "code", "message"),
    [
        (400, {"error": {"message": "Too long.", "code": "context_length_exceeded", "param": "messages"}},
         ContextLengthExceededError, "context_length_exceeded", "Too long."),
        (400, {"error": {"message": "No.", "code": "unsupported"}}, UnsupportedError, "unsupported", "No"),
        (400, {"error": {"message": "Odd.", "code": "odd"}}, InvalidRequestError, "odd", "Odd."),
        (422, {"detail": [{"loc": ["body"], "msg": "missing"}]},
         InvalidRequestError, "invalid_request", "missing"),
        (401, {"error": {"message": f"Incorrect API key provided: {KEY}.", "code": "invalid_api_key"}},
         UpstreamError, "invalid_api_key", r"refused the key .*\*\*\*"),
        (404, {"error": {"code": "DeploymentNotFound", "message": "None."}},
         UpstreamError, "DeploymentNotFound", "None"),
        (404, {"object": "error", "message": "No model.", "code": 404}, UpstreamError, "404", "No model."),
        (418, {"error": "a text"}, UpstreamError, "upstream_error", "a text"),
        (500, b"<html>it broke</html>", UpstreamError, "upstream_error", "it broke"),
        (500, b"", UpstreamError, "upstream_error", "500"),
        (503, {"error": {"message": "Later.", "type": "overloaded"}},
         UpstreamError, "upstream_error", "Later."),
        (302, b"", UpstreamError, "upstream_error", "base_url"),
    ],
)  # fmt: skip
async def test_a_refusal_comes_through(
    upstream: Upstream,
    load: LoadModel,
    status: int,
    body: Any,
    cls: type[JanHostError],
    code: str,
    message: str,
) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.send(status, body, retry_after="7", location=f"{upstream.url}/elsewhere")

    upstream.script = refuse
    model = await load(base_url=upstream.url)
    for stream in (True, False):
        with pytest.raises(cls, match=message) as caught:
            await collect(model.chat(chat(stream=stream)))
        assert (type(caught.value), caught.value.code) == (cls, code)
        assert caught.value.http_status == (status if status != 302 else 502)
        assert KEY not in str(caught.value)


def chat(**options: Any) -> ChatRequest:
    return ChatRequest(messages=[ChatMessage(role="user", content="Hello")], **options)


async def test_a_rate_limit_comes_through(upstream: Upstream, load: LoadModel) -> None:
    body = {"error": {"message": "Slower.", "type": "tokens", "code": "rate_limit_exceeded"}}

    async def limit(exchange: Exchange) -> None:
        await exchange.send(429, body, retry_after="7")

    upstream.script = limit
    model = await load(base_url=upstream.url)
    with pytest.raises(TooManyRequestsError, match=r"Slower\.") as caught:
        await collect(model.chat(chat(stream=True)))
    error = caught.value
    assert (error.http_status, error.retry_after, error.type, error.code) == (
        429, 7, "tokens", "rate_limit_exceeded",
    )  # fmt: skip
    assert len(upstream.requests) == 1


async def test_a_refusal_inside_a_good_answer(upstream: Upstream, load: LoadModel) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(200, {"error": {"message": "Provider down", "code": 503}})

    upstream.script = answer
    with pytest.raises(UpstreamError, match="Provider down") as caught:
        await collect((await load(base_url=upstream.url)).chat(chat()))
    assert caught.value.http_status == 503


@pytest.mark.parametrize("body", [b"no json", b"[]", b'{"choices": 3}', b"{}"])
async def test_an_answer_of_another_shape(upstream: Upstream, load: LoadModel, body: bytes) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(200, body)

    upstream.script = answer
    with pytest.raises(UpstreamError) as caught:
        await collect((await load(base_url=upstream.url)).chat(chat()))
    assert caught.value.http_status == 502


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "soon"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_retry_after_as_a_date() -> None:
    found = retry_after({"retry-after": email.utils.formatdate(time.time() + 100, usegmt=True)})
    assert found is not None
    assert 90 < found <= 100
