"""The plugins that CONTRIBUTING shows are installed as they are printed, and used."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from jan_host import ChatMessage, ChatRequest, Delta, GenerationOptions, OriginNotFoundError, PullRequest
from jan_host.config import load_config
from jan_host.host import JanHost
from jan_host.testing import EngineContract

from tests.cli.conftest import environment
from tests.core.kit.structure.writing import table
from tests.docs.blocks import Block, blocks, install

PLUGINS = [block for block in blocks("CONTRIBUTING.md") if block.mark.startswith("file=")]
MODULES = [block.mark.removeprefix("file=").removesuffix(".py") for block in PLUGINS]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path, with all plugins of CONTRIBUTING in it."""
    folder = tmp_path / "site"
    for module, block in zip(MODULES, PLUGINS, strict=True):
        install(folder, module, block.text)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    for module in MODULES:
        monkeypatch.delitem(sys.modules, module, raising=False)
    return folder


@pytest.fixture
async def host(site: Path, tmp_path: Path) -> AsyncIterator[JanHost]:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "hello.shout").write_text("HEAR THIS:\n")
    async with JanHost(load_config(tmp_path, {})) as opened:
        yield opened


def test_there_is_a_sample_of_each_kind() -> None:
    text = "".join(block.text for block in PLUGINS)
    assert all(
        f"def {hook}(" in text for hook in ("jan_engines", "jan_importers", "jan_extras", "jan_commands")
    )


@pytest.mark.parametrize("block", PLUGINS, ids=MODULES)
def test_a_sample_is_clean(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "sample.py"
    file.write_text(block.text)
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--select",
        "E,F,B,UP",
        "--line-length",
        "110",
    ]
    done = subprocess.run([*command, str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


async def test_all_plugins_are_fine(host: JanHost) -> None:
    reports = {report.name: report for report in host.plugins.reports()}
    for module in MODULES:
        report = reports[module.removeprefix("jan_host_")]
        assert report.status == "ok", report.problem


async def test_the_engine_shouts(host: JanHost) -> None:
    async def ask(**options: object) -> list[Delta]:
        messages = [ChatMessage(role="user", content="quiet please")]
        request = ChatRequest(model="hello", messages=messages, **options)  # type: ignore[arg-type]  # any option
        return [delta async for delta in host.chat(request)]

    answer = await ask()
    assert "".join(delta.text for delta in answer) == "HEAR THIS: QUIET PLEASE!"
    assert "".join(delta.text for delta in await ask(stop="PLEASE")) == "HEAR THIS: QUIET "
    await host.stop("hello")
    await host.start("hello", {"mark": "?!"})
    assert "".join(delta.text for delta in await ask()).endswith("PLEASE?!")


async def test_the_importer_plans(host: JanHost) -> None:
    plan = await host.plan(PullRequest(origin="greetings:hello"))
    assert (plan.model.id, plan.model.engine, plan.assets[0].filename) == ("hello", "shout", "hello.shout")
    with pytest.raises(OriginNotFoundError, match="there are: hello"):
        await host.plan(PullRequest(origin="greetings:bye"))


async def test_the_extra_counts(host: JanHost) -> None:
    (extra,) = [extra for extra in host.plugins.extras() if extra.name == "census"]
    (route,) = extra.routes(host)
    assert await route.handler() == {"downloaded": 1}


def test_the_command_greets(site: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jan_host.cli", "hello", "World"],
        capture_output=True,
        text=True,
        env=environment() | {"JAN_HOST_ROOT": str(tmp_path), "PYTHONPATH": str(site)},
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "Hello World\n"), done.stderr


async def test_the_engines_sample_of_structured_output_writes_what_is_asked_for() -> None:
    (sample,) = [block for block in blocks("CONTRIBUTING.md") if block.mark == "run"]
    names: dict[str, Any] = {}
    exec(sample.text, names)  # the document is ours
    tokens = await names["answer"](GenerationOptions(regex="(b|c){2}"), table())

    assert bytes(tokens[:2]) == b"bb"


def test_the_suite_that_contributing_names_exists() -> None:
    assert EngineContract.__doc__
