"""Routes of plugins: mounted beside the host's own, and harmless when they are wrong."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from jan_host import Extra, Host, Route
from jan_host.api.extras import extra_routes

from tests.api.conftest import MODEL


def test_body_query_and_path(client: httpx.Client) -> None:
    note = {"text": "hello", "times": 2}
    assert client.post("/notes?shout=true", json=note).json() == {"text": "HELLO", "times": 2}
    found = client.get("/notes/search?query=x&headers=3").json()
    assert found == {"query": "x", "headers": 3}
    read = client.get("/notes/7")
    assert (read.text, read.headers["content-type"], read.headers["x-note"]) == (
        "note 7",
        "text/plain",
        "yes",
    )


def test_what_is_wrong_is_named(client: httpx.Client) -> None:
    body = client.post("/notes", json={"text": 5})
    assert (body.status_code, body.json()["error"]["param"]) == (422, "text")
    query = client.get("/notes/search?query=x&headers=many")
    assert (query.status_code, query.json()["error"]["param"]) == (422, "headers")
    missing = client.get("/notes/search")
    assert (missing.status_code, missing.json()["error"]["param"]) == (422, "query")
    assert client.post("/notes", content=b"{}", headers={"content-type": "text/plain"}).status_code == 415


def test_a_stream_of_an_extra(client: httpx.Client) -> None:
    answer = client.get("/notes/follow")
    assert answer.text == "data: one\n\ndata: two\n\n"
    assert answer.headers["content-type"] == "text/event-stream"


def test_the_tokenization_plugin_answers_in_the_seeds_shapes(client: httpx.Client) -> None:
    body = {"model": MODEL, "input": "abc"}
    assert client.post("/extras/tokenize", json=body).json() == {"tokens": [97, 98, 99]}
    assert client.post("/extras/tokenize/count", json=body).json() == {"count": 3}


def test_extras_that_can_not_be_mounted_cost_only_themselves(client: httpx.Client) -> None:
    for path in ("/v1/models/mine", "/Health/too", "/untyped/1", "/no-slash"):
        assert client.get(path).status_code == 404
    assert client.get("/notes/7").text == "note 7"
    assert client.get("/late").json() == "late"
    (report,) = (each for each in client.get("/v1/plugins").json()["data"] if each["name"] == "scripted")
    assert report["status"] == "broken"
    assert "routes can't be used" in report["problem"]
    assert report["cure"]


class Reported:
    """Stands where the host's plugins stand: some extras, and what is said of them."""

    def __init__(self, *extras: Extra) -> None:
        self._extras = extras
        self.said: dict[str, str] = {}

    def extras(self) -> list[Extra]:
        return list(self._extras)

    def broken(self, name: str, problem: str, cure: str) -> None:
        self.said[name] = problem


def an_extra(handler: Callable[..., Any], path: str = "/mine", method: Any = "GET") -> Extra:
    class Mine(Extra):
        name = "mine"

        def routes(self, host: Host) -> list[Route]:
            return [Route(method=method, path=path, handler=handler)]

    return Mine()


async def no_annotation(thing) -> str:  # type: ignore[no-untyped-def]  # the fault under test
    return str(thing)


async def sound() -> str:
    return ""


def not_async() -> str:
    return ""


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        (an_extra(no_annotation), "thing"),
        (an_extra(not_async), "async"),
        (an_extra(sound, "/mine/{id}"), "id"),
        (an_extra(sound, "/models/mine"), "host's own"),
        (an_extra(sound, "/"), "host's own"),
        (an_extra(sound, method="BREW"), "BREW"),
    ],
)
async def test_what_is_said_of_unsound_routes(extra: Extra, problem: str) -> None:
    reported = Reported(extra)
    host: Any = SimpleNamespace(plugins=reported)
    assert extra_routes(host, ["/", "/models"]) == []
    assert problem in reported.said["mine"]
