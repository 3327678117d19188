"""What engines and processes do wrong, in words for the user."""

import signal

from jan_host.contract.errors import JanHostError, from_payload

_MAX_TEXT = 500
_LAST_WORDS = 4
_GOOD_NEWS = ("DEBUG ", "INFO ")  # the levels that begin a line of the worker's log, see `worker.main`
_HINTS = {
    "SIGKILL": "killed from outside, or the system ran out of memory",
    "SIGSEGV": "the engine's native code accessed memory that is not its own",
    "SIGABRT": "the engine's native code gave up",
    "SIGILL": "the engine's native code uses instructions that this processor does not have",
}


def describe_error(error: BaseException) -> str:
    """A foreign exception in one line: its type and text."""
    text = " ".join(str(error).split())[:_MAX_TEXT]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def describe_exit(code: int | None) -> str:
    """How a process ended.

    Args:
        code: Its exit code, negative for a signal; ``None`` when it is not known to have ended.
    """
    if code is None:
        return "closed its connection"
    if code >= 0:
        return f"ended by itself with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = _HINTS.get(name)
    return f"was ended by {name} ({hint})" if hint else f"was ended by {name}"


def with_last_words(reason: str, lines: list[str]) -> str:
    """The reason, and behind it the last `lines` that the process wrote to its stderr."""
    words = " | ".join(line.strip() for line in lines)
    return f"{reason}. Its last words: {words}" if words else reason


def telling_lines(lines: list[str]) -> list[str]:
    """The last few lines that may tell why a worker ended; what its log says of good times does not."""
    return [line for line in lines if line.strip() and not line.startswith(_GOOD_NEWS)][-_LAST_WORDS:]


def same_error(error: JanHostError) -> JanHostError:
    """A new exception that says the same: one instance must not be raised in several tasks."""
    return from_payload(error.to_payload())
