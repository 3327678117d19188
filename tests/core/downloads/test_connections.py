"""Proxies and TLS: the ways to a server."""

import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from jan_host import Asset, ConfigError, DownloadError, ImportPlan
from jan_host.config import DownloadsConfig
from jan_host.downloads.proxies import Proxies

from tests.core.downloads.conftest import Bench, plan_of, sha256
from tests.core.downloads.server import FileServer, file_server

BODY = os.urandom(300_000)


def plan(url: str, **headers: str) -> ImportPlan:
    return plan_of(Asset(filename="model.bin", url=url, size=len(BODY), sha256=sha256(BODY), headers=headers))


def configure(bench: Bench, **settings: object) -> None:
    bench.config = DownloadsConfig(**settings)  # type: ignore[arg-type]  # settings by name
    bench.downloads = bench.new_downloads()


async def test_a_proxy_is_asked_for_the_whole_address(bench: Bench, server: FileServer) -> None:
    # To the proxy, the address is the path; no name service is asked on this side.
    resource = server.add("http://files.example/model.bin", BODY)
    bench.environ["PROXY"] = server.url("", "me:mine@")
    configure(bench, proxy="env:PROXY")
    await bench.bring(plan("http://files.example/model.bin"))
    assert resource.seen[0]["proxy-authorization"] == "Basic bWU6bWluZQ=="
    assert resource.seen[0]["host"] == "files.example"


async def test_loopback_is_asked_directly(bench: Bench, server: FileServer) -> None:
    server.add("/model.bin", BODY)
    configure(bench, proxy="http://127.0.0.1:1")
    await bench.bring(plan(server.url("/model.bin")))


async def test_a_proxy_leads_to_no_private_address_behind_a_public_name(
    bench: Bench, server: FileServer
) -> None:
    server.add("http://files.example/a", location="http://10.0.0.1/b")
    configure(bench, proxy=server.url(""))
    with pytest.raises(DownloadError, match="inside this machine's own network"):
        await bench.bring(plan("http://files.example/a"))


def test_where_the_proxy_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    url = httpx.URL("https://hub.example/a")
    assert Proxies("", {}).proxy_for(url) is None
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    found = Proxies("", {}).proxy_for(url)
    assert found is not None
    assert (found.host, found.port, dict(found.headers)) == ("proxy.example", 3128, {})
    assert Proxies("none", {}).proxy_for(url) is None
    monkeypatch.setenv("NO_PROXY", "hub.example")
    assert Proxies("", {}).proxy_for(url) is None
    with pytest.raises(ConfigError, match=r"socks5://proxy.example.*can't be used"):
        Proxies("socks5://me:mine@proxy.example", {}).proxy_for(httpx.URL("https://other.example"))


@pytest.mark.parametrize("path", ["/model.bin", "/cut.bin"])
async def test_tls(bench: Bench, tls_server: FileServer, path: str) -> None:
    tls_server.add("/model.bin", BODY)
    tls_server.add("/cut.bin", BODY, cuts=[100_000])
    await bench.bring(plan(tls_server.url(path, host="localhost").replace("http:", "https:")))
    assert (bench.target / "model.bin").read_bytes() == BODY


async def test_a_certificate_for_another_name(bench: Bench, tls_server: FileServer) -> None:
    tls_server.add("/model.bin", BODY)
    with pytest.raises(DownloadError, match="could not prove who it is"):
        await bench.bring(plan(tls_server.url("/model.bin").replace("http:", "https:")))


async def test_tls_through_a_proxy(bench: Bench, tls_server: FileServer) -> None:
    tls_server.add("/model.bin", BODY)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        asked: list[bytes] = []
        threading.Thread(target=_pass_on, args=(listener, tls_server, asked), daemon=True).start()
        configure(bench, proxy=f"http://me:mine@127.0.0.1:{listener.getsockname()[1]}")
        await bench.bring(plan("https://files.example/model.bin"))
    assert asked[0].startswith(b"CONNECT files.example:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic bWU6bWluZQ==" in asked[0]


def _pass_on(listener: socket.socket, server: FileServer, asked: list[bytes]) -> None:
    """A proxy for one connection."""
    client, _ = listener.accept()
    asked.append(client.recv(4096))
    there = socket.create_connection(("127.0.0.1", server.server_address[1]))
    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")

    def copy(source: socket.socket, target: socket.socket) -> None:
        with source, target:
            try:
                while data := source.recv(65536):
                    target.sendall(data)
            except OSError:
                return

    threading.Thread(target=copy, args=(there, client), daemon=True).start()
    copy(client, there)


@pytest.fixture
def tls_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A server with a certificate for localhost and files.example, which is trusted."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is needed to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-nodes", "-days", "2", "-keyout", str(key), "-out", str(certificate), "-subj", "/CN=tests"]
    command += ["-addext", "subjectAltName=DNS:localhost,DNS:files.example"]
    subprocess.run(command, check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with file_server() as running:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        running.socket = context.wrap_socket(running.socket, server_side=True, do_handshake_on_connect=False)
        yield running
