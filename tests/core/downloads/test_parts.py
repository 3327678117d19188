"""Files that come in parts."""

import os
from pathlib import Path

import pytest
from jan_host import Asset, ChecksumMismatchError, ImportFailedError, InsufficientDiskError
from jan_host.downloads import disk

from tests.core.downloads.conftest import Bench, plan_of, sha256
from tests.core.downloads.server import FileServer
from tests.core.downloads.test_archives import archive, member

PARTS = [os.urandom(100_000), b"", os.urandom(70_001), b"end"]
WHOLE = b"".join(PARTS)


def in_parts(server: FileServer, filename: str = "model.bin", promised: str | None = sha256(WHOLE)) -> Asset:
    """A file whose parts lie at addresses of their own."""
    parts = []
    for number, content in enumerate(PARTS):
        server.add(f"/{filename}.{number}", content)
        parts.append(
            Asset(
                filename=f"{filename}.{number}",
                url=server.url(f"/{filename}.{number}"),
                size=len(content),
                sha256=sha256(content),
            )
        )
    return Asset(filename=filename, parts=parts, size=len(WHOLE), sha256=promised)


async def test_parts_become_one_file(bench: Bench, server: FileServer) -> None:
    info = await bench.bring(plan_of(in_parts(server, "deep/model.bin"), in_parts(server, "other.bin", None)))
    found = {path.relative_to(bench.target).as_posix() for path in bench.target.rglob("*") if path.is_file()}
    assert found == {"deep/model.bin", "other.bin"}
    assert (bench.target / "deep/model.bin").read_bytes() == WHOLE
    assert (bench.target / "other.bin").read_bytes() == WHOLE
    assert info.received == info.total == 2 * len(WHOLE)
    assert [file.filename for file in info.files][:2] == ["deep/model.bin.0", "deep/model.bin.1"]


async def test_parts_may_be_members_of_archives_beside_other_files(
    bench: Bench, server: FileServer, tmp_path: Path
) -> None:
    body = archive()
    server.add("/a.zip", body)
    local = tmp_path / "tail.bin"
    local.write_bytes(b"tail")
    parts = [
        member(body, url=server.url("/a.zip"), filename="head"),
        Asset(filename="tail", path=local, size=4),
    ]
    tokens = member(body, "data/tokens.json", url=server.url("/a.zip"))
    await bench.bring(plan_of(Asset(filename="model.bin", parts=parts), tokens))
    assert (bench.target / "model.bin").read_bytes().endswith(b"\0tail")
    assert sorted(path.name for path in bench.target.iterdir()) == ["model.bin", "tokens.json"]
    assert local.exists()


async def test_parts_that_do_not_make_up_what_was_promised(bench: Bench, server: FileServer) -> None:
    plan = plan_of(in_parts(server, promised="0" * 64))
    with pytest.raises(ChecksumMismatchError, match=r"model\.bin is not the file"):
        await bench.bring(plan)
    assert not bench.target.exists()
    # The next pull fetches them anew: nobody knows which of them is wrong.
    with pytest.raises(ChecksumMismatchError):
        await bench.bring(plan)
    assert len(server.resources["/model.bin.0"].seen) == 2


async def test_no_room_for_the_whole_beside_its_parts(
    bench: Bench, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(in_parts(server))
    monkeypatch.setattr("jan_host.downloads.joining.ensure_space", _too_little)
    with pytest.raises(InsufficientDiskError):
        await bench.bring(plan)
    monkeypatch.undo()
    await bench.bring(plan)
    assert (bench.target / "model.bin").read_bytes() == WHOLE
    assert len(server.resources["/model.bin.0"].seen) == 1, "what had come was kept"


def _too_little(folder: Path, needed: int) -> None:
    disk.ensure_space(folder, 1 << 60)


@pytest.mark.parametrize(
    "wrong",
    [
        Asset(filename="a", url="http://h/a", parts=[Asset(filename="b", url="http://h/b")]),
        Asset(filename="a", member="m", parts=[Asset(filename="b", url="http://h/b")]),
        Asset(filename="a", parts=[Asset(filename="b", parts=[Asset(filename="c", url="http://h/c")])]),
        Asset(filename="a", parts=[Asset(filename="b")]),
        Asset(filename="a", parts=[Asset(filename="../b", url="http://h/b")]),
        Asset(filename="a", parts=[Asset(filename="b", url="http://h/b")] * 2),
    ],
)
async def test_plans_that_make_no_sense(bench: Bench, wrong: Asset) -> None:
    with pytest.raises(ImportFailedError, match="report this to the plugin's author"):
        await bench.bring(plan_of(wrong))
