"""A client that goes away frees what it held, wherever its request was."""

import json
import socket
from typing import Any

import pytest

from tests.api.conftest import Pipe, Server, StartServer, chat


def send(server: Server, path: str, body: Any) -> socket.socket:
    """Send a request on a connection of its own, and leave the answer unread."""
    content = json.dumps(body).encode()
    connection = socket.create_connection(server.address, timeout=30)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    connection.sendall(head.encode() + content)
    return connection


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("script", ["endless", "silent"])
def test_leaving_cancels(server: Server, pipe: Pipe, script: str, streams: bool) -> None:
    connection = send(server, "/v1/chat/completions", chat(f"{script} {pipe.path}", stream=streams))
    assert pipe.next() == "begun"
    connection.close()
    assert pipe.next() == "cancelled"


@pytest.mark.parametrize("streams", [True, False])
def test_leaving_cancels_completions_of_several_prompts(server: Server, pipe: Pipe, streams: bool) -> None:
    prompts = [f"endless {pipe.path}", f"silent {pipe.path}"]
    body = {"model": "two", "prompt": prompts, "stream": streams}
    connection = send(server, "/v1/completions", body)
    assert [pipe.next(), pipe.next()] == ["begun", "begun"]
    connection.close()
    assert [pipe.next(), pipe.next()] == ["cancelled", "cancelled"]


def test_leaving_while_the_model_starts(start_server: StartServer, pipe: Pipe) -> None:
    """The request ends, the start goes on."""
    with start_server(gate=str(pipe.path)) as server, server.client() as client:
        connection = send(server, "/v1/chat/completions", chat("count 1") | {"model": "two"})
        assert pipe.next() == "loading"
        with client.stream("GET", "/v1/events") as events:
            lines = events.iter_lines()
            next(lines)
            connection.close()
            pipe.go()
            while '"running"' not in next(lines):
                pass
        info = client.get("/v1/models/two").json()
        assert (info["status"], info["requests"]) == ("running", 0)


def test_a_client_that_takes_nothing_is_given_up(start_server: StartServer, pipe: Pipe) -> None:
    with start_server("[server]\nbody_timeout_seconds = 0.5\n") as server:
        connection = send(server, "/v1/chat/completions", chat(f"flood {pipe.path}", stream=True))
        assert pipe.next() == "begun"
        assert pipe.next() == "cancelled"
        connection.close()


def test_others_are_not_disturbed(server: Server, pipe: Pipe) -> None:
    leaving = send(server, "/v1/chat/completions", chat(f"endless {pipe.path}", stream=True))
    assert pipe.next() == "begun"
    with (
        server.client() as client,
        client.stream("POST", "/v1/chat/completions", json=chat("count 50", stream=True)) as answer,
    ):
        leaving.close()
        assert answer.read().endswith(b"data: [DONE]\n\n")
    assert pipe.next() == "cancelled"
