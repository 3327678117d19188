"""The stream of events."""

import json
from collections.abc import Iterator

import httpx

from tests.api.conftest import StartServer


def events_of(answer: httpx.Response) -> Iterator[tuple[str, dict[str, object]]]:
    name = ""
    for line in answer.iter_lines():
        kind, _, value = line.partition(": ")
        if kind == "event":
            name = value
        elif kind == "data":
            yield name, json.loads(value)


def test_a_models_life_as_events(start_server: StartServer) -> None:
    with start_server() as server, server.client() as client, client.stream("GET", "/v1/events") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        happening = events_of(answer)
        client.put("/v1/models/two/start")
        client.put("/v1/models/two/stop")
        seen = []
        while "downloaded" not in seen:
            name, event = next(happening)
            if name == "model.status":
                assert (event["type"], event["model"]) == ("model.status", "two")
                seen.append(event["status"])
        assert seen == ["starting", "running", "stopping", "downloaded"]


def test_several_followers(start_server: StartServer) -> None:
    with (
        start_server() as server,
        server.client() as client,
        client.stream("GET", "/v1/events") as one,
        client.stream("GET", "/events") as two,
    ):
        first, second = events_of(one), events_of(two)
        client.put("/v1/models/two/start")
        assert next(first) == next(second)
