"""What starts a model, and what is known of a model that was started."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from jan_host.contract.engine import Engine, LoadedModel, Progress
from jan_host.contract.model import Model, ModelStatus
from jan_host.plugins import EngineOrigin


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """All that is needed to start one model."""

    model: Model
    folder: Path
    engine: Engine
    origin: EngineOrigin
    settings: dict[str, Any] = field(default_factory=dict)
    """All layers of settings, merged; the engine's own names."""
    overrides: dict[str, Any] = field(default_factory=dict)
    """Which of them a start request gave."""
    keep_alive: float | None = None
    """Seconds for which it stays when idle; below zero: for ever; ``None``: as the host has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeStatus:
    """How a model stands in the runtime."""

    status: ModelStatus | None = None
    """``None``: the runtime has nothing to say of it; it is not in memory."""
    reason: str | None = None
    """Why it failed, or what its worker died of before it was started again."""
    capabilities: list[str] = field(default_factory=list)
    requests: int = 0
    """How many requests it works on now."""
    pid: int | None = None
    """Of its worker."""
    memory: int | None = None
    """Resident bytes of its worker, as of the last heartbeat."""
    settings: dict[str, Any] | None = None
    """What it was started with, or is being started with."""
    overrides: dict[str, Any] = field(default_factory=dict)
    """Which of them a start request gave."""
    pinned: bool = False
    """Whether it stays in memory whoever needs it, by its own ``keep_alive``."""
    rests_until: float | None = None
    """Unix time in seconds at which it leaves memory if nobody uses it; ``None``: it is used, or stays."""


class Instance(Protocol):
    """One model in memory."""

    @property
    def model(self) -> LoadedModel:
        """What requests are sent to."""
        ...

    @property
    def capabilities(self) -> list[str]:
        """What the model can do."""
        ...

    @property
    def pid(self) -> int | None:
        """The process that it lives in, when that is a worker."""
        ...

    @property
    def memory(self) -> int | None:
        """Resident bytes of its worker, as far as known."""
        ...

    async def close(self) -> None:
        """End the requests that are left, free the model, and leave no process behind."""
        ...


class Place(Protocol):
    """Where models are brought into memory."""

    async def start(self, launch: Launch, progress: Progress, died: Callable[[str], None]) -> Instance:
        """Load a model, and return it ready for requests.

        Args:
            launch: What to load.
            progress: Told how far the load is, on the event loop.
            died: Called with the reason when the instance ends without being closed.

        Raises:
            JanHostError: It could not be started. Nothing is left behind, also on cancellation.
        """
        ...
