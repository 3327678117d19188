"""Redirects: where they may lead, and what goes along."""

import ipaddress
import os
from typing import Any

import httpx
import pytest
from jan_host import Asset, DownloadError
from jan_host.downloads import addresses, shown, transport

from tests.core.downloads.conftest import Bench, plan_of, sha256
from tests.core.downloads.server import FileServer, Resource

BODY = os.urandom(50_000)


def asset(url: str, **headers: str) -> Asset:
    return Asset(filename="model.bin", url=url, size=len(BODY), sha256=sha256(BODY), headers=headers)


def chain(server: FileServer, length: int) -> Resource:
    for step in range(length):
        server.add(f"/{step}", location=f"/{step + 1}")
    return server.add(f"/{length}", BODY)


async def test_ten_redirects_are_followed(bench: Bench, server: FileServer) -> None:
    last = chain(server, 10)
    await bench.bring(plan_of(asset(server.url("/0"), Authorization="Bearer here")))
    assert last.seen[0]["authorization"] == "Bearer here"


async def test_eleven_are_not(bench: Bench, server: FileServer) -> None:
    last = chain(server, 11)
    with pytest.raises(DownloadError, match="more than 10 times"):
        await bench.bring(plan_of(asset(server.url("/0"))))
    assert last.seen == []


@pytest.mark.parametrize("other_host", [True, False], ids=["another host", "another port"])
async def test_credentials_do_not_follow_to_another_origin(
    bench: Bench, server: FileServer, other_server: FileServer, other_host: bool
) -> None:
    bench.environ["TOKEN"] = "hush"
    host = "localhost" if other_host else "127.0.0.1"
    other_server.add("/there", location=server.url("/back"))
    target = server.add("/back", BODY)
    server.add("/here", location=other_server.url("/there", host=host))
    headers = {"Authorization": "Bearer x", "Cookie": "a=b", "X-Key": "env:TOKEN", "Accept-Language": "de"}
    await bench.bring(plan_of(asset(server.url("/here"), **headers)))
    there, back = other_server.resources["/there"].seen[0], target.seen[0]
    for headers in (there, back):  # back at the origin they are not sent again either
        assert not {"authorization", "cookie", "x-key"} & set(headers)
        assert headers["accept-language"] == "de"


async def test_user_and_password_of_the_address_do_not_follow(
    bench: Bench, server: FileServer, other_server: FileServer
) -> None:
    server.add("/here", location=other_server.url("/there", "you:yours@"))
    there = other_server.add("/there", BODY)
    await bench.bring(plan_of(asset(server.url("/here", "me:mine@"))))
    assert "authorization" in server.resources["/here"].seen[0]
    assert "authorization" not in there.seen[0]


async def test_a_resumed_part_is_asked_for_behind_the_redirect(
    bench: Bench, server: FileServer, other_server: FileServer
) -> None:
    server.add("/here", location=other_server.url("/there"))
    there = other_server.add("/there", BODY, cuts=[20_000])
    await bench.bring(plan_of(asset(server.url("/here"))))
    assert there.seen[1]["range"].startswith("bytes=")
    assert there.seen[1]["if-range"] == '"v1"'


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://host/file"])
async def test_only_http_is_followed(bench: Bench, server: FileServer, location: str) -> None:
    server.add("/here", location=location)
    with pytest.raises(DownloadError, match="neither http nor https"):
        await bench.bring(plan_of(asset(server.url("/here"))))


async def test_an_unreadable_location(bench: Bench, server: FileServer) -> None:
    server.add("/here", location="data:,x")
    with pytest.raises(DownloadError, match="can't be used"):
        await bench.bring(plan_of(asset(server.url("/here"))))


class _Network(httpx.AsyncBaseTransport):
    """The internet as a table, since a test can't have a public address of its own."""

    def __init__(self, answers: dict[str, httpx.Response], peer: str) -> None:
        self.answers = answers
        self.peer = peer
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers[str(request.url)]
        answer.extensions["network_stream"] = self
        return answer

    def get_extra_info(self, name: str) -> Any:
        assert name == "server_addr"
        return (self.peer, 443)


def redirect(location: str) -> httpx.Response:
    return httpx.Response(302, headers={"location": location})


async def ask(network: _Network, url: str) -> httpx.Response:
    async with (
        httpx.AsyncClient(transport=network) as client,
        transport.open_stream(client, url, {"authorization": "x"}, {}) as response,
    ):
        return response


async def test_https_does_not_become_http() -> None:
    network = _Network({"https://hub.example/a": redirect("http://hub.example/a")}, "8.8.8.8")
    with pytest.raises(DownloadError, match="from https to unencrypted http"):
        await ask(network, "https://hub.example/a")


@pytest.mark.parametrize(
    "private",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "localhost", "0.0.0.0"],
)
async def test_a_public_server_does_not_lead_into_the_private_network(private: str) -> None:
    network = _Network({"http://hub.example/a": redirect(f"http://{private}/a")}, "8.8.8.8")
    with pytest.raises(DownloadError, match="inside this machine's own network"):
        await ask(network, "http://hub.example/a")
    assert len(network.requests) == 1


async def test_the_checked_address_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async def public(url: httpx.URL) -> list[str]:
        return ["8.8.4.4"]

    monkeypatch.setattr(transport, "public_addresses", public)  # no name service in a test
    network = _Network(
        {
            "https://hub.example/a": redirect("https://files.example/b"),
            "https://8.8.4.4/b": httpx.Response(200, content=b"here"),
        },
        "8.8.8.8",
    )
    assert (await ask(network, "https://hub.example/a")).status_code == 200
    pinned = network.requests[1]
    assert pinned.headers["host"] == "files.example"
    assert pinned.extensions["sni_hostname"] == "files.example"
    assert "authorization" not in pinned.headers


async def test_a_private_server_may_lead_to_another() -> None:
    network = _Network(
        {"http://nas.home/a": redirect("http://10.0.0.2/b"), "http://10.0.0.2/b": httpx.Response(200)},
        "10.0.0.1",
    )
    assert (await ask(network, "http://nas.home/a")).status_code == 200


async def test_the_same_host_from_http_to_https_keeps_credentials() -> None:
    network = _Network(
        {"http://nas.home/a": redirect("https://nas.home/a"), "https://nas.home/a": httpx.Response(200)},
        "10.0.0.1",
    )
    await ask(network, "http://nas.home/a")
    assert network.requests[1].headers["authorization"] == "x"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("127.0.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    ipaddress.ip_address(address)
    assert addresses.is_public(address) is public


def test_what_is_shown_of_an_address() -> None:
    assert shown("https://me:mine@host:1/path/x?token=1#f") == "https://host:1/path/x"
