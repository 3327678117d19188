"""Downloads wait for their turn, survive the process, and are kept or dropped."""

import asyncio
import os
import shutil
import threading
from pathlib import Path

import pytest
from jan_host import Asset, DownloadError, DownloadInfo, ImportPlan, InsufficientDiskError
from jan_host.config import DownloadsConfig

from tests.core.downloads.conftest import Bench, plan_of, quick_manners, sha256
from tests.core.downloads.server import FileServer

BODY = os.urandom(3 << 20)


def plan(server: FileServer, path: str = "/model.bin", model: str = "tiny") -> ImportPlan:
    return plan_of(
        Asset(filename="model.bin", url=server.url(path), size=len(BODY), sha256=sha256(BODY)), model=model
    )


def restart(bench: Bench, **config: object) -> None:
    """What a new process has: the files."""
    bench.config = DownloadsConfig(**config)  # type: ignore[arg-type]  # settings by name
    bench.downloads = bench.new_downloads()


async def begun(bench: Bench, server: FileServer) -> DownloadInfo:
    """A download that has got 2 MiB and gets no more until its gate is set."""
    server.add("/model.bin", BODY, gate=threading.Event(), hold_at=2 << 20)
    info = bench.begin(plan(server))
    return await bench.until(lambda now: now.received >= 2 << 20, info.id)


async def test_one_after_the_other(bench: Bench, server: FileServer) -> None:
    restart(bench, at_once=1)
    first = await begun(bench, server)
    resource = server.add("/other.bin", BODY)
    second = bench.begin(plan(server, "/other.bin", model="other"))
    assert (second.status, second.active) == ("waiting", True)
    assert resource.seen == []
    gate = server.resources["/model.bin"].gate
    assert gate is not None
    gate.set()
    await bench.downloads.wait(second.id)
    assert bench.downloads.get(first.id).status == "done"
    told = [info.status for info in bench.events if info.id == second.id]
    assert list(dict.fromkeys(told)) == ["waiting", "running", "done"]


async def test_one_that_waits_can_be_cancelled_and_resumed(bench: Bench, server: FileServer) -> None:
    restart(bench, at_once=1)
    await begun(bench, server)
    server.add("/other.bin", BODY)
    second = bench.begin(plan(server, "/other.bin", model="other"))
    assert (await bench.downloads.cancel(second.id)).status == "cancelled"
    assert (await bench.downloads.resume(second.id)).status == "waiting"


async def test_what_was_on_its_way_goes_on_when_the_host_starts_again(
    bench: Bench, server: FileServer
) -> None:
    info = await begun(bench, server)
    await bench.downloads.close()
    resource = server.resources["/model.bin"]
    resource.gate = None

    restart(bench)
    await bench.downloads.restore(bench.finish)
    [listed] = bench.downloads.list()
    assert (listed.id, listed.status, listed.created) == (info.id, "failed", info.created)
    assert "interrupted" in (listed.error or "")
    assert listed.files[0].total == len(BODY)
    bench.downloads.resume_all()
    assert (await bench.downloads.wait(info.id)).status == "done"
    assert (bench.target / "model.bin").read_bytes() == BODY
    assert int(resource.seen[-1]["range"][6:-1]) >= 2 << 20
    assert len(bench.finished) == 1


async def test_unless_the_settings_say_no(bench: Bench, server: FileServer) -> None:
    info = await begun(bench, server)
    await bench.downloads.close()
    restart(bench, resume_at_start=False)
    await bench.downloads.restore(bench.finish)
    bench.downloads.resume_all()
    assert bench.downloads.get(info.id).status == "failed"
    server.resources["/model.bin"].gate = None
    await bench.downloads.resume(info.id)
    await bench.downloads.wait(info.id)


async def test_a_cancelled_one_keeps_what_has_come_and_waits_for_resume(
    bench: Bench, server: FileServer
) -> None:
    info = await begun(bench, server)
    assert (await bench.downloads.cancel(info.id)).status == "cancelled"
    assert bench.partials()
    server.resources["/model.bin"].gate = None

    restart(bench)
    await bench.downloads.restore(bench.finish)
    bench.downloads.resume_all()
    [listed] = bench.downloads.list()
    assert (listed.status, listed.received >= 2 << 20) == ("cancelled", True)
    await bench.downloads.resume(info.id)
    await bench.downloads.wait(info.id)
    assert int(server.resources["/model.bin"].seen[-1]["range"][6:-1]) >= 2 << 20


async def test_a_dropped_one_is_gone(bench: Bench, server: FileServer) -> None:
    info = await begun(bench, server)
    await bench.downloads.cancel(info.id)
    await bench.downloads.cancel(info.id, drop=True)
    assert list((bench.root / "downloads").iterdir()) == []
    restart(bench)
    await bench.downloads.restore(bench.finish)
    assert bench.downloads.list() == []


async def test_a_failed_one_is_listed_with_its_reason(bench: Bench, server: FileServer) -> None:
    server.add("/model.bin", BODY, cuts=[1 << 20, 0, 0])
    info = bench.begin(plan(server))
    with pytest.raises(DownloadError):
        await bench.downloads.wait(info.id)
    restart(bench)
    await bench.downloads.restore(bench.finish)
    bench.downloads.resume_all()
    [listed] = bench.downloads.list()
    assert (listed.status, listed.active) == ("failed", False)
    assert "3 times in a row" in (listed.error or "")
    with pytest.raises(DownloadError, match="3 times in a row"):
        await bench.downloads.wait(info.id)


async def test_what_another_process_fetches_is_left_to_it(bench: Bench, server: FileServer) -> None:
    await begun(bench, server)
    other = bench.new_downloads()
    await other.restore(bench.finish)
    assert other.list() == []
    await other.close()


async def test_a_record_that_can_not_be_read_hides_no_other(
    bench: Bench, server: FileServer, caplog: pytest.LogCaptureFixture
) -> None:
    info = await begun(bench, server)
    await bench.downloads.close()
    (bench.root / "downloads" / "dl-broken").mkdir()
    (bench.root / "downloads" / "dl-broken" / "download.json").write_text('{"status": 5}')
    (bench.root / "downloads" / "stray").touch()
    restart(bench)
    await bench.downloads.restore(bench.finish)
    assert [each.id for each in bench.downloads.list()] == [info.id]
    assert "dl-broken" in caplog.text


async def test_secrets_are_not_written_down(bench: Bench, server: FileServer) -> None:
    bench.environ["TOKEN"] = "hush-hush"
    url = server.url("/model.bin", "me:hush-hush@")
    server.add("/model.bin", BODY, gate=threading.Event(), hold_at=2 << 20)
    asset = Asset(filename="model.bin", url=url, size=len(BODY), headers={"X-Key": "env:TOKEN"})
    info = bench.begin(plan_of(asset))
    await bench.until(lambda now: now.received >= 1 << 20, info.id)
    await bench.downloads.close()
    for path in (bench.root / "downloads").rglob("*"):
        if path.is_file():
            assert b"hush" not in path.read_bytes()


async def test_files_speed_and_time_left_are_told(bench: Bench, server: FileServer) -> None:
    restart(bench, max_bytes_per_second=3 << 20)
    server.add("/model.bin", BODY)
    server.add("/small.bin", b"small")
    small = Asset(filename="small.bin", url=server.url("/small.bin"), size=5)
    todo = plan_of(*plan(server).assets, small)
    info = await bench.bring(todo)
    assert [(file.filename, file.status) for file in info.files] == [
        ("model.bin", "done"),
        ("small.bin", "done"),
    ]
    assert info.bytes_per_second is None
    running = [event for event in bench.events if event.bytes_per_second]
    assert running
    assert all(event.seconds_left is not None for event in running)
    assert running[-1].bytes_per_second is not None
    assert running[-1].bytes_per_second < 5 << 20
    first = next(event for event in bench.events if event.files[0].status == "running")
    assert first.files[0].total == len(BODY)


async def test_many_that_are_done_are_forgotten(bench: Bench) -> None:
    for number in range(103):
        await bench.downloads.wait(
            bench.downloads.begin(plan_of(model=f"m{number}"), bench.root / f"m{number}", bench.finish).id
        )
    assert bench.downloads.list()[0].model == "m2"


async def test_a_disk_that_fills_up_meanwhile(
    bench: Bench, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = await begun(bench, server)
    usage = shutil.disk_usage(bench.root)
    full = usage._replace(free=100)
    monkeypatch.setattr("jan_host.downloads.disk.shutil.disk_usage", lambda folder: full)
    with pytest.raises(InsufficientDiskError, match=r"Free .* or more, then resume"):
        await bench.downloads.wait(info.id)
    monkeypatch.undo()
    assert bench.partials()
    server.resources["/model.bin"].gate = None
    await bench.downloads.resume(info.id)
    await bench.downloads.wait(info.id)
    assert (bench.target / "model.bin").read_bytes() == BODY


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device to write to")
async def test_a_disk_that_is_full(bench: Bench, server: FileServer) -> None:
    server.add("/model.bin", BODY)
    todo = plan(server)
    probe = bench.new_downloads()
    folder = bench.root / "downloads" / probe.begin(todo, bench.target, bench.finish).id
    await probe.close()
    (folder / "0.part").unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "0.part").symlink_to("/dev/full")
    with pytest.raises(InsufficientDiskError, match="became full"):
        await bench.bring(todo)
    (folder / "0.part").unlink()
    await bench.bring(todo)
    assert (bench.target / "model.bin").read_bytes() == BODY


async def test_the_settings_reach_the_transfers(bench: Bench) -> None:
    manners = quick_manners(DownloadsConfig(connections_per_file=7, tries=9), {})
    assert manners.connections_per_file == 7
    async with asyncio.timeout(60), manners.gate.connection("a"):
        assert manners.gate.has_room("a")
