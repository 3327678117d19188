"""Models whose files have gone: they are stopped, while whoever looked at the files goes on."""

import asyncio
import logging

from jan_host.contract.errors import JanHostError, ModelNotFoundError
from jan_host.runtime import Runtime

logger = logging.getLogger(__name__)


class Leaving:
    """Stops models in the background. Used on one event loop.

    Args:
        runtime: Where they are in memory.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, model_id: str) -> None:
        """Stop a model once its running requests have ended, as with any stop."""
        if model_id not in self._tasks:
            logger.warning("The files of the running model %s are gone; it is stopped", model_id)
            self._tasks[model_id] = asyncio.create_task(self._stop(model_id))

    async def over(self) -> None:
        """Wait until all that were begun have left."""
        await asyncio.gather(*self._tasks.values())

    async def _stop(self, model_id: str) -> None:
        gone = ModelNotFoundError(f"The files of the model {model_id!r} are gone.", param="model")
        try:
            async with self._runtime.removing(model_id, gone):
                pass
        except JanHostError:  # the host ends, and the model with it
            pass
        finally:
            del self._tasks[model_id]
