"""Files come over HTTP: whole, verified, and again where they broke off."""

import asyncio
import os
import threading
from pathlib import Path

import pytest
from jan_host import Asset, ChecksumMismatchError, ConflictError, DownloadError, OriginNotFoundError
from jan_host.contract.errors import ConfigError, DownloadNotFoundError, ImportFailedError

from tests.core.downloads.conftest import Bench, plan_of, sha256
from tests.core.downloads.server import FileServer

BODY = os.urandom(3 << 20)


def asset(server: FileServer, path: str = "/model.bin", body: bytes = BODY, **more: object) -> Asset:
    fields = {"filename": "model.bin", "url": server.url(path), "size": len(body), "sha256": sha256(body)}
    return Asset(**{**fields, **more})  # type: ignore[arg-type]  # fields by name, one test at a time


async def test_a_file_arrives_whole_and_the_plan_is_finished(bench: Bench, server: FileServer) -> None:
    server.add("/model.bin", BODY)
    plan = plan_of(asset(server))
    info = await bench.bring(plan)
    assert (info.status, info.received, info.total) == ("done", len(BODY), len(BODY))
    assert (bench.target / "model.bin").read_bytes() == BODY
    assert bench.finished == [plan]
    assert [path.name for path in (bench.root / "downloads").iterdir()] == []
    assert bench.events[0].status == "running"
    assert bench.events[-1] == info == bench.downloads.get(info.id)


async def test_a_cut_connection_goes_on_where_it_broke(bench: Bench, server: FileServer) -> None:
    resource = server.add("/model.bin", BODY, cuts=[1_500_000, 1_000_000])
    await bench.bring(plan_of(asset(server)))
    assert (bench.target / "model.bin").read_bytes() == BODY
    first, second, third = resource.seen
    assert "range" not in first
    assert second["range"].startswith("bytes=1")
    assert second["if-range"] == third["if-range"] == '"v1"'


async def test_without_range_support_a_cut_file_starts_over(bench: Bench, server: FileServer) -> None:
    server.add("/model.bin", BODY, cuts=[2_000_000], ranges=False)
    await bench.bring(plan_of(asset(server)))
    assert (bench.target / "model.bin").read_bytes() == BODY


async def test_a_file_that_changed_meanwhile_starts_over(bench: Bench, server: FileServer) -> None:
    old = os.urandom(len(BODY))
    resource = server.add("/model.bin", old, cuts=[2_000_000, 0, 0], etag='"old"')
    plan = plan_of(asset(server, sha256=None))
    with pytest.raises(DownloadError, match="the connection broke"):
        await bench.bring(plan)
    resource.body, resource.etag = BODY, '"new"'
    await bench.bring(plan)
    assert (bench.target / "model.bin").read_bytes() == BODY


async def test_a_rest_is_not_trusted_without_hash_and_version(bench: Bench, server: FileServer) -> None:
    resource = server.add("/model.bin", BODY, cuts=[2_000_000], etag=None)
    await bench.bring(plan_of(asset(server, sha256=None)))
    assert (bench.target / "model.bin").read_bytes() == BODY
    assert ["range" in headers for headers in resource.seen] == [False, False]


async def test_a_rest_with_a_known_hash_goes_on_without_a_version(bench: Bench, server: FileServer) -> None:
    resource = server.add("/model.bin", BODY, cuts=[2_000_000], etag=None)
    await bench.bring(plan_of(asset(server)))
    assert (bench.target / "model.bin").read_bytes() == BODY
    assert ["range" in headers for headers in resource.seen] == [False, True]


async def test_a_server_that_fails_for_a_while_is_asked_again(bench: Bench, server: FileServer) -> None:
    resource = server.add("/model.bin", BODY, statuses=[503, 500], retry_after="0")
    await bench.bring(plan_of(asset(server)))
    assert len(resource.seen) == 3


async def test_tries_end_and_what_has_come_is_kept(bench: Bench, server: FileServer) -> None:
    resource = server.add("/model.bin", BODY, cuts=[2_000_000, 0, 0])
    info = bench.begin(plan_of(asset(server)))
    with pytest.raises(DownloadError, match=r"3 times in a row\. What has come is kept: resume"):
        await bench.downloads.wait(info.id)
    failed = bench.downloads.get(info.id)
    assert failed.status == "failed"
    assert failed.error is not None
    assert not bench.target.exists()
    [partial] = bench.partials()
    assert partial.stat().st_size > 1_000_000

    await bench.downloads.resume(info.id)
    assert (await bench.downloads.wait(info.id)).error is None
    assert (bench.target / "model.bin").read_bytes() == BODY
    assert int(resource.seen[-1]["range"][6:-1]) > 1_000_000


async def test_partials_are_found_again_after_a_restart(bench: Bench, server: FileServer) -> None:
    resource = server.add("/model.bin", BODY, gate=threading.Event(), hold_at=2 << 20)
    plan = plan_of(asset(server))
    info = bench.begin(plan)
    await bench.until(lambda now: now.received >= 1 << 20, info.id)
    await bench.downloads.close()
    assert bench.downloads.get(info.id).status == "failed"

    resource.gate = None
    bench.downloads = bench.new_downloads()
    assert (await bench.bring(plan)).id == info.id
    assert (bench.target / "model.bin").read_bytes() == BODY
    assert int(resource.seen[-1]["range"][6:-1]) >= 1 << 20


async def test_a_signed_address_may_change_between_runs(bench: Bench, server: FileServer) -> None:
    resource = server.add("/model.bin", BODY, cuts=[2_000_000, 0, 0])
    first = bench.begin(plan_of(asset(server, url=server.url("/model.bin?signature=one"))))
    with pytest.raises(DownloadError) as caught:
        await bench.downloads.wait(first.id)
    assert "signature" not in str(caught.value)
    second = bench.begin(plan_of(asset(server, url=server.url("/model.bin?signature=two"))))
    await bench.downloads.wait(second.id)
    assert first.id == second.id
    assert "range" in resource.seen[-1]


async def test_wrong_content_is_deleted_and_said(bench: Bench, server: FileServer) -> None:
    server.add("/model.bin", os.urandom(len(BODY)))
    with pytest.raises(ChecksumMismatchError, match="expected " + sha256(BODY)):
        await bench.bring(plan_of(asset(server)))
    assert bench.partials() == []
    assert not bench.target.exists()


async def test_a_damaged_rest_is_deleted_so_that_the_next_try_is_clean(
    bench: Bench, server: FileServer
) -> None:
    server.add("/model.bin", BODY, cuts=[2_000_000, 0, 0])
    plan = plan_of(asset(server))
    with pytest.raises(DownloadError):
        await bench.bring(plan)
    [partial] = bench.partials()
    partial.write_bytes(os.urandom(partial.stat().st_size))
    with pytest.raises(ChecksumMismatchError):
        await bench.bring(plan)
    await bench.bring(plan)
    assert (bench.target / "model.bin").read_bytes() == BODY


@pytest.mark.parametrize("told", [True, False], ids=["told", "streamed"])
async def test_another_size_than_promised_is_an_error_at_once(
    bench: Bench, server: FileServer, told: bool
) -> None:
    resource = server.add("/model.bin", BODY + b"more", length=told)
    with pytest.raises(DownloadError, match=f"should have {len(BODY)} bytes.*plan the pull again"):
        await bench.bring(plan_of(asset(server)))
    assert len(resource.seen) == 1


async def test_a_shorter_stream_than_promised_is_not_taken_for_the_whole(
    bench: Bench, server: FileServer
) -> None:
    server.add("/model.bin", BODY[:-1], length=False, ranges=False)
    with pytest.raises(DownloadError, match="the connection ended after"):
        await bench.bring(plan_of(asset(server, sha256=None)))


async def test_sizes_that_nobody_told_are_learnt(bench: Bench, server: FileServer) -> None:
    server.add("/model.bin", BODY)
    info = bench.begin(plan_of(asset(server, size=None)))
    assert info.total is None
    assert (await bench.downloads.wait(info.id)).total == len(BODY)


async def test_a_compressed_answer_is_refused(bench: Bench, server: FileServer) -> None:
    server.add("/model.bin", BODY, encoding="gzip")
    with pytest.raises(DownloadError, match="compressed"):
        await bench.bring(plan_of(asset(server)))


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (404, OriginNotFoundError, "is not there"),
        (401, DownloadError, "refused"),
        (403, DownloadError, "refused"),
        (418, DownloadError, "answered 418"),
    ],
)
async def test_answers_that_no_second_try_would_change(
    bench: Bench, server: FileServer, status: int, error: type[ImportFailedError], words: str
) -> None:
    resource = server.add("/model.bin", BODY, statuses=[status])
    with pytest.raises(error, match=words):
        await bench.bring(plan_of(asset(server)))
    assert len(resource.seen) == 1


async def test_no_server_at_all(bench: Bench, server: FileServer) -> None:
    url = server.url("/model.bin")
    server.shutdown()  # what waits at the socket keeps it open
    server.server_close()
    with pytest.raises(DownloadError, match="no connection"):
        await bench.bring(plan_of(asset(server, url=url)))


async def test_cancel_can_delete_what_has_come(bench: Bench, server: FileServer) -> None:
    server.add("/model.bin", BODY, gate=threading.Event(), hold_at=2 << 20)
    info = bench.begin(plan_of(asset(server)))
    await bench.until(lambda now: now.received >= 1 << 20, info.id)
    waiting = asyncio.create_task(bench.downloads.wait(info.id))
    await asyncio.sleep(0)
    assert (await bench.downloads.cancel(info.id, drop=True)).status == "cancelled"
    assert (await waiting).status == "cancelled"
    assert (await bench.downloads.cancel(info.id, drop=True)).status == "cancelled"
    assert bench.partials() == []
    assert not bench.target.exists()
    assert bench.events[-1].status == "cancelled"


async def test_cancel_before_the_first_step(bench: Bench, server: FileServer) -> None:
    server.add("/model.bin", BODY)
    info = bench.begin(plan_of(asset(server)))
    assert (await bench.downloads.cancel(info.id)).status == "cancelled"
    await bench.downloads.resume(info.id)
    assert (await bench.downloads.wait(info.id)).status == "done"


async def test_a_failed_download_can_be_dropped(bench: Bench, server: FileServer) -> None:
    server.add("/model.bin", BODY, cuts=[2_000_000, 0, 0])
    info = bench.begin(plan_of(asset(server)))
    with pytest.raises(DownloadError):
        await bench.downloads.wait(info.id)
    assert bench.partials()
    assert (await bench.downloads.cancel(info.id, drop=True)).status == "cancelled"
    assert bench.partials() == []


async def test_a_complete_download_is_neither_cancelled_nor_resumed(bench: Bench, server: FileServer) -> None:
    server.add("/model.bin", BODY)
    info = await bench.bring(plan_of(asset(server)))
    with pytest.raises(ConflictError, match="Delete the model 'tiny' instead"):
        await bench.downloads.cancel(info.id)
    with pytest.raises(ConflictError, match="nothing to resume"):
        await bench.downloads.resume(info.id)


async def test_the_same_plan_twice_is_one_download(bench: Bench, server: FileServer) -> None:
    resource = server.add("/model.bin", BODY)
    plan = plan_of(asset(server))
    first, second = bench.begin(plan), bench.begin(plan)
    assert first.id == second.id
    await bench.downloads.wait(first.id)
    assert len(resource.seen) == len(bench.finished) == len(bench.downloads.list()) == 1


async def test_two_processes_do_not_write_the_same_file(bench: Bench, server: FileServer) -> None:
    gate = threading.Event()
    server.add("/model.bin", BODY, gate=gate, hold_at=1 << 20)
    plan = plan_of(asset(server))
    info = bench.begin(plan)
    await bench.until(lambda now: now.received >= 1 << 20, info.id)
    other = bench.new_downloads()
    other.begin(plan, bench.target, bench.finish)
    with pytest.raises(ConflictError, match="Another jan-host process"):
        await other.wait(info.id)
    await other.cancel(info.id)
    gate.set()
    assert (await bench.downloads.wait(info.id)).status == "done"
    await other.close()


async def test_several_files_come_at_once(bench: Bench, server: FileServer) -> None:
    names = ["a.bin", "b.bin", "deep/er/c.bin"]
    assets = []
    for name in names:
        body = os.urandom(100_000)
        server.add(f"/{name}", body)
        assets.append(asset(server, f"/{name}", body, filename=name))
    info = await bench.bring(plan_of(*assets))
    assert info.received == info.total == 300_000
    for name in names:
        assert (bench.target / name).read_bytes() == server.resources[f"/{name}"].body


async def test_files_that_are_complete_are_not_fetched_again(bench: Bench, server: FileServer) -> None:
    good = server.add("/a.bin", BODY)
    bad = server.add("/b.bin", BODY, statuses=[404])
    plan = plan_of(asset(server, "/a.bin", filename="a.bin"), asset(server, "/b.bin", filename="b.bin"))
    bad.gate = threading.Event()
    bad.gate.set()
    with pytest.raises(OriginNotFoundError):
        await bench.bring(plan)
    seen = len(good.seen)
    await bench.bring(plan)
    # The first run may have been stopped before the good file was whole: then it goes on, and no further.
    assert len(good.seen) <= seen + 1
    assert bench.finished == [plan]


async def test_unknown_ids(bench: Bench) -> None:
    with pytest.raises(DownloadNotFoundError, match="GET /v1/downloads"):
        bench.downloads.get("dl-nothing")


async def test_progress_is_told_at_most_five_times_a_second(bench: Bench, server: FileServer) -> None:
    body = os.urandom(20 << 20)
    server.add("/model.bin", body)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await bench.bring(plan_of(asset(server, body=body)))
    assert len(bench.events) <= 2 + (loop.time() - began) / 0.2 + 1
    received = [event.received for event in bench.events]
    assert received == sorted(received)


async def test_the_event_loop_stays_free(bench: Bench, server: FileServer) -> None:
    server.add("/model.bin", BODY)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await bench.bring(plan_of(asset(server)))
    counting.cancel()
    assert turns > 10


async def test_secrets_are_read_when_needed_and_never_shown(bench: Bench, server: FileServer) -> None:
    resource = server.add("/model.bin", BODY, statuses=[403, 403])
    headers = {"Authorization": "Bearer env:TOKEN", "X-Key": "env:TOKEN"}
    plan = plan_of(asset(server, headers=headers))
    with pytest.raises(ConfigError, match="'TOKEN'"):
        await bench.bring(plan)
    bench.environ["TOKEN"] = "hush-hush"
    with pytest.raises(DownloadError) as caught:
        await bench.bring(plan)
    assert resource.seen[-1]["authorization"] == "Bearer hush-hush"
    assert resource.seen[-1]["x-key"] == "hush-hush"
    assert "hush" not in str(caught.value) + str(bench.events)


async def test_user_and_password_in_the_address_are_sent_and_never_shown(
    bench: Bench, server: FileServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    resource = server.add("/model.bin", BODY, statuses=[403])
    plan = plan_of(asset(server, url=server.url("/model.bin?token=hush", "me:hush@")))
    with pytest.raises(DownloadError) as caught:
        await bench.bring(plan)
    await bench.bring(plan)
    assert resource.seen[-1]["authorization"] == "Basic bWU6aHVzaA=="
    assert "hush" not in str(caught.value) + str(bench.events) + caplog.text


async def test_finish_that_fails_is_tried_again_without_fetching(bench: Bench, server: FileServer) -> None:
    resource = server.add("/model.bin", BODY)
    calls = 0

    async def finish(plan: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise PermissionError(13, "Permission denied", "model.json")

    info = bench.downloads.begin(plan_of(asset(server)), bench.target, finish)
    with pytest.raises(DownloadError, match="Permission denied"):
        await bench.downloads.wait(info.id)
    await bench.downloads.resume(info.id)
    assert (await bench.downloads.wait(info.id)).status == "done"
    assert (calls, len(resource.seen)) == (2, 1)


async def test_dropping_after_finish_failed_removes_the_files(bench: Bench, server: FileServer) -> None:
    server.add("/model.bin", BODY)

    async def finish(plan: object) -> None:
        raise RuntimeError("a bug of whoever finishes")

    info = bench.downloads.begin(plan_of(asset(server)), bench.target, finish)
    with pytest.raises(DownloadError, match="nobody foresaw"):
        await bench.downloads.wait(info.id)
    assert (bench.target / "model.bin").exists()
    await bench.downloads.cancel(info.id, drop=True)
    assert not bench.target.exists()


async def test_files_join_what_the_folder_holds_already(bench: Bench, server: FileServer) -> None:
    server.add("/model.bin", BODY)
    bench.target.mkdir(parents=True)
    (bench.target / "notes.txt").write_text("mine")
    (bench.target / "model.bin").write_text("old")
    await bench.bring(plan_of(asset(server)))
    assert (bench.target / "model.bin").read_bytes() == BODY
    assert (bench.target / "notes.txt").read_text() == "mine"


async def test_a_folder_that_can_not_be_written_is_named(bench: Bench, server: FileServer) -> None:
    server.add("/model.bin", BODY)
    bench.target.parent.mkdir()
    bench.target.write_text("a file where the folder should be")
    with pytest.raises(DownloadError, match="Check the folder and its permissions"):
        await bench.bring(plan_of(asset(server)))


@pytest.mark.parametrize(
    "filename", ["../evil", "a/../../evil", "/etc/passwd", "C:evil", "a\\b", "", "a\0b", "..", "."]
)
async def test_files_stay_inside_the_models_folder(bench: Bench, server: FileServer, filename: str) -> None:
    with pytest.raises(ImportFailedError, match="leads out of the model's folder"):
        bench.begin(plan_of(asset(server, filename=filename)))
    assert bench.downloads.list() == []


async def test_plans_that_make_no_sense(bench: Bench, server: FileServer) -> None:
    with pytest.raises(ImportFailedError, match="twice"):
        bench.begin(plan_of(asset(server), asset(server)))
    with pytest.raises(ImportFailedError, match="one of url and path"):
        bench.begin(plan_of(Asset(filename="x", url=server.url("/x"), path=Path("x"))))
    with pytest.raises(ImportFailedError, match="not http, https or file"):
        bench.begin(plan_of(asset(server, url="ftp://somewhere/x")))
