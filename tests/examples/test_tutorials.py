"""The tutorials of the examples, followed to the letter: installed, served, and called through HTTP."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.examples.environments import REPOSITORY, Environment
from tests.examples.servers import serving

BLOCK = re.compile(r"^```([^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDRESS = "http://127.0.0.1:1337"


def blocks(readme: Path) -> Iterator[tuple[str, str]]:
    """The code blocks of a page: what stands behind the backticks, and the code."""
    for match in BLOCK.finditer(readme.read_text(encoding="utf-8")):
        yield match[1].strip(), match[2]


def contains(answer: Any, shown: Any) -> bool:
    """Whether an answer has all that a (shortened) sample of it shows."""
    if isinstance(shown, dict):
        return isinstance(answer, dict) and all(
            name in answer and contains(answer[name], value) for name, value in shown.items()
        )
    if isinstance(shown, list):
        return (
            isinstance(answer, list)
            and len(answer) == len(shown)
            and all(contains(each, value) for each, value in zip(answer, shown, strict=True))
        )
    return bool(answer == shown)


class Reader:
    """Follows a tutorial: runs its shell blocks, starts its server, compares its answers."""

    def __init__(self, environment: Environment, home: Path, stack: ExitStack) -> None:
        self.environment = environment
        self.home = home
        self.stack = stack
        self.variables = environment.variables(JAN_HOST_ROOT=str(home / "root"))
        self.address = ADDRESS
        self.printed = ""

    def follow(self, kind: str, code: str) -> None:
        match kind:
            case "sh":
                script = code.replace(ADDRESS, self.address).replace(
                    "./examples", str(REPOSITORY / "examples")
                )
                self.printed = self.environment.shell(script, self.variables, self.home)
            case "sh serve":
                command = [str(self.environment.python), "-m", "jan_host.cli", *code.split()[1:]]
                self.address = self.stack.enter_context(serving(command, self.variables, self.home))
            case "json":
                answers = [json.loads(line) for line in self.printed.splitlines()]
                shown = [json.loads(line) for line in code.splitlines()]
                assert contains(answers, shown), f"the page shows {shown}, and the answer was {answers}"


@pytest.mark.parametrize("example", ["engine", "importer", "extra"])
def test_the_tutorial_works(environment: Environment, tmp_path: Path, example: str) -> None:
    with ExitStack() as stack:
        reader = Reader(environment, tmp_path, stack)
        for kind, code in blocks(REPOSITORY / "examples" / example / "README.md"):
            reader.follow(kind, code)
        plugins = httpx.get(f"{reader.address}/v1/plugins", timeout=60).json()["data"]
        status = {plugin["distribution"]: plugin["status"] for plugin in plugins}
        assert status[f"jan-host-example-{example}"] == "ok"
        assert set(status.values()) == {"ok"}


def test_the_engines_own_test_of_the_tutorial_passes(tmp_path: Path) -> None:
    [code] = [code for kind, code in blocks(REPOSITORY / "examples/engine/README.md") if kind == "python"]
    (tmp_path / "test_my_engine.py").write_text(code)
    command = [
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:asyncio",
        "-p",
        "no:cacheprovider",
        "-W",
        "error",
        str(tmp_path),
    ]
    done = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert "skipped" in done.stdout


def test_the_page_of_clients_names_every_client() -> None:
    folder = REPOSITORY / "examples" / "clients"
    page = (folder / "README.md").read_text(encoding="utf-8")
    for client in folder.iterdir():
        assert client.name == "README.md" or f"`{client.name}`" in page


@pytest.fixture(scope="module")
def server(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with the example engine's model in it."""
    home = tmp_path_factory.mktemp("clients")
    models = home / "root" / "models"
    models.mkdir(parents=True)
    text = "Once upon a time there was a sailor.\n\nThe capital of France is Paris, and so it was."
    (models / "tale.ngram.txt").write_text(text)
    variables = environment.variables(JAN_HOST_ROOT=str(home / "root"))
    environment.shell("python -m pip install --quiet ./examples/engine", variables)
    command = [str(environment.python), "-m", "jan_host.cli", "serve"]
    with serving(command, variables, home) as address:
        yield address


@pytest.mark.parametrize(
    ("client", "shown"),
    [
        ("python chat.py", ["Paris, and so it was"]),
        ("python chat.py tale", ["Paris, and so it was"]),
        ("python stream.py", ["there was a sailor", "(5 tokens)"]),
        ("python tokens.py", ["tokens: [", "How many tokens does this text have?"]),
        ("sh chat.sh", ['"tale"', "there was a sailor", "data: [DONE]"]),
        ("sh chat.sh tale", ['"chat.completion.chunk"']),
    ],
)
def test_a_client_works(environment: Environment, server: str, client: str, shown: list[str]) -> None:
    variables = environment.variables(JAN_HOST_URL=server)
    printed = environment.shell(client, variables, REPOSITORY / "examples" / "clients")
    for text in shown:
        assert text in printed
