"""Redirects: where they may lead, and what goes along."""

import ipaddress
import os
import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest
from jan_host import Asset, DownloadError
from jan_host.config import DownloadsConfig
from jan_host.downloads import addresses, shown, transport
from jan_host.downloads.dialing import Dialer, connect_socket
from jan_host.downloads.manners import Manners
from jan_host.downloads.proxies import Proxies
from jan_host.downloads.reach import Reach
from msgspec import structs

from tests.core.downloads.conftest import Bench, plan_of, quick_manners, sha256
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
    server.add("/here", location="http://host:port/")
    with pytest.raises(DownloadError, match="can't be used"):
        await bench.bring(plan_of(asset(server.url("/here"))))


class Internet:
    """Names and addresses that are not this machine's, behind which the test's own servers answer.

    A test can have no public address; so the table below says where a connection really leads.
    """

    def __init__(self, names: dict[str, list[str]], servers: dict[str, FileServer]) -> None:
        self.names = names
        self.servers = servers
        self.dialled: list[str] = []

    async def resolve(self, host: str, port: int) -> list[str]:
        if addresses.literal(host) is not None:
            return [host]
        if host not in self.names:
            raise OSError(0, "no such name")
        return self.names[host]

    async def connect(self, address: str, port: int) -> socket.socket:
        self.dialled.append(address)
        sock = await connect_socket("127.0.0.1", self.servers[address].server_address[1])
        return _Elsewhere(address, sock)

    def manners(self, config: DownloadsConfig, environ: Mapping[str, str]) -> Manners:
        made = quick_manners(config, environ)
        dialer = Dialer(
            reach=Reach(config.private_hosts, self.resolve),
            proxies=Proxies(config.proxy, environ),
            executor=made.dialer.executor,
            timeout_seconds=config.timeout_seconds,
            connect=self.connect,
        )
        return replace(made, dialer=dialer)


class _Elsewhere(socket.socket):
    """A socket that says it is connected to another address than it is."""

    def __init__(self, address: str, sock: socket.socket) -> None:
        super().__init__(sock.family, sock.type, sock.proto, sock.detach())
        self._address = address

    def getpeername(self) -> Any:
        return (self._address, 80)


@pytest.fixture
async def internet(server: FileServer, other_server: FileServer, bench: Bench) -> Internet:
    """`server` is hub.example, with a public address; `other_server` is files.example and 10.0.0.2."""
    made = Internet(
        {"hub.example": ["8.8.8.8"], "files.example": ["8.8.4.4"], "nas.home": ["10.0.0.1"]},
        {"8.8.8.8": server, "8.8.4.4": other_server, "10.0.0.1": server, "10.0.0.2": other_server},
    )
    bench.manners = made.manners
    bench.downloads = bench.new_downloads()
    return made


@pytest.mark.parametrize(
    "private",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "localhost", "0.0.0.0"],
)
async def test_a_public_server_does_not_lead_into_the_private_network(
    internet: Internet, bench: Bench, server: FileServer, private: str
) -> None:
    internet.names["localhost"] = ["127.0.0.1"]
    server.add("/a", location=f"http://{private}/a")
    with pytest.raises(DownloadError, match="inside this machine's own network"):
        await bench.bring(plan_of(asset("http://hub.example/a")))
    assert internet.dialled == ["8.8.8.8"]


async def test_a_private_host_behind_a_public_one_can_be_allowed(
    internet: Internet, bench: Bench, server: FileServer, other_server: FileServer
) -> None:
    server.add("/a", location="http://10.0.0.2/b")
    other_server.add("/b", BODY)
    bench.config = DownloadsConfig(private_hosts=["10.0.0.0/8"])
    bench.downloads = bench.new_downloads()
    await bench.bring(plan_of(asset("http://hub.example/a")))
    assert internet.dialled == ["8.8.8.8", "10.0.0.2"]


async def test_a_public_name_that_leads_into_the_private_network(
    internet: Internet, bench: Bench, server: FileServer
) -> None:
    server.add("/a", BODY)
    internet.names["evil.example"] = ["10.0.0.1"]
    with pytest.raises(DownloadError, match=r'private_hosts = \["evil\.example"\]'):
        await bench.bring(plan_of(asset("http://evil.example/a")))
    assert internet.dialled == []
    bench.config = DownloadsConfig(private_hosts=["evil.example"])
    bench.downloads = bench.new_downloads()
    await bench.bring(plan_of(asset("http://evil.example/a")))


async def test_metadata_services_are_not_asked_even_by_their_address(
    internet: Internet, bench: Bench
) -> None:
    with pytest.raises(DownloadError, match="inside this machine's own network"):
        await bench.bring(plan_of(asset("http://169.254.169.254/latest/meta-data")))
    assert internet.dialled == []


async def test_the_checked_address_is_the_one_connected_to(
    internet: Internet, bench: Bench, server: FileServer, other_server: FileServer
) -> None:
    """The name service is asked once for a connection: a second answer could be another."""
    asked: list[str] = []
    resolve = internet.resolve

    async def once(host: str, port: int) -> list[str]:
        asked.append(host)
        return await resolve(host, port) if asked.count(host) == 1 else ["10.0.0.1"]

    internet.resolve = once  # type: ignore[method-assign]  # the test's own object
    bench.downloads = bench.new_downloads()
    server.add("/a", location="http://files.example/b")
    there = other_server.add("/b", BODY)
    await bench.bring(plan_of(asset("http://hub.example/a", Authorization="x")))
    assert internet.dialled == ["8.8.8.8", "8.8.4.4"]
    assert asked == ["hub.example", "files.example"]
    assert there.seen[0]["host"] == "files.example"
    assert "authorization" not in there.seen[0]


async def test_a_private_server_may_lead_to_another(
    internet: Internet, bench: Bench, server: FileServer, other_server: FileServer
) -> None:
    server.add("/a", location="http://10.0.0.2/b")
    other_server.add("/b", BODY)
    await bench.bring(plan_of(asset("http://nas.home/a")))
    assert internet.dialled == ["10.0.0.1", "10.0.0.2"]


async def test_a_host_that_the_operator_named_may_be_inside(
    internet: Internet, bench: Bench, server: FileServer
) -> None:
    internet.names["mirror.example"] = ["10.0.0.1"]
    server.add("/a", location="http://mirror.example/b")
    server.add("/b", BODY)
    await bench.bring(plan_of(structs.replace(asset("http://mirror.example/a"), trusted=True)))
    assert set(internet.dialled) == {"10.0.0.1"}


@pytest.mark.parametrize("there", ["10.0.0.2", "nas.home", "other.example"])
async def test_a_host_that_the_operator_named_vouches_for_no_other(
    internet: Internet, bench: Bench, server: FileServer, there: str
) -> None:
    internet.names |= {"mirror.example": ["10.0.0.1"], "other.example": ["10.0.0.2"]}
    server.add("/a", location=f"http://{there}/b")
    server.add("/b", BODY)
    with pytest.raises(DownloadError, match="redirected the download"):
        await bench.bring(plan_of(structs.replace(asset("http://mirror.example/a"), trusted=True)))
    assert internet.dialled == ["10.0.0.1"]


async def test_a_connection_of_the_operators_is_nobody_elses(
    internet: Internet, bench: Bench, server: FileServer
) -> None:
    """A kept connection must not lead where a new one may not."""
    internet.names["mirror.example"] = ["10.0.0.1"]
    server.add("/a", BODY)
    await bench.bring(plan_of(structs.replace(asset("http://mirror.example/a"), trusted=True)))
    with pytest.raises(DownloadError, match="inside this machine's own network"):
        await bench.bring(plan_of(structs.replace(asset("http://mirror.example/a"), filename="other.bin")))


async def test_an_address_that_does_not_answer_is_followed_by_the_next(
    internet: Internet, bench: Bench, server: FileServer
) -> None:
    server.add("/a", BODY)
    internet.names["hub.example"] = ["8.8.4.4", "8.8.8.8"]
    internet.servers["8.8.4.4"].shutdown()  # what waits at the socket keeps it open
    internet.servers["8.8.4.4"].server_close()
    await bench.bring(plan_of(asset("http://hub.example/a")))
    assert internet.dialled == ["8.8.4.4", "8.8.8.8"]


def test_https_does_not_become_http() -> None:
    hop = transport.Hop(httpx.URL("https://hub.example/a"), {})
    with pytest.raises(DownloadError, match="from https to unencrypted http"):
        hop.follow("http://hub.example/a", from_inside=False)


def test_the_same_host_from_http_to_https_keeps_credentials() -> None:
    hop = transport.Hop(httpx.URL("http://nas.home/a"), {"Authorization": "x"})
    assert hop.follow("https://nas.home/a", from_inside=True).private == {"Authorization": "x"}
    assert hop.follow("https://nas.home:444/a", from_inside=True).private == {}


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("8.8.8.8", False),
        ("2001:4860:4860::8888", False),
        ("203.0.113.80", False),  # for documentation; proxies let names lead there
        ("198.18.0.7", False),  # for benchmarks; likewise
        ("2001:db8::1", False),
        ("127.0.0.1", True),
        ("0.0.0.0", True),
        ("10.255.0.1", True),
        ("172.16.0.1", True),
        ("172.32.0.1", False),
        ("192.168.1.1", True),
        ("100.64.0.1", True),
        ("169.254.169.254", True),
        ("192.0.0.192", True),
        ("168.63.129.16", True),
        ("224.0.0.1", True),
        ("255.255.255.255", True),
        ("::", True),
        ("::1", True),
        ("fe80::1%eth0", True),
        ("fc00::1", True),
        ("fd00:ec2::254", True),
        ("ff02::1", True),
        ("::ffff:127.0.0.1", True),
        ("::10.0.0.1", True),
        ("::8.8.8.8", False),
        ("64:ff9b::7f00:1", True),
        ("64:ff9b:1::a00:1", True),
        ("64:ff9b::808:808", False),
        ("2002:7f00:1::", True),
        ("2002:808:808::", False),
        ("2001:0:808:808::80ff:fffe", True),  # Teredo, for a client at 127.0.0.1
    ],
)
def test_which_addresses_lie_inside(address: str, inside: bool) -> None:
    ipaddress.ip_address(address)
    assert addresses.is_inside(address) is inside


def test_what_is_shown_of_an_address() -> None:
    assert shown("https://me:mine@host:1/path/x?token=1#f") == "https://host:1/path/x"
