"""What README shows is run as it is printed, with the real model."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from jan_host import Model
from jan_host.cli.app import COMMANDS
from jan_host.config import load_config

from tests.cli.conftest import environment
from tests.docs.blocks import ROOT, Block, blocks
from tests.examples.servers import serving

PORT = "http://127.0.0.1:1337"
README = (ROOT / "README.md").read_text()
RUN = [block for block in blocks("README.md") if block.mark == "run"]


@pytest.fixture(scope="module")
def url(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with the model that README names."""
    root = tmp_path_factory.mktemp("root")
    folder = root / "models" / smollm2.stem
    folder.mkdir(parents=True)
    (folder / smollm2.name).symlink_to(smollm2)
    command = [sys.executable, "-m", "jan_host.cli", "serve", "--root", str(root)]
    with serving(command, environment(), root) as address:
        yield address


def test_there_are_samples() -> None:
    assert {block.language for block in RUN} == {"sh", "python"}


@pytest.mark.parametrize("block", RUN, ids=lambda block: block.language)
def test_a_sample_answers(block: Block, url: str) -> None:
    text = block.text.replace(PORT, url)
    assert text != block.text
    command = ["sh", "-c", text] if block.language == "sh" else [sys.executable, "-c", text]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=240, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    assert "The capital of France is Paris" in done.stdout


def test_the_commands_exist() -> None:
    (usage,) = [block for block in blocks("README.md") if "jan-host ps" in block.text]
    named = [line.split()[1] for line in usage.text.splitlines()]
    assert set(named) <= set(COMMANDS)


def test_the_model_json_is_one() -> None:
    (sample,) = [block for block in blocks("README.md") if block.language == "json"]
    assert msgspec.json.decode(sample.text, type=Model).engine == "llama.cpp"


def test_the_configuration_is_one(tmp_path: Path) -> None:
    (sample,) = [block for block in blocks("README.md") if block.language == "toml"]
    (tmp_path / "config.toml").write_text(sample.text)
    assert load_config(tmp_path, {}).server.port == 1337


def test_the_routes_of_the_table_exist(url: str) -> None:
    cells = [line.split("|")[1] for line in README.splitlines() if line.startswith("| `")]
    named = {path for cell in cells for path in re.findall(r"(/[a-z0-9/_{}]+)`", cell)}
    documented = httpx.get(f"{url}/openapi.json", trust_env=False).json()["paths"]
    paths = set(documented) | {path.replace("{model_id}", "{id}") for path in documented}
    assert named
    missing = [path for path in named if not any(known.endswith(path) for known in paths)]
    assert missing == []


def test_the_two_commands_are_tasks() -> None:
    tasks = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["poe"]["tasks"]
    commands = [
        block.text.split() for block in blocks("README.md") if block.text.startswith("python3 dev.py")
    ]
    assert [command[2] for command in commands] == ["quickstart", "test"]
    assert all(command[2] in tasks for command in commands)
