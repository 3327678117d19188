"""HTTP as the clients of this world speak it: asking for other protocols, and breaking off."""

import json

import pytest

from tests.api.conftest import Server, StartServer, chat
from tests.api.test_security import raw_exchange

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def test_a_post_that_would_like_http2_is_answered(server: Server) -> None:
    """Java's own client asks for h2c with every first request of a connection."""
    body = json.dumps(chat("count 2")).encode()
    wish = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    answers = raw_exchange(server, HEAD + wish + length + body + HEALTH)
    assert answers.count(b"HTTP/1.1 200") == 2
    assert b'"content":"0 1 "' in answers


def test_a_chunked_body_behind_the_wish_for_another_protocol(server: Server) -> None:
    body = json.dumps(chat("count 2")).encode()
    wish = b"connection: keep-alive, upgrade\r\nupgrade: TLS/1.2\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    answers = raw_exchange(server, HEAD + wish + chunks + HEALTH)
    assert answers.count(b"HTTP/1.1 200") == 2


def test_a_websocket_is_answered_in_http(server: Server) -> None:
    wish = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"
    answers = raw_exchange(server, b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + wish + HEALTH)
    assert answers.count(b"HTTP/1.1 200") == 2


def test_a_trailer_is_no_header(start_server: StartServer) -> None:
    body = json.dumps(chat("count 2")).encode()
    chunks = b"%x;a=b\r\n%s\r\n0\r\n%%s\r\n\r\n" % (len(body), body)
    framed = b"Connection: close\r\nTransfer-Encoding: chunked\r\n"
    trailer = b"Authorization: Bearer the-key\r\nHost: evil.example"
    key = b"Authorization: Bearer the-key\r\n\r\n"
    with start_server("[server]\napi_keys = ['the-key']\n") as server:
        without_key = raw_exchange(server, HEAD + framed + b"\r\n" + chunks % trailer)
        answer = raw_exchange(server, HEAD + framed + key + chunks % b"Authorization: Bearer other")
    assert without_key.startswith(b"HTTP/1.1 401")
    assert answer.startswith(b"HTTP/1.1 200")


def test_a_body_in_another_transfer_coding_is_not_read(server: Server) -> None:
    framed = b"Transfer-Encoding: gzip, chunked\r\nConnection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    assert raw_exchange(server, HEAD + framed).startswith(b"HTTP/1.1 415")


@pytest.mark.parametrize("kind", [b"CONNECT localhost:80", b"CONNECT /"])
def test_the_host_is_no_proxy(server: Server, kind: bytes) -> None:
    answer = raw_exchange(server, kind + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("chunk", [b"-5\r\nhello\r\n", b"FFFFFFFFFFFFFFFFF\r\n", b"5\r\nhelloworld\r\n"])
def test_a_body_that_is_garbled_on_the_way_gets_an_answer(server: Server, chunk: bytes) -> None:
    answer = raw_exchange(server, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 2  # the status line, and the message's own "HTTP/1.1"


def test_garbage_behind_a_request_costs_no_answer_in_the_wrong_place(server: Server) -> None:
    body = json.dumps(chat("count 2")).encode()
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    answer = raw_exchange(server, HEAD + length + body + b"\x16\x03 garbage\r\n\r\n")
    assert not answer.startswith(b"HTTP/1.1 400")
