"""The example importer keeps the contract, and its plans make models that the example engine loads."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from jan_host import ChatMessage, ChatRequest, Importer, ImportOptions, PullRequest
from jan_host.config import load_config
from jan_host.host import JanHost
from jan_host.testing import ImporterContract
from jan_host_example_importer import TextFileImporter

from tests.examples.poem import POEM


@pytest.fixture(scope="module")
def importer() -> Importer:
    return TextFileImporter()


@pytest.fixture(scope="module")
def poem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("poems") / "The Wide Sea.txt"
    path.write_text(POEM, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def good_origins(poem: Path) -> Sequence[str]:
    return [str(poem), "https://example.org/poems/Sea%20of%20Words.txt"]


@pytest.fixture(scope="module")
def bad_origins(poem: Path) -> Sequence[str]:
    return [str(poem.parent), str(poem.with_name("nothing.txt")), "", "a\x00b", "x" * 5000]


class TestTextFileImporter(ImporterContract):
    pass


async def test_a_url_gives_a_name_without_its_escapes() -> None:
    plan = await TextFileImporter().resolve("https://example.org/Sea%20of%20Words.txt?x=1", ImportOptions())
    assert (plan.model.id, plan.assets[0].filename) == ("sea-of-words", "sea-of-words.ngram.txt")


async def test_the_host_carries_the_plan_out_and_the_engine_runs_it(poem: Path, tmp_path: Path) -> None:
    async with JanHost(load_config(tmp_path, environ={})) as host:
        download = await host.pull(PullRequest(origin=f"textfile:{poem}", variant="quotes"))
        await host.downloads.wait(download.id)
        model = host.model("the-wide-sea")
        assert (model.engine, model.import_format, model.settings) == (
            "example-ngram",
            "textfile",
            {"order": 5},
        )
        request = ChatRequest(
            model=model.id,
            messages=[ChatMessage(role="user", content="The capital of France")],
            temperature=0,
        )
        answer = "".join([delta.text async for delta in host.chat(request)])
        assert answer.startswith(" is Paris")
