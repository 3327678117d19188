"""Who is let in: keys, names, origins, content types, sizes and times."""

import gzip
import hmac
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from jan_host import ConfigError
from jan_host.api import create_app
from jan_host.api.auth import PUBLIC_PATHS, KeyCheck
from jan_host.api.security import check_bind, is_local
from jan_host.config import ServerConfig, load_config
from jan_host.host import JanHost
from jan_host.plugins import Plugins
from litestar.routes import HTTPRoute

from tests.api.conftest import Server, StartServer, chat

KEY = {"authorization": "Bearer the-key"}
CONFIG_WITH_KEYS = '[server]\napi_keys = ["the-key", "env:OTHER_KEY"]\n'


def example_path(route: HTTPRoute) -> str:
    return "/".join("1" if part.startswith("{") else part for part in route.path.split("/"))


async def test_every_route_but_the_public_ones_asks_for_the_key(
    in_process: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER_KEY", "second")
    async with in_process(CONFIG_WITH_KEYS) as (app, client):
        routes = [route for route in app.routes if isinstance(route, HTTPRoute)]
        asked = {(example_path(route), method) for route in routes for method in (*route.methods, "HEAD")}
        asked |= {
            ("/nowhere", "GET"),
            ("/v1", "POST"),
            ("//health", "GET"),
            ("/health/", "GET"),
            ("/docs/", "GET"),
        }
        assert ("/extras/tokenize", "POST") in asked
        assert ("/models/1/start", "PUT") in asked
        for path, method in sorted(asked):
            status = (await client.request(method, path)).status_code
            if path in PUBLIC_PATHS and method in ("GET", "HEAD"):
                assert status == 200, (method, path)
            else:
                assert status == 401, (method, path)
        assert {path for path, _ in asked if path in PUBLIC_PATHS} == {
            "/health",
            "/ready",
            "/docs",
            "/openapi.json",
        }


async def test_keys_and_where_they_may_stand(
    in_process: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER_KEY", "second")
    async with in_process(CONFIG_WITH_KEYS) as (_, client):
        for headers in (
            KEY,
            {"authorization": "bearer  the-key "},
            {"authorization": "Bearer second"},
            {"x-api-key": "the-key"},
            {"api-key": "second"},
        ):
            assert (await client.get("/v1/models", headers=headers)).status_code == 200, headers
        for headers in (
            {},
            {"authorization": "Bearer the-ke"},
            {"authorization": "Bearer the-keyy"},
            {"authorization": "Basic the-key"},
            {"authorization": "Bearer env:OTHER_KEY"},
            {"authorization": "Bearer "},
            {"authorization": "Bearer"},
        ):
            refused = await client.get("/v1/models", headers=headers)
            assert refused.status_code == 401, headers
            assert refused.headers["www-authenticate"].startswith("Bearer")
            assert refused.json()["error"]["code"] == "invalid_api_key"
            assert "the-key" not in refused.text


def test_all_keys_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    real = hmac.compare_digest

    def counting(given: bytes, known: bytes) -> bool:
        compared.append(known)
        return real(given, known)

    monkeypatch.setattr(hmac, "compare_digest", counting)
    scope: Any = {"path": "/v1/models", "method": "GET", "headers": [(b"authorization", b"Bearer a")]}
    KeyCheck(["a", "b", "c"]).check(scope)
    assert len(compared) == 3


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "jan.example"])
def test_an_open_bind_without_a_key_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match="without an API key"):
        check_bind(ServerConfig(host=host), [])
    check_bind(ServerConfig(host=host), ["key"])
    check_bind(ServerConfig(host=host, allow_unauthenticated=True), [])


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    check_bind(ServerConfig(host=host), [])


@pytest.mark.parametrize("setting", ['cors_origins = ["*"]', 'allowed_hosts = ["*"]'])
async def test_wildcards_are_refused(in_process: Callable[..., Any], setting: str) -> None:
    with pytest.raises(ConfigError, match=r"take no '\*'"):
        async with in_process(f"[server]\n{setting}\n"):
            pass


async def test_a_key_that_is_not_there_is_refused(in_process: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match="NO_SUCH_VARIABLE"):
        async with in_process('[server]\napi_keys = ["env:NO_SUCH_VARIABLE"]\n'):
            pass


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:99",
        "127.0.0.1",
        "127.0.0.1:1337",
        "[::1]:80",
        "jan.example",
        "jan.example.:8080",
    ],
)
def test_names_that_the_host_answers_to(client: httpx.Client, host: str) -> None:
    assert client.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "10.0.0.1", "[::2]"]
)
def test_names_that_it_does_not_answer_to(client: httpx.Client, host: str) -> None:
    answer = client.get("/health", headers={"host": host})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    "host", ["", "a b", "localhost:port", "user@localhost", "localhost/x", "[::1", "a,localhost"]
)
def test_garbled_names(client: httpx.Client, host: str) -> None:
    assert client.get("/health", headers={"host": host}).status_code == 400


def raw_exchange(server: Server, request: bytes) -> bytes:
    """Send bytes, and read until the server closes."""
    with socket.create_connection(server.address, timeout=30) as connection:
        connection.sendall(request)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def test_a_missing_and_a_doubled_host_header(server: Server) -> None:
    missing = raw_exchange(server, b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert missing.startswith(b"HTTP/1.1 400")
    doubled = b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert raw_exchange(server, doubled).startswith(b"HTTP/1.1 400")


def test_pages_of_other_sites_are_kept_out(client: httpx.Client) -> None:
    body = chat("count 1")
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "https://app.example.evil.example"},
        {"sec-fetch-site": "cross-site"},
    ):
        answer = client.post("/v1/chat/completions", json=body, headers=headers)
        assert answer.status_code == 403, headers
        assert "access-control-allow-origin" not in answer.headers
    reading = client.get("/v1/models", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in reading.headers


def test_configured_origins_and_the_hosts_own_pages(client: httpx.Client, server: Server) -> None:
    body = chat("count 1")
    allowed = client.post("/v1/chat/completions", json=body, headers={"origin": "https://app.example"})
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    assert "origin" in allowed.headers["vary"]
    own = client.post("/v1/chat/completions", json=body, headers={"origin": server.url})
    assert own.status_code == 200
    assert "access-control-allow-origin" not in own.headers


def test_preflight(client: httpx.Client) -> None:
    ask = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,x-thing"}
    allowed = client.options("/v1/models", headers={"origin": "https://app.example", **ask})
    assert allowed.status_code == 204
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    assert allowed.headers["access-control-allow-headers"] == "authorization,x-thing"
    assert "access-control-allow-credentials" not in allowed.headers
    refused = client.options("/v1/models", headers={"origin": "https://evil.example", **ask})
    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/plain; application/json",
        "application/jsonx",
        "application/json; charset=utf-16",
    ],
)
def test_bodies_that_are_not_json_by_their_type(client: httpx.Client, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    answer = client.post("/v1/chat/completions", content=b'{"messages": []}', headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json; charset=UTF-8",
        'application/json; profile="x"; charset="utf-8"',
        "application/json; odata=verbose",
        "application/x.y+json",
    ],
)
def test_types_that_are_json(client: httpx.Client, kind: str) -> None:
    answer = client.post("/v1/chat/completions", content=b'{"messages": []}', headers={"content-type": kind})
    assert answer.status_code == 422


def test_a_compressed_body_is_refused_by_name(client: httpx.Client) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    answer = client.post("/v1/chat/completions", content=gzip.compress(b"{}"), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")
    assert "gzip" in answer.json()["error"]["message"]


def test_a_body_that_is_too_large_announced_or_not(client: httpx.Client) -> None:
    large = b'{"messages": "' + b"x" * 200_000 + b'"}'
    headers = {"content-type": "application/json"}
    announced = client.post("/v1/chat/completions", content=large, headers=headers)
    chunked = client.post(
        "/v1/chat/completions", content=iter([large[:90_000], large[90_000:]]), headers=headers
    )
    for answer in (announced, chunked):
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "payload_too_large")
    # The connection is of use afterwards, or was closed cleanly.
    assert client.get("/health").status_code == 200


def test_slow_and_half_open_connections_end_and_hold_up_nobody(start_server: StartServer) -> None:
    with start_server("[server]\nbody_timeout_seconds = 0.5\n") as server, server.client() as client:
        silent = [socket.create_connection(server.address, timeout=30) for _ in range(50)]
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        slow_body = socket.create_connection(server.address, timeout=30)
        slow_body.sendall(head + b"Content-Length: 1000\r\n\r\n{")
        slow_head = socket.create_connection(server.address, timeout=30)
        slow_head.sendall(head)
        assert client.get("/health").status_code == 200
        assert slow_body.recv(65536).startswith(b"HTTP/1.1 408")
        assert slow_head.recv(65536).startswith(b"HTTP/1.1 408")
        assert slow_head.recv(1) == b""
        for connection in (*silent, slow_body):
            while connection.recv(65536):
                pass
            connection.close()
        slow_head.close()


def test_a_head_that_is_too_large(server: Server) -> None:
    with socket.create_connection(server.address, timeout=30) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Large: ")
        answer = b""
        try:
            for _ in range(100):
                connection.sendall(b"x" * 16_384)
            answer = connection.recv(65536)
        except ConnectionError:
            answer = answer or b"HTTP/1.1 431"  # reset before the answer could be read
    assert answer.startswith(b"HTTP/1.1 431")


def test_what_is_not_http(server: Server) -> None:
    answer = raw_exchange(server, b"\x16\x03\x01 hello\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b'"error"' in answer


def test_too_many_at_once(start_server: StartServer) -> None:
    with (
        start_server("[server]\nmax_queue = 1\n") as server,
        server.client() as client,
        client.stream("GET", "/v1/events") as events,
    ):
        happening = events.iter_bytes()
        next(happening)
        answer = client.get("/v1/models")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert client.get("/health").status_code == 200


def test_the_log_has_no_keys_bodies_or_queries(start_server: StartServer) -> None:
    config = '[server]\napi_keys = ["the-key"]\n'
    with start_server(config) as server, server.client(headers=KEY) as client:
        client.post("/v1/chat/completions?api_key=the-key", json=chat("count 1", user="a-private-word"))
    log = server.log.read_text()  # all of it: the server has ended
    assert '"POST /v1/chat/completions" 200' in log
    assert "the-key" not in log
    assert "a-private-word" not in log


def test_create_app_checks_the_bind(tmp_path: Path, plugins: Plugins) -> None:
    host = JanHost(load_config(tmp_path, {}, {"server": {"host": "0.0.0.0"}}), plugins)
    with pytest.raises(ConfigError):
        create_app(host)


@pytest.mark.parametrize(
    ("client", "headers", "local"),
    [
        (("127.0.0.1", 5), {}, True),
        (("::1", 5), {}, True),
        (("::ffff:127.0.0.1", 5), {}, True),
        (("192.0.2.1", 5), {}, False),
        (("127.0.0.1", 5), {"x-forwarded-for": "192.0.2.1"}, False),
        (("127.0.0.1", 5), {"forwarded": "for=192.0.2.1"}, False),
        (("127.0.0.1", 5), {"via": "1.1 proxy"}, False),
        (("garbage", 5), {}, False),
        (None, {}, False),
    ],
)
def test_who_is_of_this_machine(client: object, headers: dict[str, str], local: bool) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope: Any = {"type": "http", "client": client, "headers": raw}
    assert is_local(scope) is local
