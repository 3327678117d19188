"""Members of archives, local files, and room on the disk."""

import asyncio
import io
import os
import shutil
import zipfile
from pathlib import Path

import pytest
from jan_host import Asset, ChecksumMismatchError, DownloadError, InsufficientDiskError
from jan_host.downloads import disk, placing

from tests.core.downloads.conftest import Bench, plan_of, sha256
from tests.core.downloads.server import FileServer

MODEL = os.urandom(200_000) + bytes(2_000_000)


def archive(*, encrypted: bool = False, damaged: bool = False) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as writer:
        for name, content in {"data/model.bin": MODEL, "data/tokens.json": b"{}"}.items():
            # With a date of its own, the same archive made twice would differ now and then.
            writer.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    body = bytearray(buffer.getvalue())
    if encrypted:
        body[body.index(b"PK\x01\x02") + 8] |= 1
    if damaged:
        start = body.index(b"data/model.bin") + 200
        body[start : start + 1000] = os.urandom(1000)
    return bytes(body)


def member(body: bytes, name: str = "data/model.bin", **place: object) -> Asset:
    fields = {
        "filename": name.rpartition("/")[2],
        "member": name,
        "size": len(body),
        "sha256": sha256(body),
        **place,
    }
    return Asset(**fields)  # type: ignore[arg-type]  # fields by name


async def test_members_of_one_archive_are_fetched_once(bench: Bench, server: FileServer) -> None:
    body = archive()
    resource = server.add("/a.zip", body)
    url = server.url("/a.zip")
    plan = plan_of(member(body, url=url), member(body, "data/tokens.json", url=url))
    assert plan.size() == len(body)
    info = await bench.bring(plan)
    assert info.received == info.total == len(body)
    assert len(resource.seen) == 1
    assert (bench.target / "model.bin").read_bytes() == MODEL
    assert (bench.target / "tokens.json").read_text() == "{}"
    assert sorted(path.name for path in bench.target.iterdir()) == ["model.bin", "tokens.json"]


async def test_a_member_that_is_not_there(bench: Bench, server: FileServer) -> None:
    body = archive()
    server.add("/a.zip", body)
    with pytest.raises(DownloadError, match=r"no member 'data/other\.bin'"):
        await bench.bring(plan_of(member(body, "data/other.bin", url=server.url("/a.zip"))))


async def test_an_encrypted_member(bench: Bench, server: FileServer) -> None:
    body = archive(encrypted=True)
    server.add("/a.zip", body)
    with pytest.raises(DownloadError, match="is encrypted"):
        await bench.bring(plan_of(member(body, url=server.url("/a.zip"))))


@pytest.mark.parametrize("body", [archive(damaged=True), archive()[:-30], b"no zip at all"])
async def test_a_damaged_archive(bench: Bench, server: FileServer, body: bytes) -> None:
    server.add("/a.zip", body)
    with pytest.raises(DownloadError, match="can't be unpacked"):
        await bench.bring(plan_of(member(body, url=server.url("/a.zip"))))
    assert not bench.target.exists()


async def test_a_local_archive_is_read_where_it_lies(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "a b.zip"
    path.write_bytes(archive())
    for place in ({"path": path}, {"url": path.as_uri()}):
        await bench.bring(plan_of(member(archive(), **place)))
        assert (bench.target / "model.bin").read_bytes() == MODEL
        shutil.rmtree(bench.target)
    assert path.exists()


async def test_a_local_archive_is_verified(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(archive())
    with pytest.raises(ChecksumMismatchError):
        await bench.bring(plan_of(member(archive(), path=path, sha256="0" * 64)))
    assert path.exists()


async def test_a_local_file_is_copied_and_verified(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(MODEL)
    await bench.bring(plan_of(Asset(filename="model.bin", path=path, sha256=sha256(MODEL))))
    assert (bench.target / "model.bin").read_bytes() == path.read_bytes() == MODEL
    with pytest.raises(ChecksumMismatchError):
        await bench.bring(plan_of(Asset(filename="model.bin", path=path, sha256="0" * 64)))
    path.unlink()
    with pytest.raises(DownloadError, match="is not there any more"):
        await bench.bring(plan_of(Asset(filename="model.bin", path=path)))


async def test_a_plan_without_files_is_finished_at_once(bench: Bench) -> None:
    info = await bench.bring(plan_of())
    assert (info.status, info.total) == ("done", 0)
    assert len(bench.finished) == 1


async def test_a_disk_too_small_is_said_before_anything_is_fetched(bench: Bench, server: FileServer) -> None:
    resource = server.add("/model.bin", b"")
    plan = plan_of(Asset(filename="model.bin", url=server.url("/model.bin"), size=10**16))
    with pytest.raises(
        InsufficientDiskError, match=r"10000\.0 TB are needed and .* are free.*Free .* or more"
    ):
        await bench.bring(plan)
    assert resource.seen == []


async def test_an_archive_that_promises_more_than_the_disk_holds(
    bench: Bench, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = archive()
    server.add("/a.zip", body)
    room = len(body) * 2 + 1  # as much as the sizes in the plan let expect
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(room, 0, room))  # type: ignore[attr-defined]  # the type that disk_usage returns
    with pytest.raises(InsufficientDiskError, match=r"2\.2 MB are needed"):
        await bench.bring(plan_of(member(body, url=server.url("/a.zip"))))


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no second disk to try it on")
async def test_a_models_folder_on_another_disk(bench: Bench, server: FileServer) -> None:
    body = archive()
    server.add("/a.zip", body)
    folder = Path(f"/dev/shm/jan-host-test-{os.getpid()}")
    target = folder / "models" / "tiny"
    try:
        assert not disk.same_disk(bench.root, target.parent)
        plan = plan_of(member(body, url=server.url("/a.zip")))
        await bench.downloads.wait(bench.downloads.begin(plan, target, bench.finish).id)
        assert (target / "model.bin").read_bytes() == MODEL
        assert [path.name for path in target.parent.iterdir()] == ["tiny"]
        assert list((bench.root / "downloads").iterdir()) == []
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def test_cancel_while_a_large_file_is_unpacked(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as writer:
        writer.writestr("model.bin", bytes(128 << 20))
    info = bench.begin(plan_of(Asset(filename="model.bin", path=path, member="model.bin")))
    async with asyncio.timeout(60):
        while not list((bench.root / "downloads").rglob(".model.bin.part")):  # noqa: ASYNC110  # a file tells of itself to nobody
            await asyncio.sleep(0)
    assert (await bench.downloads.cancel(info.id, drop=True)).status == "cancelled"
    assert not bench.target.exists()
    assert list((bench.root / "downloads").iterdir()) == []


def test_displace_leaves_what_is_not_its_own(tmp_path: Path) -> None:
    target = tmp_path / "model"
    (target / "deep").mkdir(parents=True)
    (target / "deep" / "a").touch()
    (target / "mine").touch()
    placing.displace(["deep/a", "gone"], target)
    assert [path.name for path in target.iterdir()] == ["mine"]
