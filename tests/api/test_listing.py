"""The list of models: encoded once, and not sent to who has it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from jan_host import ModelInfo, ModelStatus
from jan_host.api.listing import Listing
from jan_host.host import looks

from tests.api.conftest import PATIENCE

ALL = frozenset(ModelStatus)


async def test_the_list_has_a_tag(in_process: Any) -> None:
    async with in_process() as (_, client):
        first = await client.get("/v1/models")
        tag = first.headers["etag"]
        again = await client.get("/v1/models", headers={"If-None-Match": f'"other", W/{tag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        running = await client.get("/v1/models?filter=running", headers={"If-None-Match": tag})
        assert (running.status_code, running.json()) == (200, {"object": "list", "data": []})


async def test_the_tag_changes_with_the_models(in_process: Any, tmp_path: Path) -> None:
    async with in_process() as (_, client):
        tag = (await client.get("/v1/models")).headers["etag"]
        file = tmp_path / "root" / "models" / "two" / "model.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"name": "Another"}))
        answer = await client.get("/v1/models", headers={"If-None-Match": tag})
        names = {model["id"]: model["name"] for model in answer.json()["data"]}
        assert (answer.status_code, names["two"]) == (200, "Another")


async def test_a_large_library_is_listed_while_it_is_looked_at(
    in_process: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with in_process() as (_, client):
        monkeypatch.setattr(looks, "MANY_MODELS", 1)
        monkeypatch.setattr(looks, "REST", 0.0)
        known = {model["id"] for model in (await client.get("/v1/models")).json()["data"]}
        (tmp_path / "root" / "models" / "new").mkdir()
        (tmp_path / "root" / "models" / "new" / "model.json").write_text('{"engine": "scripted"}')
        seen = known
        async with asyncio.timeout(PATIENCE):
            while seen == known:
                await asyncio.sleep(0)  # the look goes on between the requests
                seen = {model["id"] for model in (await client.get("/v1/models")).json()["data"]}
        assert seen == known | {"new"}


def test_what_did_not_change_is_the_same_answer() -> None:
    listing = Listing()
    infos = [ModelInfo(id="a"), ModelInfo(id="b", status=ModelStatus.RUNNING)]
    answer = listing.answer(infos, ALL)
    assert listing.answer(infos, ALL) is answer
    assert listing.answer([infos[0], ModelInfo(id="b")], ALL) is not answer
