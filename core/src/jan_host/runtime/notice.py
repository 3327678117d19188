"""What users are told of one model: its status with the reason, and how far its load is."""

import asyncio
from collections.abc import Callable

from jan_host.contract.events import Event, ModelEvent, ModelProgressEvent
from jan_host.contract.model import ModelStatus

PROGRESS_SECONDS = 0.2
"""The least time between two events of one load; the last one always comes."""


class Notice:
    """Keeps the status of a model, and publishes its changes.

    Args:
        model_id: The model's id.
        publish: Gets the events.
    """

    def __init__(self, model_id: str, publish: Callable[[Event], None]) -> None:
        self._model_id = model_id
        self._publish = publish
        self._progress = 0.0
        self._progress_told_at = 0.0
        self.status: ModelStatus | None = None
        """``None``: the model is on disk, and nothing else."""
        self.reason: str | None = None

    def set(self, status: ModelStatus | None, reason: str | None = None) -> None:
        """Change the status."""
        self.status, self.reason = status, reason
        self._progress = self._progress_told_at = 0.0
        shown = ModelStatus.DOWNLOADED if status is None else status
        self._publish(ModelEvent(model=self._model_id, status=shown, reason=reason))

    def progress(self, value: float) -> None:
        """The load has come so far, from 0 to 1. An engine may say so for each of its tensors."""
        now = asyncio.get_running_loop().time()
        is_news = now - self._progress_told_at >= PROGRESS_SECONDS or value >= 1
        if value > self._progress and is_news and self.status is ModelStatus.STARTING:
            self._progress, self._progress_told_at = value, now
            self._publish(ModelProgressEvent(model=self._model_id, progress=value))
