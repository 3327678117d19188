"""When the tokens of a quick model are told: soon enough to be seen at once, and not each by itself."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial

import pytest
from jan_host import EngineError, GenerationOptions
from jan_host.kit.generation import ChoicePlan, Event, Job, Prompt, Scheduler

from tests.core.kit.generation.parrot import Best, ByteVocabulary, ParrotStepper

PATIENCE = 20.0
"""Seconds; more than any test takes."""


class Stepwise(ParrotStepper):
    """Says a text, and takes each step when it is told to."""

    def __init__(self, says: str) -> None:
        super().__init__(says)
        self.fails = False
        self._may = threading.Semaphore(0)
        self._begun: asyncio.Queue[None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    def step(self) -> list[Event]:
        if not self.sequences:
            return []
        self._loop.call_soon_threadsafe(self._begun.put_nowait, None)
        assert self._may.acquire(timeout=PATIENCE)
        if self.fails:
            raise RuntimeError("nothing goes on")
        return super().step()

    async def begins(self) -> None:
        """Wait until a step begins: whatever was handed over before it has arrived then."""
        await asyncio.wait_for(self._begun.get(), PATIENCE)

    async def take(self, steps: int) -> None:
        """Take so many steps, each as soon as it began, and wait for the beginning of the one behind them."""
        for _ in range(steps):
            self._may.release()
            await self.begins()

    def run_free(self) -> None:
        """From now on no step waits."""
        self._may.release(1000)


class Talk:
    """One request, and what was heard of it."""

    def __init__(self, scheduler: Scheduler, limit: int = 100) -> None:
        options = GenerationOptions(temperature=0.0)
        sampler = Best(ChoicePlan.of(options, 0, ByteVocabulary(), 256))
        self._job = Job(Prompt([1, 2, 3]), [sampler], stops=[], limit=limit)
        self.text = ""
        self.task = asyncio.create_task(self._listen(scheduler))

    def has_heard(self, text: str) -> bool:
        return self.text == text

    async def _listen(self, scheduler: Scheduler) -> None:
        async for delta in scheduler.run(self._job):
            self.text += delta.text


def scheduler_of(stepper: Stepwise, together: float) -> Scheduler:
    return Scheduler(stepper, workers=2, max_queue=2, name="parrot", together=together)


async def settled(holds: Callable[[], bool]) -> None:
    """Let those who listen run, now that all is in their mailboxes."""
    for _ in range(10):
        if holds():
            break
        await asyncio.sleep(0)
    assert holds()


async def test_the_first_token_comes_at_once_and_quick_ones_come_together() -> None:
    stepper = Stepwise("Bonjour.")
    scheduler = scheduler_of(stepper, together=3600)
    talk = Talk(scheduler)
    await stepper.begins()

    await stepper.take(1)
    await settled(lambda: talk.text == "B")
    await stepper.take(3)
    await settled(lambda: talk.text == "B")

    stepper.run_free()
    await asyncio.wait_for(talk.task, PATIENCE)
    assert talk.text == "Bonjour."
    await scheduler.close()


async def test_tokens_of_a_slow_model_come_one_by_one() -> None:
    stepper = Stepwise("Bonjour.")
    scheduler = scheduler_of(stepper, together=0)
    talk = Talk(scheduler)
    await stepper.begins()

    for place in range(1, 4):
        await stepper.take(1)
        await settled(partial(talk.has_heard, "Bonjour."[:place]))

    stepper.run_free()
    await asyncio.wait_for(talk.task, PATIENCE)
    await scheduler.close()


async def test_nothing_waits_while_the_prompt_of_somebody_else_is_read() -> None:
    stepper = Stepwise("Bonjour.")
    scheduler = scheduler_of(stepper, together=3600)
    first = Talk(scheduler)
    await stepper.begins()
    await stepper.take(3)

    second = Talk(scheduler)
    await asyncio.sleep(0)  # it has asked
    await stepper.take(1)

    await settled(lambda: first.text == "Bonj")
    stepper.run_free()
    await asyncio.wait_for(asyncio.gather(first.task, second.task), PATIENCE)
    assert (first.text, second.text) == ("Bonjour.", "Bonjour.")
    await scheduler.close()


async def test_beside_others_the_first_token_and_the_end_come_at_once() -> None:
    stepper = Stepwise("Bonjour.")
    scheduler = scheduler_of(stepper, together=3600)
    first = Talk(scheduler)
    await stepper.begins()
    await stepper.take(1)
    second = Talk(scheduler, limit=3)
    await asyncio.sleep(0)  # it has asked
    await stepper.take(1)

    await stepper.take(1)
    await settled(lambda: second.text == "B")
    await stepper.take(1)
    await settled(lambda: second.text == "B")
    await stepper.take(1)
    await settled(lambda: second.text == "Bon")

    stepper.run_free()
    await asyncio.wait_for(asyncio.gather(first.task, second.task), PATIENCE)
    await scheduler.close()


async def test_what_was_held_comes_before_an_error() -> None:
    stepper = Stepwise("Bonjour.")
    scheduler = scheduler_of(stepper, together=3600)
    talk = Talk(scheduler)
    await stepper.begins()
    await stepper.take(4)
    stepper.fails = True

    stepper.run_free()
    with pytest.raises(EngineError):
        await asyncio.wait_for(talk.task, PATIENCE)
    assert talk.text == "Bonj"
    await scheduler.close()


async def test_one_that_is_given_up_takes_nothing_of_another_along() -> None:
    stepper = Stepwise("Bonjour.")
    scheduler = scheduler_of(stepper, together=3600)
    first, second = Talk(scheduler), Talk(scheduler)
    await stepper.begins()
    await stepper.take(3)
    first.task.cancel()

    stepper.run_free()
    await asyncio.wait_for(second.task, PATIENCE)
    assert second.text == "Bonjour."
    await scheduler.close()
