"""Launchers: what makes a worker. The one here starts a process on this machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from jan_host.runtime.faults import describe_exit, telling_lines, with_last_words


@dataclass(frozen=True, slots=True)
class Ending:
    """How a worker ended."""

    code: int | None
    """Its exit code, negative for a signal; ``None`` when only its connection is known to have ended."""
    lines: list[str]
    """The last lines that it wrote to its stderr."""

    def describe(self) -> str:
        """The end in one line, for users: ``The worker was ended by SIGKILL (...). Its last words: ...``."""
        return with_last_words(f"The worker {describe_exit(self.code)}", telling_lines(self.lines))


class Receiver(Protocol):
    """Who listens to a worker. Called on the event loop."""

    def received(self, data: bytes) -> None:
        """Bytes that the worker sent."""
        ...

    def ended(self, ending: Ending) -> None:
        """The worker is gone. Called once, behind everything that it sent."""
        ...


class Worker(Protocol):
    """A worker that runs somewhere, and the byte stream to it."""

    @property
    def pid(self) -> int | None:
        """Its process id, when it is a process of this machine."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes, in the background. Nothing happens when the worker is gone."""
        ...

    async def drain(self) -> None:
        """Wait until most of what was written is on its way."""
        ...

    def last_lines(self) -> list[str]:
        """The last lines that it wrote to its stderr."""
        ...

    def terminate(self) -> None:
        """Ask it to end at once."""
        ...

    def kill(self) -> None:
        """End it, whatever it does."""
        ...


class Launcher(Protocol):
    """Makes workers that speak the protocol of `frames`."""

    async def launch(self, name: str, environment: Mapping[str, str], receiver: Receiver) -> Worker:
        """Start a worker.

        Args:
            name: The model's id, for the log.
            environment: All of its environment.
            receiver: Gets what it sends, and its end.

        Raises:
            ModelLoadError: No worker could be started.
        """
        ...
