"""The example extra keeps the contract, generates over a real model, and counts its starts."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from jan_host import Extra, ModelEvent, ModelNotFoundError, ModelStatus, Reply
from jan_host.config import load_config
from jan_host.host import JanHost
from jan_host.testing import Call, ExtraContract
from jan_host_example_extra.extra import GenerateExtra, GenerateRequest

from tests.examples.poem import write_model


@pytest.fixture
def extra() -> Extra:
    return GenerateExtra()


class TestGenerateExtra(ExtraContract):
    @pytest.fixture
    def calls(self) -> Sequence[Call]:
        return [
            Call(
                method="POST",
                path="/example/generate",
                arguments={"data": {"prompt": "Once", "model": "no-such-model"}},
            )
        ]


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[JanHost]:
    folder = tmp_path / "models" / "sea"
    folder.mkdir(parents=True)
    write_model(folder)
    async with JanHost(load_config(tmp_path, environ={})) as host:
        yield host


def handlers(extra: Extra, host: JanHost) -> dict[str, Any]:
    return {route.path: route.handler for route in extra.routes(host)}


async def test_it_streams_lines_and_counts_the_start(host: JanHost) -> None:
    extra = next(extra for extra in host.plugins.extras() if extra.name == "example")
    routes = handlers(extra, host)
    request = GenerateRequest(prompt="Once upon a", model="sea", temperature=0, max_tokens=8)
    reply = await routes["/example/generate"](data=request)
    assert isinstance(reply, Reply)
    assert not isinstance(reply.content, bytes)
    lines = [json.loads(chunk) async for chunk in reply.content]
    assert "".join(line.get("response", "") for line in lines) == " time there was a sailor who sailed a"
    last = {name: value for name, value in lines[-1].items() if name != "response"}
    assert last == {"done": True, "done_reason": "length", "tokens": 8}
    # This subscriber is later than the extra's, and hears of the next start after it.
    events = host.subscribe()
    await host.stop("sea")
    await host.start("sea")
    async with asyncio.timeout(10):
        async for event in events:
            if isinstance(event, ModelEvent) and event.status is ModelStatus.RUNNING:
                break
    assert (await routes["/example/starts"]()).starts == {"sea": 2}


async def test_an_unknown_model_is_an_error_of_the_request(host: JanHost) -> None:
    routes = handlers(GenerateExtra(), host)
    with pytest.raises(ModelNotFoundError):
        await routes["/example/generate"](data=GenerateRequest(prompt="x", model="no-such-model"))
