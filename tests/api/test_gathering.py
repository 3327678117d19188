"""Few writes of many."""

import asyncio
from typing import cast

import pytest
from jan_host.api.gathering import FULL_BYTES, Gathering


class Recorded(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": "somebody"})
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@pytest.fixture
async def below() -> Recorded:
    return Recorded()


@pytest.fixture
async def gathering(below: Recorded) -> asyncio.Transport:
    return cast(asyncio.Transport, Gathering(below))


async def test_the_first_two_pieces_leave_at_once_and_the_rest_at_the_end_of_the_turn(
    below: Recorded, gathering: asyncio.Transport
) -> None:
    gathering.write(b"head ")
    assert below.writes == []
    gathering.write(b"first")
    assert below.writes == [b"head first"]
    gathering.write(b"second ")
    gathering.write(b"third")
    assert below.writes == [b"head first"]
    await asyncio.sleep(0)
    assert below.writes == [b"head first", b"second third"]


async def test_every_turn_begins_anew(below: Recorded, gathering: asyncio.Transport) -> None:
    for word in (b"a", b"b"):
        gathering.write(word)
        await asyncio.sleep(0)
    assert below.writes == [b"a", b"b"]
    gathering.write(b"c")
    gathering.write(b"d")
    assert below.writes == [b"a", b"b", b"cd"]


async def test_much_does_not_wait(below: Recorded, gathering: asyncio.Transport) -> None:
    for _ in range(2):
        gathering.write(b"x")
    gathering.write(b"y" * FULL_BYTES)
    gathering.write(b"z")
    assert below.writes == [b"xx", b"y" * FULL_BYTES + b"z"]


async def test_what_is_held_is_written_before_the_end(below: Recorded, gathering: asyncio.Transport) -> None:
    gathering.write(b"last words")
    gathering.close()
    assert (below.writes, below.closed) == ([b"last words"], True)
    await asyncio.sleep(0)
    assert below.writes == [b"last words"]


async def test_nothing_is_written_to_what_was_closed_meanwhile(
    below: Recorded, gathering: asyncio.Transport
) -> None:
    gathering.write(b"too late")
    below.close()
    await asyncio.sleep(0)
    assert below.writes == []


async def test_everything_else_is_the_transports_own(gathering: asyncio.Transport) -> None:
    assert gathering.get_extra_info("peername") == "somebody"
    assert not gathering.is_closing()
