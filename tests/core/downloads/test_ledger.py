"""Which bytes are here and who fetches the rest; and the smaller parts that transfers share."""

import asyncio
import email.utils
import hashlib
import random
import threading
import time
from pathlib import Path

import pytest
from jan_host.downloads.digest import FrontDigest
from jan_host.downloads.gate import Gate
from jan_host.downloads.ledger import Ledger, Segment
from jan_host.downloads.retries import Failures, Retries, retry_after
from jan_host.downloads.throttle import Throttle


@pytest.mark.parametrize("seed", range(50))
def test_every_byte_is_fetched_once(seed: int) -> None:
    """Connections come, go, break off and take from each other, in any order."""
    dice = random.Random(seed)
    size = dice.randrange(1, 5000)
    ledger = Ledger(size, least=dice.choice([1, 50, 400]))
    fetched = bytearray(size)
    active: list[Segment] = []
    while not ledger.complete:
        segment = ledger.claim(dice.randrange(1, 1000)) if len(active) < 4 else None
        if segment is not None:
            active.append(segment)
        one = dice.choice(active)
        count = min(ledger.room(one), dice.randrange(300))
        for offset in range(one.position, one.position + count):
            fetched[offset] += 1
        ledger.advance(one, count)
        if not ledger.room(one) or dice.random() < 0.1:
            active.remove(one)
            ledger.release(one)
        assert ledger.received == sum(fetched)
    assert fetched == b"\1" * size


def test_who_is_alone_gets_all_up_to_what_is_here() -> None:
    ledger = Ledger(100, [(0, 10), (60, 70)])
    first = ledger.claim(5)
    assert first is not None
    assert (first.position, first.end) == (10, 60)
    second = ledger.claim(5)
    assert second is not None
    assert (second.position, second.end) == (70, 75)
    assert (ledger.front, ledger.received) == (10, 20)


def test_a_size_that_is_not_known_is_not_split() -> None:
    ledger = Ledger(least=1)
    first = ledger.claim(5)
    assert first is not None
    assert ledger.claim(5) is None
    ledger.advance(first, 7)
    ledger.end_at(7)
    assert ledger.complete


@pytest.mark.parametrize("seed", range(10))
def test_the_hash_follows_whatever_the_order(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    body = dice.randbytes(40_000)
    path = tmp_path / "file"
    path.touch()
    ledger = Ledger(len(body), least=1000)
    digest = FrontDigest(path, hashlib.sha256, ledger)
    follower = threading.Thread(target=digest.follow, daemon=True)
    follower.start()
    active: list[Segment] = []
    while not ledger.complete:
        if len(active) < 3 and (segment := ledger.claim(4000)):
            active.append(segment)
        one = dice.choice(active)
        block = body[one.position : one.position + min(ledger.room(one), 700)]
        with path.open("r+b") as file:
            file.seek(one.position)
            file.write(block)
        ledger.advance(one, len(block))
        if dice.random() < 0.3:
            digest.wake()
        if not ledger.room(one):
            active.remove(one)
            ledger.release(one)
    digest.wake()
    follower.join(60)
    assert digest.hexdigest() == hashlib.sha256(body).hexdigest()


def test_the_hash_lets_go_of_a_file_that_is_not_complete(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(100))
    digest = FrontDigest(path, hashlib.sha256, Ledger(200, [(0, 100)]))
    follower = threading.Thread(target=digest.follow, daemon=True)
    follower.start()
    digest.stop()
    follower.join(60)
    assert not follower.is_alive()


async def test_the_gate_counts_hosts_and_all() -> None:
    gate = Gate(3, 2)
    entered: list[str] = []
    leave = asyncio.Event()

    async def enter(host: str) -> None:
        async with gate.connection(host):
            entered.append(host)
            await leave.wait()

    tasks = [asyncio.create_task(enter(host)) for host in "aaabb"]
    await asyncio.sleep(0)
    assert entered == ["a", "a", "b"]
    assert gate.is_awaited()
    tasks[2].cancel()  # one that waits
    leave.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(entered) == ["a", "a", "b", "b"]
    assert gate.has_room("a")


def test_the_throttle_shares_out_its_rate() -> None:
    throttle = Throttle(1_000_000)
    began = time.monotonic()
    waits = [throttle.wait(250_000) for _ in range(4)]
    # A megabyte takes a second from the first call on, however long the calls themselves took.
    assert 1.0 - (time.monotonic() - began) <= waits[-1] <= 1.0
    assert throttle.block(1 << 20) == 100_000
    assert Throttle().wait(10**12) == 0


def test_failures_count_only_while_nothing_comes() -> None:
    failures = Failures(Retries(tries=3), 0)
    assert [failures.add(received) for received in (0, 2 << 20, 2 << 20)] == [True, True, True]
    assert failures.add(2 << 20) is False


def test_pauses() -> None:
    retries = Retries()
    assert 0.25 <= retries.pause(1, None) <= 0.75
    assert retries.pause(30, None) == retries.most_seconds
    assert retries.pause(1, 90.0) == 90.0
    assert retries.pause(1, 1e9) == 600.0


def test_what_retry_after_may_hold() -> None:
    assert retry_after({"retry-after": "7"}) == 7.0
    date = email.utils.formatdate(time.time() + 600, usegmt=True)
    assert retry_after({"retry-after": date}) == pytest.approx(600, abs=60)
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None
