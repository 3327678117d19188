"""The parts of the runtime that need no process to show what they do."""

import struct

import pytest
from jan_host import ProtocolError
from jan_host.config import RuntimeConfig
from jan_host.runtime.cooldown import CRASH_LOOP, CRASH_WINDOW_SECONDS, Cooldown
from jan_host.runtime.environment import worker_environment
from jan_host.runtime.faults import describe_error, describe_exit
from jan_host.runtime.frames import MAX_FRAME_BYTES, FrameSplitter
from jan_host.runtime.launcher import Ending
from jan_host.runtime.subprocesses import LineLog


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cooldown(clock: Clock) -> Cooldown:
    return Cooldown(RuntimeConfig(cooldown_seconds=2, cooldown_max_seconds=10), clock)


def test_each_failed_start_doubles_the_pause_up_to_a_limit(cooldown: Cooldown, clock: Clock) -> None:
    pauses = []
    for _ in range(5):
        cooldown.start_failed()
        pauses.append(cooldown.remaining())
        clock.now += cooldown.remaining()
        assert cooldown.remaining() == 0
    assert pauses == [2, 4, 8, 10, 10]


def test_a_good_start_and_a_wish_forget_failures(cooldown: Cooldown, clock: Clock) -> None:
    cooldown.start_failed()
    cooldown.clear()
    assert cooldown.remaining() == 0
    cooldown.start_failed()
    clock.now += 2
    cooldown.started()
    cooldown.start_failed()
    assert cooldown.remaining() == 2


def test_a_crash_makes_no_pause_and_a_crash_loop_does(cooldown: Cooldown, clock: Clock) -> None:
    for _ in range(CRASH_LOOP - 1):
        cooldown.crashed("it fell")
        assert cooldown.remaining() == 0
    cooldown.crashed("it fell")
    assert cooldown.remaining() == 2
    clock.now += 2
    cooldown.started()  # it has not shown yet that it stays up
    cooldown.crashed("it fell")
    assert cooldown.remaining() == 4


def test_crashes_that_lie_apart_are_no_loop(cooldown: Cooldown, clock: Clock) -> None:
    for _ in range(10):
        cooldown.crashed("it fell")
        clock.now += CRASH_WINDOW_SECONDS
        cooldown.started()
    assert cooldown.remaining() == 0


def test_frames_are_cut_wherever_the_bytes_break() -> None:
    payloads = [b"", b"a", b"bc" * 500]
    data = b"".join(struct.pack(">I", len(payload)) + payload for payload in payloads)
    for size in (1, 3, 7, len(data)):
        splitter = FrameSplitter()
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        assert [payload for piece in pieces for payload in splitter.feed(piece)] == payloads


def test_an_oversized_frame_is_refused_before_it_is_read() -> None:
    with pytest.raises(ProtocolError, match=str(MAX_FRAME_BYTES)):
        FrameSplitter().feed(struct.pack(">I", MAX_FRAME_BYTES + 1))


def test_the_environment_of_a_worker() -> None:
    host = {
        "PATH": "/bin",
        "LC_ALL": "C",
        "OMP_NUM_THREADS": "2",
        "GOMP_SPINCOUNT": "5",
        "OPENAI_API_KEY": "secret",
        "CUDA_LICENSE_KEY": "secret",
        "NVIDIA_API_KEY": "secret",
        "EDITOR": "vi",
    }
    assert worker_environment(host, {"OMP_NUM_THREADS": "4"}) == {
        "PATH": "/bin",
        "LC_ALL": "C",
        "OMP_NUM_THREADS": "4",
        "GOMP_SPINCOUNT": "5",
    }
    assert worker_environment({}, {}) == {"GOMP_SPINCOUNT": "1000"}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "ended by itself with exit code 0"),
        (-15, "was ended by SIGTERM"),
        (-99, "was ended by signal 99"),
        (None, "closed its connection"),
    ],
)
def test_how_a_process_ended(code: int | None, words: str) -> None:
    assert describe_exit(code) == words


def test_an_ending_quotes_the_last_lines() -> None:
    assert Ending(1, ["a", "", "INFO engine: loaded", "  b "]).describe() == (
        "The worker ended by itself with exit code 1. Its last words: a | b"
    )
    assert Ending(1, []).describe() == "The worker ended by itself with exit code 1"


def test_an_error_in_one_line() -> None:
    assert describe_error(ValueError("two\n  lines")) == "ValueError: two lines"
    assert describe_error(KeyError()) == "KeyError"
    assert len(describe_error(ValueError("x" * 10_000))) < 600


def test_lines_of_stderr_are_kept_as_readable_text() -> None:
    log = LineLog("tiny")
    log.feed(b"one\ntw")
    log.feed(b"o\n\xff\x1b[31mred\nunfinished")
    assert log.lines() == ["one", "two", "\ufffd?[31mred", "unfinished"]
    log.feed(b"x" * 100_000)
    assert len(log.lines()[-1]) <= 1000
