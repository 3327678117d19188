"""How a server ends: drain, last words, and quickly when urged."""

import asyncio
import json
import signal
import socket
from pathlib import Path

import httpx
import psutil
import pytest
from jan_host.api import serve
from jan_host.config import load_config
from jan_host.host import JanHost
from jan_host.plugins import Plugins

from tests.api.conftest import Pipe, StartServer, chat, running_server


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_running_requests_end_and_new_ones_are_refused(
    start_server: StartServer, pipe: Pipe, number: int
) -> None:
    with start_server() as server, server.client() as client:
        body = chat(f"until {pipe.path}", stream=True)
        with (
            client.stream("POST", "/v1/chat/completions", json=body) as answer,
            client.stream("GET", "/v1/events") as events,
        ):
            assert pipe.next() == "begun"
            server.signal(number)
            assert b"event: error" in events.read()  # events would go on for ever, and are not waited for
            ready = client.get("/ready")
            assert (ready.status_code, ready.json()["error"]["code"]) == (503, "unavailable")
            assert client.get("/health").status_code == 200
            refused = client.post("/v1/chat/completions", json=chat("count 1"))
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) > 0
            assert client.put("/v1/models/two/start").status_code == 503
            pipe.go()
            assert answer.read().endswith(b"data: [DONE]\n\n")
        assert server.wait() == 0
        assert "Traceback" not in server.log.read_text()


def test_after_the_drain_streams_end_with_an_error(start_server: StartServer, pipe: Pipe) -> None:
    with start_server("[server]\ndrain_seconds = 0.2\n") as server, server.client() as client:
        with client.stream(
            "POST", "/v1/chat/completions", json=chat(f"endless {pipe.path}", stream=True)
        ) as answer:
            assert pipe.next() == "begun"
            server.signal(signal.SIGTERM)
            *_, error, nothing = answer.read().decode().split("\n\n")
        assert nothing == ""
        assert json.loads(error.removeprefix("event: error\ndata: "))["error"]["code"] == "unavailable"
        assert server.wait() == 0
        assert "Traceback" not in server.log.read_text()


def test_a_plain_answer_gets_503_after_the_drain(start_server: StartServer, pipe: Pipe) -> None:
    with start_server("[server]\ndrain_seconds = 0\n") as server:
        connection = socket.create_connection(server.address, timeout=30)
        body = json.dumps(chat(f"silent {pipe.path}")).encode()
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            + f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        assert pipe.next() == "begun"
        server.signal(signal.SIGTERM)
        assert connection.recv(65536).startswith(b"HTTP/1.1 503")
        connection.close()
        assert server.wait() == 0


def test_a_second_signal_ends_at_once(start_server: StartServer, pipe: Pipe) -> None:
    with start_server() as server, server.client() as client:
        with client.stream(
            "POST", "/v1/chat/completions", json=chat(f"endless {pipe.path}", stream=True)
        ) as answer:
            assert pipe.next() == "begun"
            workers = psutil.Process(server.process.pid).children(recursive=True)
            assert workers
            server.signal(signal.SIGINT)
            while client.get("/ready").status_code == 200:
                pass
            server.signal(signal.SIGINT)
            assert b"event: error" in answer.read()
        assert server.wait() == 0
        _, alive = psutil.wait_procs(workers, timeout=30)
        assert alive == []
        assert "Traceback" not in server.log.read_text()


def test_a_port_that_is_taken_is_one_clear_error(start_server: StartServer, plugin_path: str) -> None:
    with start_server() as server:
        port = str(server.address[1])
        second = running_server(server.root, plugin_path, JAN_HOST_SERVER_PORT=port)
        with pytest.raises(AssertionError, match=f"can't listen on 127.0.0.1 port {port}"), second:
            pass


async def test_serve_ends_in_order_when_it_is_cancelled(tmp_path: Path, plugins: Plugins) -> None:
    config = load_config(tmp_path, {}, {"server": {"port": 0}})
    listening: asyncio.Queue[str] = asyncio.Queue()
    async with JanHost(config, plugins) as host, httpx.AsyncClient() as client:
        serving = asyncio.create_task(serve(host, on_ready=listening.put_nowait))
        url = await asyncio.wait_for(listening.get(), 30)
        assert (await client.get(f"{url}/ready")).status_code == 200
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{url}/health")
