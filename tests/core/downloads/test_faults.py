"""Whatever a server does, the right file arrives, or a clear error: never a wrong file under its name."""

import asyncio
import contextlib
import os
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from jan_host import Asset, ImportFailedError, ImportPlan
from jan_host.config import DownloadsConfig
from jan_host.contract.errors import ChecksumMismatchError, DownloadError
from jan_host.downloads.manners import Manners
from jan_host.downloads.retries import Retries

from tests.core.downloads.conftest import Bench, plan_of, quick_manners, sha256
from tests.hub import Bytes, Hub, running_hub

MIB = 1 << 20
BODY = os.urandom(6 * MIB + 12345)
OTHER = os.urandom(len(BODY))
FILE = "org/model/model.bin"


def eager_manners(config: DownloadsConfig, environ: Mapping[str, str]) -> Manners:
    """Several connections as soon as possible, so that a small file sees what a large one does."""
    retries = Retries(tries=8, first_seconds=0.01, most_seconds=0.05)
    made = quick_manners(config, environ)
    return replace(made, widen_seconds=0.02, segment_bytes=MIB // 2, save_seconds=0.05, retries=retries)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as running:
        running.add("org/model", {"model.bin": Bytes(BODY)})
        yield running


@pytest.fixture
def eager(bench: Bench) -> Bench:
    bench.manners = eager_manners
    bench.downloads = bench.new_downloads()
    return bench


async def set_patience(bench: Bench, seconds: float) -> None:
    """How long a server may be silent: short only where it will be, since on a busy machine all are slow."""
    await bench.downloads.close()
    bench.config = DownloadsConfig(timeout_seconds=seconds)
    bench.downloads = bench.new_downloads()


def plan(hub: Hub, **more: Any) -> ImportPlan:
    fields = {"size": len(BODY), "sha256": sha256(BODY), **more}
    return plan_of(Asset(filename="model.bin", url=hub.resolve_url("org/model", "model.bin"), **fields))


async def test_a_large_file_comes_over_several_connections(eager: Bench, hub: Hub) -> None:
    hub.fault(FILE).bytes_per_second = 4 * MIB
    await eager.bring(plan(hub))
    assert (eager.target / "model.bin").read_bytes() == BODY
    starts = sorted(start for start, _ in hub.ranges(FILE))
    assert len(starts) > 2
    assert len(set(starts)) == len(starts)
    # The first connection asked for everything, and was cut short when others took over.
    assert hub.bytes_sent(FILE) < len(BODY) + 4 * MIB
    origin = [one for one in hub.seen if one.place == "hub" and one.method == "GET"]
    assert len(origin) == 1  # the others ask the place behind the redirect


async def test_without_etag_and_hash_there_is_one_connection(eager: Bench, hub: Hub) -> None:
    fault = hub.fault(FILE)
    fault.bytes_per_second, fault.without_etag = 8 * MIB, True
    await eager.bring(plan(hub, sha256=None))
    assert (eager.target / "model.bin").read_bytes() == BODY
    assert hub.ranges(FILE) == [(0, len(BODY))]


RIGHT: dict[str, Callable[[Any], None]] = {
    "cuts": lambda fault: fault.cuts.extend([100, 2 * MIB, 0, 1, 3 * MIB]),
    "every connection is cut": lambda fault: vars(fault).update(cut_every=MIB),
    "fails for a while": lambda fault: fault.statuses.extend([503, 500, 502, 504]),
    "refuses for a while": lambda fault: vars(fault).update(statuses=[429, 429], retry_after="0"),
    "ignores ranges": lambda fault: vars(fault).update(without_ranges=True, cuts=[MIB]),
    "has no lengths": lambda fault: vars(fault).update(without_length=True, cuts=[MIB]),
    "has no etags": lambda fault: vars(fault).update(without_etag=True, cuts=[MIB]),
    "is slow": lambda fault: vars(fault).update(bytes_per_second=6 * MIB),
}


@pytest.mark.parametrize("how", RIGHT)
async def test_the_right_file_comes_in_spite_of_it(eager: Bench, hub: Hub, how: str) -> None:
    RIGHT[how](hub.fault(FILE))
    await eager.bring(plan(hub))
    assert (eager.target / "model.bin").read_bytes() == BODY


WRONG: dict[str, tuple[Callable[[Any], None], type[ImportFailedError], str]] = {
    "corrupts a byte": (lambda fault: fault.corrupt_at.append(MIB), ChecksumMismatchError, "not the file"),
    "says more than it has": (
        lambda fault: vars(fault).update(content_length=len(BODY) + 5),
        DownloadError,
        "should have .* plan the pull again",
    ),
    "says less than it has": (
        lambda fault: vars(fault).update(content_length=len(BODY) - 5),
        DownloadError,
        "should have .* plan the pull again",
    ),
    "sends other ranges": (
        lambda fault: vars(fault).update(wrong_range=7, cut_every=2 * MIB),
        ImportFailedError,
        "model.bin",
    ),
    "stalls for ever": (lambda fault: vars(fault).update(stall_at=1000), DownloadError, "in time"),
}


@pytest.mark.parametrize("how", WRONG)
async def test_a_clear_error_and_no_file(eager: Bench, hub: Hub, how: str) -> None:
    spoil, error, words = WRONG[how]
    await set_patience(eager, 0.5)
    spoil(hub.fault(FILE))
    with pytest.raises(error, match=words):
        await eager.bring(plan(hub))
    assert not eager.target.exists()
    hub.fault(FILE).gate.set()
    hub.faults.clear()
    await set_patience(eager, 30.0)
    with contextlib.suppress(ChecksumMismatchError):  # wrong bytes that were kept are found and deleted
        await eager.bring(plan(hub))
    await eager.bring(plan(hub))
    assert (eager.target / "model.bin").read_bytes() == BODY


async def test_a_stall_that_ends_with_the_connection_is_gone_over(eager: Bench, hub: Hub) -> None:
    await set_patience(eager, 1.0)
    fault = hub.fault(FILE)
    fault.stall_at = 2 * MIB
    info = eager.begin(plan(hub))
    assert await asyncio.to_thread(fault.stalled.wait, 60)
    fault.stall_at = None
    await eager.downloads.wait(info.id)
    assert (eager.target / "model.bin").read_bytes() == BODY


async def test_a_file_that_changes_while_it_is_fetched_starts_again(eager: Bench, hub: Hub) -> None:
    fault = hub.fault(FILE)
    fault.cuts, fault.changed = [2 * MIB], Bytes(OTHER)
    await eager.bring(plan(hub, sha256=None))
    assert (eager.target / "model.bin").read_bytes() == OTHER


async def test_a_changed_file_is_not_the_one_with_the_promised_hash(eager: Bench, hub: Hub) -> None:
    fault = hub.fault(FILE)
    fault.cuts, fault.changed = [2 * MIB], Bytes(OTHER)
    with pytest.raises(ChecksumMismatchError):
        await eager.bring(plan(hub))
    assert not eager.target.exists()


async def test_an_address_whose_time_is_over_is_asked_for_anew(eager: Bench, hub: Hub) -> None:
    fault = hub.fault(FILE)
    fault.bytes_per_second, fault.cut_every = 8 * MIB, 2 * MIB
    info = eager.begin(plan(hub))
    await asyncio.to_thread(hub.wait_for_bytes, FILE, MIB)
    hub.expire_signatures()
    await eager.downloads.wait(info.id)
    assert (eager.target / "model.bin").read_bytes() == BODY
    assert hub.bytes_sent(FILE) < len(BODY) + 4 * MIB


async def test_a_server_that_asks_for_time_gets_it(eager: Bench, hub: Hub) -> None:
    fault = hub.fault(FILE)
    fault.statuses, fault.retry_after = [429], "1"
    loop = asyncio.get_running_loop()
    began = loop.time()
    await eager.bring(plan(hub))
    assert loop.time() - began >= 1.0


@pytest.mark.parametrize("seed", range(8))
async def test_any_sequence_of_faults(eager: Bench, hub: Hub, seed: int) -> None:
    dice = random.Random(seed)
    fault = hub.fault(FILE)
    fault.bytes_per_second = dice.choice([None, 8 * MIB])
    fault.cuts = [dice.randrange(3 * MIB) for _ in range(dice.randrange(6))]
    fault.statuses = [dice.choice([429, 500, 503]) for _ in range(dice.randrange(3))]
    fault.corrupt_at = [dice.randrange(len(BODY))] * dice.randrange(2)
    fault.without_ranges = dice.random() < 0.2
    fault.without_etag = dice.random() < 0.3
    fault.without_length = dice.random() < 0.2
    promised = dice.random() < 0.8 or bool(fault.corrupt_at)
    todo = plan(hub, sha256=sha256(BODY) if promised else None)
    for _ in range(3):
        with contextlib.suppress(ImportFailedError):
            await eager.bring(todo)
            break
        assert not eager.target.exists()
        assert "nobody foresaw" not in (eager.downloads.list()[0].error or "")
    assert (eager.target / "model.bin").read_bytes() == BODY


async def test_gits_hash_is_checked_where_there_is_no_other(eager: Bench, hub: Hub) -> None:
    import hashlib

    right = hashlib.sha1(b"blob %d\0" % len(BODY) + BODY).hexdigest()
    with pytest.raises(ChecksumMismatchError, match="git hash"):
        await eager.bring(plan(hub, sha256=None, git_sha1="0" * 40))
    await eager.bring(plan(hub, sha256=None, git_sha1=right))
    assert (eager.target / "model.bin").read_bytes() == BODY
