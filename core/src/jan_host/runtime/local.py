"""Requests to a model in this process. Whatever its engine raises comes out as an error of the tree."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from typing import Any, TypeVar

from jan_host.contract.engine import LoadedModel, capabilities_of
from jan_host.contract.errors import EngineError, JanHostError, UnsupportedError
from jan_host.contract.generation import Delta
from jan_host.runtime.faults import describe_error, same_error
from jan_host.runtime.methods import METHODS

T = TypeVar("T")


class LocalCaller:
    """Calls the methods of a `LoadedModel` of an engine, and contains what goes wrong there."""

    def __init__(self, model: LoadedModel) -> None:
        self._model = model
        self.capabilities = capabilities_of(model)
        self._working: set[asyncio.Task[Any]] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._aborted: JanHostError | None = None

    async def stream(self, method: str, request: Any) -> AsyncGenerator[Delta, None]:
        """Generate; closing the iterator closes the engine's at once.

        Raises:
            JanHostError: What the engine raised, or `EngineError` in place of a foreign exception.
        """
        iterator = await self._guarded(self._open(method, request))
        try:
            while (delta := await self._guarded(_step(iterator))) is not None:
                yield delta
                self._check()
        finally:
            await self._guarded(_close(iterator))

    async def call(self, method: str, request: Any) -> Any:
        """Ask for one result; errors as in `stream`."""
        return await self._guarded(self._call(method, request))

    def abort(self, error: JanHostError) -> None:
        """Make every running request raise `error` now."""
        self._aborted = error
        for task in self._working:
            task.cancel()

    async def quiet(self, seconds: float) -> None:
        """Wait until no request is inside the engine, `seconds` at most."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), seconds)

    async def _open(self, method: str, request: Any) -> AsyncIterator[Delta]:
        iterator: AsyncIterator[Delta] = self._find(method)(request)
        return iterator

    async def _call(self, method: str, request: Any) -> Any:
        return await self._find(method)(request)

    def _check(self) -> None:
        if self._aborted is not None:
            raise same_error(self._aborted)

    def _find(self, method: str) -> Any:
        self._check()
        known = METHODS.get(method)
        if known is None or known.capability not in self.capabilities:
            raise UnsupportedError(
                f"This model can't {method}. It can: {', '.join(self.capabilities) or 'nothing'}."
            )
        return getattr(self._model, method)

    async def _guarded(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.current_task()
        assert task is not None  # a coroutine of asyncio runs in a task
        self._working.add(task)
        self._quiet.clear()
        try:
            return await work
        except (JanHostError, KeyboardInterrupt):
            raise
        except asyncio.CancelledError as error:
            raise self._meaning_of(error, task) from None
        except BaseException as error:
            raise EngineError(f"The engine failed: {describe_error(error)}") from error
        finally:
            self._working.discard(task)
            if not self._working:
                self._quiet.set()

    def _meaning_of(self, error: asyncio.CancelledError, task: "asyncio.Task[Any]") -> BaseException:
        """A cancellation may be the caller's wish, the work of `abort`, or the engine's own doing."""
        if self._aborted is not None and task.cancelling() and task.uncancel() == 0:
            return same_error(self._aborted)
        if task.cancelling():
            return error
        return EngineError("The engine failed: it cancelled the request by itself.")


async def _step(iterator: AsyncIterator[Delta]) -> Delta | None:
    try:
        delta = await anext(iterator)
    except StopAsyncIteration:
        return None
    if not isinstance(delta, Delta):
        raise EngineError(f"The engine failed: it yielded a {type(delta).__name__} in place of a Delta.")
    return delta


async def _close(iterator: AsyncIterator[Delta]) -> None:
    close = getattr(iterator, "aclose", None)  # a plain iterator has none
    if close is not None:
        await close()
