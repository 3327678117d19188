"""The wire protocol against a real worker process: raw frames in, raw frames out."""

import asyncio
import os
import signal
import struct
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jan_host.plugins import EngineOrigin
from jan_host.runtime.frames import MAX_FRAME_BYTES

SECONDS = 20


class Wire:
    """A worker process, spoken to in bytes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout

    def write(self, data: bytes) -> None:
        self._in.write(data)

    def send(self, *frame: Any) -> None:
        payload = msgspec.msgpack.encode(frame)
        self.write(struct.pack(">I", len(payload)) + payload)

    async def frame(self) -> list[Any]:
        async with asyncio.timeout(SECONDS):
            (length,) = struct.unpack(">I", await self._out.readexactly(4))
            frame: list[Any] = msgspec.msgpack.decode(await self._out.readexactly(length))
            return frame

    async def until(self, kind: str) -> list[list[Any]]:
        """All frames up to the first of that kind, which is the last."""
        frames = [await self.frame()]
        while frames[-1][0] != kind:
            frames.append(await self.frame())
        return frames

    async def text(self, request: int) -> str:
        """The texts of a request's deltas up to its end."""
        frames = await self.until("done")
        assert frames[-1][1] == request
        return "".join(delta["text"] for frame in frames[:-1] for _, delta in frame[1] if "text" in delta)

    def close_input(self) -> None:
        self._in.close()

    async def ended(self) -> int:
        async with asyncio.timeout(SECONDS):
            return await self.process.wait()


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "jan_host.runtime.worker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    yield Wire(process)
    if process.returncode is None:
        process.kill()
    await process.communicate()


def load(origin: EngineOrigin, folder: Path, engine: str = "chatty", **settings: Any) -> tuple[Any, ...]:
    model = {"id": "tiny", "engine": engine}
    return ("load", msgspec.to_builtins(origin), engine, model, str(folder), settings)


@pytest.fixture
async def loaded(wire: Wire, origin: EngineOrigin, tmp_path: Path) -> Wire:
    wire.send(*load(origin, tmp_path))
    await wire.until("ready")
    return wire


async def test_a_load_is_answered_by_its_progress_and_what_the_model_can_do(
    wire: Wire, origin: EngineOrigin, tmp_path: Path
) -> None:
    wire.send(*load(origin, tmp_path))
    assert await wire.until("ready") == [
        ["progress", 0.5],
        ["progress", 1.0],
        ["ready", ["chat", "complete", "embed", "rerank", "tokenize"]],
    ]


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ({"misload": "raises"}, "model_load_failed", "OSError: the file is truncated"),
        ({"misload": "says why"}, "model_load_failed", "promises 3 tensors"),
        ({"misload": "sys.exits"}, "model_load_failed", "SystemExit: 1"),
        ({"misload": "raises base"}, "model_load_failed", "BaseException: very foreign"),
        (
            {"ctx_len": "long"},
            "model_load_failed",
            'The setting ctx_len can\'t be used: it is "long", and should be a whole number',
        ),
    ],
)
async def test_a_load_that_fails_says_why(
    wire: Wire, origin: EngineOrigin, tmp_path: Path, settings: dict[str, Any], code: str, words: str
) -> None:
    wire.send(*load(origin, tmp_path, **settings))
    kind, request, error = (await wire.until("error"))[-1]
    assert (kind, request, error["code"]) == ("error", 0, code)
    assert words in error["message"]
    assert "\n" not in error["message"]


async def test_numbers_in_quotes_and_unknown_settings_are_taken(
    wire: Wire, origin: EngineOrigin, tmp_path: Path
) -> None:
    wire.send(*load(origin, tmp_path, ctx_len="256", what_is_this=True))
    assert (await wire.until("ready"))[-1][0] == "ready"


async def test_an_engine_that_is_not_there(wire: Wire, origin: EngineOrigin, tmp_path: Path) -> None:
    wire.send(*load(origin, tmp_path, engine="another"))
    frame = await wire.frame()
    assert (frame[0], frame[1], frame[2]["code"]) == ("error", 0, "plugin_error")


async def test_a_second_load_is_refused(loaded: Wire, origin: EngineOrigin, tmp_path: Path) -> None:
    loaded.send(*load(origin, tmp_path))
    assert (await loaded.frame())[2]["code"] == "worker_protocol_error"
    loaded.send("request", 1, "complete", {"prompt": "count 1"})
    assert await loaded.text(1) == "0 "


async def test_a_generation_is_deltas_and_done(loaded: Wire) -> None:
    loaded.send("request", 1, "complete", {"prompt": "count 3"})
    frames = await loaded.until("done")
    deltas = [delta for frame in frames[:-1] for _, delta in frame[1]]
    assert [frame[0] for frame in frames[:-1]] == ["deltas"] * (len(frames) - 1)
    assert [delta.get("text") for delta in deltas] == ["0 ", "1 ", "2 ", None]
    assert deltas[-1]["usage"]["completion_tokens"] == 3
    assert frames[-1] == ["done", 1, None]


async def test_the_deltas_of_one_step_come_in_one_frame(loaded: Wire) -> None:
    for request in (1, 2, 3):
        loaded.send("request", request, "complete", {"prompt": "endless"})
    seen: list[list[int]] = []
    while sum(map(len, seen)) < 3:
        _, items = await loaded.frame()
        seen.append([request for request, _ in items])
    loaded.send("request", 4, "complete", {"prompt": "burst 1000"})
    frames = await loaded.until("done")
    assert len(frames) == 2
    assert len(frames[0][1]) == 1000


@pytest.mark.parametrize(
    ("method", "body", "result"),
    [
        ("embed", {"input": "x"}, [[0.5, 1.0]]),
        ("rerank", {"query": "q", "documents": ["a", "bb"]}, [1.0, 2.0]),
        ("tokenize", "hi", [104, 105]),
        ("detokenize", [104, 105], "hi"),
    ],
)
async def test_other_methods_answer_with_done(loaded: Wire, method: str, body: Any, result: Any) -> None:
    loaded.send("request", 1, method, body)
    kind, request, answer = await loaded.frame()
    found = next(iter(answer.values())) if isinstance(answer, dict) else answer
    assert (kind, request, found) == ("done", 1, result)


async def test_chat(loaded: Wire) -> None:
    loaded.send("request", 1, "chat", {"messages": [{"role": "user", "content": "hello"}], "new_option": 1})
    assert await loaded.text(1) == "HELLO"


@pytest.mark.parametrize(
    ("method", "body", "code"),
    [
        ("complete", {"prompt": "too-long"}, "context_length_exceeded"),
        ("complete", {"prompt": "raise"}, "engine_error"),
        ("complete", {"prompt": "raise-base"}, "engine_error"),
        ("complete", {"prompt": "sys.exit"}, "engine_error"),
        ("complete", {"prompt": "cancel-itself"}, "engine_error"),
        ("complete", {"prompt": "no-delta"}, "engine_error"),
        ("complete", {"prompt": "no-text"}, "engine_error"),
        ("complete", {"prompt": "surrogate"}, "engine_error"),
        ("complete", {"prompt": 5}, "worker_protocol_error"),
        ("complete", "not a request", "worker_protocol_error"),
        ("rerank", {"query": "", "documents": ["a"]}, "invalid_request"),
        ("fly", {}, "unsupported"),
    ],
)
async def test_a_request_that_fails_costs_itself_alone(
    loaded: Wire, method: str, body: Any, code: str
) -> None:
    loaded.send("request", 1, "complete", {"prompt": "endless"})
    await loaded.frame()
    loaded.send("request", 2, method, body)
    kind, request, error = (await loaded.until("error"))[-1]
    assert (kind, request, error["code"]) == ("error", 2, code)
    assert "\n" not in error["message"]
    loaded.send("request", 3, "complete", {"prompt": "count 1"})
    assert await loaded.text(3) == "0 "


async def test_a_method_that_the_model_does_not_have(
    wire: Wire, origin: EngineOrigin, tmp_path: Path
) -> None:
    wire.send(*load(origin, tmp_path, engine="scripted"))
    await wire.until("ready")
    wire.send("request", 1, "embed", {"input": "x"})
    frame = await wire.frame()
    assert (frame[:2], frame[2]["code"]) == (["error", 1], "unsupported")
    assert "complete" in frame[2]["message"]


async def test_a_request_before_the_load(wire: Wire) -> None:
    wire.send("request", 1, "complete", {"prompt": "count 1"})
    frame = await wire.frame()
    assert (frame[:2], frame[2]["code"]) == (["error", 1], "worker_protocol_error")


async def test_an_id_is_used_once(loaded: Wire) -> None:
    loaded.send("request", 1, "complete", {"prompt": "endless"})
    await loaded.frame()
    loaded.send("request", 1, "complete", {"prompt": "endless"})
    frame = await loaded.frame()
    assert (frame[:2], frame[2]["code"]) == (["error", 1], "worker_protocol_error")


async def test_cancel_closes_the_engines_iterator_and_is_answered_by_done(loaded: Wire) -> None:
    loaded.send("request", 1, "complete", {"prompt": "endless"})
    await loaded.frame()
    loaded.send("cancel", 1)
    assert await loaded.frame() == ["done", 1, None]
    loaded.send("request", 2, "complete", {"prompt": "cancelled"})
    assert await loaded.text(2) == "1"


async def test_cancel_ends_a_request_whose_engine_does_not_want_to(loaded: Wire) -> None:
    loaded.send("request", 1, "complete", {"prompt": "stubborn"})
    await loaded.frame()
    loaded.send("cancel", 1)
    assert await loaded.frame() == ["done", 1, None]


async def test_cancel_of_an_unknown_request_is_nothing(loaded: Wire) -> None:
    loaded.send("cancel", 99)
    loaded.send("request", 1, "complete", {"prompt": "count 1"})
    assert await loaded.text(1) == "0 "


async def test_ping_is_answered_by_stats_and_pong(loaded: Wire) -> None:
    loaded.send("request", 1, "complete", {"prompt": "endless"})
    await loaded.frame()
    loaded.send("ping")
    stats, pong = await loaded.frame(), await loaded.frame()
    assert stats[:2] == ["stats", 1]
    assert pong == ["pong"]
    if sys.platform == "linux":
        assert stats[2] > 1_000_000


async def test_what_is_printed_does_not_reach_the_stream(loaded: Wire) -> None:
    loaded.send("request", 1, "complete", {"prompt": "print"})
    assert await loaded.text(1) == "before after"


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"garbage", msgspec.msgpack.encode(["fly", 1])])
async def test_a_frame_that_cannot_be_read_is_answered_and_costs_nothing(
    loaded: Wire, payload: bytes
) -> None:
    loaded.write(struct.pack(">I", len(payload)) + payload)
    frame = await loaded.frame()
    assert (frame[:2], frame[2]["code"]) == (["error", 0], "worker_protocol_error")
    loaded.send("request", 1, "complete", {"prompt": "count 1"})
    assert await loaded.text(1) == "0 "


async def test_bytes_may_arrive_one_by_one(loaded: Wire) -> None:
    payload = msgspec.msgpack.encode(["request", 1, "complete", {"prompt": "count 1"}])
    for byte in struct.pack(">I", len(payload)) + payload:
        loaded.write(bytes([byte]))
        await asyncio.sleep(0)
    assert await loaded.text(1) == "0 "


async def test_a_length_beyond_the_limit_ends_the_worker(loaded: Wire) -> None:
    loaded.write(struct.pack(">I", MAX_FRAME_BYTES + 1) + b"xxxx")
    frame = await loaded.frame()
    assert (frame[:2], frame[2]["code"]) == (["error", 0], "worker_protocol_error")
    assert await loaded.ended() == 2


async def test_unload_ends_running_requests_and_the_worker(loaded: Wire) -> None:
    loaded.send("request", 1, "complete", {"prompt": "endless"})
    await loaded.frame()
    loaded.send("unload")
    assert await loaded.frame() == ["done", 1, None]
    assert await loaded.ended() == 0


@pytest.mark.parametrize("prompt", ["endless", "hang"])
async def test_the_end_of_stdin_ends_the_worker_whatever_it_does(loaded: Wire, prompt: str) -> None:
    loaded.send("request", 1, "complete", {"prompt": prompt})
    await loaded.frame()
    loaded.close_input()
    assert await loaded.ended() == 0


async def test_a_worker_without_a_load_ends_with_stdin_too(wire: Wire) -> None:
    wire.close_input()
    assert await wire.ended() == 0


async def test_sigterm_ends_a_worker(loaded: Wire) -> None:
    os.kill(loaded.process.pid, signal.SIGTERM)
    assert await loaded.ended() == -signal.SIGTERM
