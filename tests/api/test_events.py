"""The stream of events."""

import json
from collections.abc import Iterator

import httpx
import pytest

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


def test_a_follower_that_comes_back_misses_nothing(start_server: StartServer) -> None:
    with start_server() as server, server.client() as client:
        with client.stream("GET", "/v1/events") as answer:
            seen = next(line for line in answer.iter_lines() if line.startswith("id: "))
        client.put("/v1/models/two/start")
        client.put("/v1/models/two/stop")
        headers = {"Last-Event-ID": seen.removeprefix("id: ")}
        with client.stream("GET", "/v1/events", headers=headers) as answer:
            happening = events_of(answer)
            statuses: list[object] = []
            while "downloaded" not in statuses:
                statuses.append(next(happening)[1].get("status"))
        assert [status for status in statuses if status] == ["starting", "running", "stopping", "downloaded"]


@pytest.mark.parametrize("seen", ["nothing", "0-0", "feedbeef-999999999999999999999999", "-", "\xe9"])
def test_a_follower_that_was_away_too_long_is_told(start_server: StartServer, seen: str) -> None:
    with start_server() as server, server.client() as client:
        client.put("/v1/models/two/start")
        headers = {"Last-Event-ID": seen.encode("latin-1")}
        with client.stream("GET", "/v1/events", headers=headers) as answer:
            happening = events_of(answer)
            assert next(happening)[0] == "events.missed"
            assert any(event.get("status") == "starting" for _, event in happening)
