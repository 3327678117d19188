"""What is installed, over HTTP."""

from pathlib import Path
from typing import Any

import pytest
from jan_host.api import create_app
from jan_host.config import load_config
from jan_host.host import JanHost
from litestar.testing import AsyncTestClient


async def answer(root: Path, path: str) -> dict[str, Any]:
    async with AsyncTestClient(create_app(JanHost(load_config(root, {})))) as client:
        reply = await client.get(path, headers={"Host": "localhost"})
        assert reply.status_code == 200
        listed: dict[str, Any] = reply.json()
        return listed


async def test_the_engines_and_the_schema_of_their_settings(tmp_path: Path) -> None:
    engines = {engine["name"]: engine for engine in (await answer(tmp_path, "/v1/engines"))["data"]}
    ngram = engines["example-ngram"]
    assert (ngram["formats"], ngram["runs_in"]) == (["ngram"], "worker")
    assert ngram["distribution"] == "jan-host-example-engine"
    assert "ctx_len" in str(ngram["settings"])


@pytest.mark.parametrize("disabled", [[], ["example-engine"]])
async def test_the_plugins_and_how_they_are(tmp_path: Path, disabled: list[str]) -> None:
    (tmp_path / "config.toml").write_text(f"[plugins]\ndisabled = {disabled}\n")
    plugins = {plugin["name"]: plugin for plugin in (await answer(tmp_path, "/v1/plugins"))["data"]}
    plugin = plugins["example-engine"]
    assert plugin["status"] == ("disabled" if disabled else "ok")
    assert plugin["engines"] == ([] if disabled else ["example-ngram"])
