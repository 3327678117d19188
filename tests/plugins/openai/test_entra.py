"""Entra ID by the real azure-identity in a real host, whose token server is one of the tests' own."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from tests.plugins.openai.servers import Server, jan_host, put
from tests.plugins.openai.upstream import PATIENCE, WORDS, Exchange, Upstream, running

SECRET = "client-secret-0123456789"
TOKEN = "an-access-token-123"
ASK: dict[str, Any] = {"model": "gpt", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def entra(tmp_path: Path) -> Iterator[Upstream]:
    """A token server; Entra ID is only ever spoken to by TLS."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(trust)
    with running(trust) as upstream:
        yield upstream


@pytest.fixture
def server(tmp_path: Path, entra: Upstream, upstream: Upstream) -> Iterator[Server]:
    """A host that azure-identity tells who it is by the variables that it has for that."""
    settings = {"base_url": upstream.url, "entra_id": True}
    put(tmp_path, "gpt", {"id": "gpt", "engine": "azure_openai", "format": "api", "settings": settings})
    with jan_host(
        tmp_path,
        SSL_CERT_FILE=str(tmp_path / "ca.pem"),
        AZURE_AUTHORITY_HOST=entra.url,
        AZURE_TENANT_ID="the-tenant",
        AZURE_CLIENT_ID="the-client",
        AZURE_CLIENT_SECRET=SECRET,
    ) as started:
        yield started


def ask(server: Server) -> httpx.Response:
    url = f"{server.url}/v1/chat/completions"
    return httpx.post(url, json=ASK, timeout=PATIENCE, trust_env=False)


def test_a_token_is_fetched_once_and_sent(server: Server, entra: Upstream, upstream: Upstream) -> None:
    async def sign_in(exchange: Exchange) -> None:
        await exchange.send(200, {"token_type": "Bearer", "expires_in": 3600, "access_token": TOKEN})

    entra.script = sign_in
    for _ in range(2):
        assert ask(server).json()["choices"][0]["message"]["content"] == "".join(WORDS)
        assert upstream.last.headers["authorization"] == f"Bearer {TOKEN}"
        assert "api-key" not in upstream.last.headers
    (asked,) = [request for request in entra.requests if request.method == "POST"]
    assert asked.path == "/the-tenant/oauth2/v2.0/token"
    assert "cognitiveservices.azure.com" in asked.body
    log = server.log.read_text()
    assert (SECRET in log, TOKEN in log) == (False, False)


def test_a_sign_in_that_is_refused(server: Server, entra: Upstream, upstream: Upstream) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.send(
            401, {"error": "invalid_client", "error_description": f"AADSTS7000215: Not {SECRET}."}
        )

    entra.script = refuse
    answer = ask(server)
    assert answer.status_code == 502
    assert "sign-in with Entra ID failed (AADSTS7000215)" in answer.json()["error"]["message"]
    assert upstream.requests == []
    assert SECRET not in answer.text
    assert SECRET not in server.log.read_text()
