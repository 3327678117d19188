"""Asks the process of `trial` whether a grammar can be compiled, within a deadline."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from jan_host.contract.errors import EngineError, UnavailableError

_PROGRAM: Final = Path(__file__).with_name("trial.py")
_START_SECONDS: Final = 30.0
IDLE_SECONDS: Final = 60.0
"""The process ends when it has had nothing to do for so long."""
TOO_LONG: Final = "it takes longer to compile than grammars may"
TOO_MUCH: Final = "it needs more memory or nests deeper than grammars may"


class Trial:
    """May be used from several threads; one grammar is tried at a time.

    Args:
        special: The texts of the model's control tokens, which a grammar may name.
        idle_seconds: How long the process is kept without work.
    """

    def __init__(self, special: Iterable[str], idle_seconds: float = IDLE_SECONDS) -> None:
        self._hello = {"special": list(special)}
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._idle_seconds = idle_seconds
        self._rest: threading.Timer | None = None
        self._closed = False

    def problem(self, grammar: str, limits: dict[str, int], seconds: float) -> str | None:
        """What is wrong with a grammar.

        Args:
            grammar: As llguidance's own functions write it.
            limits: For its parser.
            seconds: How long it may take.

        Raises:
            EngineError: The process can't be started.
            UnavailableError: It was closed meanwhile.
        """
        with self._lock:
            answer, late = _ask(self._running(), {"grammar": grammar, "limits": limits}, seconds)
            if answer is None:
                self._end()
                self._check_open()
                return TOO_LONG if late else TOO_MUCH
            self._begin_rest()
            problem: str | None = answer["problem"]
            return problem

    def close(self) -> None:
        """End the process; what it tries now is given up."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()
        with self._lock:
            self._end()

    def _running(self) -> "subprocess.Popen[bytes]":
        self._check_open()
        if self._process is not None and self._process.poll() is not None:
            self._end()  # somebody ended it while it had nothing to do
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(_PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            self._check_open()  # behind the line above: `close` sees the process, or this sees `close`
            if _ask(self._process, self._hello, _START_SECONDS)[0] is None:
                code = self._end()
                self._check_open()
                raise EngineError(
                    f"The process that tries grammars did not start (exit code {code})."
                    " Send the request again."
                )
        return self._process

    def _begin_rest(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        self._rest = threading.Timer(self._idle_seconds, self._over)
        self._rest.daemon = True
        self._rest.start()

    def _over(self) -> None:
        with self._lock:
            if self._rest is threading.current_thread():  # no work has come while it waited for the lock
                self._end()

    def _check_open(self) -> None:
        if self._closed:
            raise UnavailableError("The model was unloaded. Send the request again.")

    def _end(self) -> int | None:
        process, self._process = self._process, None
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        if process is None:
            return None
        with suppress(OSError), process:  # closes its pipes, and waits
            process.kill()
        return process.returncode


def _ask(process: "subprocess.Popen[bytes]", line: Any, seconds: float) -> tuple[Any, bool]:
    """The answer to a line, or ``None`` when there is none; and whether that is since it took too long."""
    late = threading.Event()

    def give_up() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    answer = b""
    with suppress(OSError):
        if process.stdin is not None and process.stdout is not None:  # they are pipes
            process.stdin.write(json.dumps(line).encode() + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline()
    timer.cancel()
    return (json.loads(answer) if answer.endswith(b"\n") else None), late.is_set()
