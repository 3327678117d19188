"""Checks of generation, by chat and by completion: what is said, when it ends, and what it leaves alone."""

import asyncio
import contextlib
from collections.abc import Sequence

import pytest

from jan_host.contract.errors import UnsupportedError
from jan_host.testing.fixtures import EngineFixtures
from jan_host.testing.generation import Answer, Ask, close, collect
from jan_host.testing.running import Run

_TOKENS = 24


class GenerationChecks(EngineFixtures):
    """Deltas, usage, limits, stops, seeds, cancellation, many at once."""

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, run: Run, ask: Ask) -> tuple[str, str]:
        """The prompt to which the model says most at temperature 0, and what it says."""

        async def longest() -> tuple[str, str]:
            texts = {}
            for prompt in cls.prompts:
                deltas = await collect(ask.stream(prompt, temperature=0.0, max_tokens=_TOKENS))
                texts[prompt] = "".join(delta.text for delta in deltas)
            return max(texts.items(), key=lambda item: len(item[1]))

        return run(longest())

    def test_deltas_are_well_formed(self, run: Run, ask: Ask) -> None:
        answer = run(ask.answer(self.prompts[0], max_tokens=_TOKENS))
        assert answer.usage.prompt_tokens > 0, "a prompt of words has tokens"

    def test_without_limit_it_is_still_a_generation(self, run: Run, ask: Ask) -> None:
        async def begin() -> None:
            stream = ask.stream(self.prompts[0])
            await anext(aiter(stream))
            await close(stream)

        run(begin())

    def test_calling_raises_nothing_and_starts_nothing(self, run: Run, ask: Ask) -> None:
        async def call_only() -> None:
            await close(ask.stream(self.prompts[0], max_tokens=0))

        run(call_only())

    def test_greedy_is_the_same_each_time(self, run: Run, ask: Ask, sample: tuple[str, str]) -> None:
        prompt, text = sample
        assert run(ask.greedy(prompt, max_tokens=_TOKENS)).text == text

    def test_max_tokens_cuts_with_finish_reason_length(
        self, run: Run, ask: Ask, sample: tuple[str, str]
    ) -> None:
        prompt, _ = sample
        long = run(ask.greedy(prompt, max_tokens=_TOKENS))
        short = run(ask.greedy(prompt, max_tokens=4))
        for answer, limit in ((long, _TOKENS), (short, 4)):
            used = answer.usage.completion_tokens
            assert used <= limit, f"{used} tokens with max_tokens={limit}"
        if long.usage.completion_tokens > 5:
            assert short.finish_reasons == ["length"], "cut off by max_tokens, so the finish reason is length"
            assert len(short.text) < len(long.text) or not long.text, (
                "4 tokens are less text than more tokens"
            )
        assert long.text.startswith(short.text.rstrip("\ufffd")), "the first tokens are the same ones"

    def test_max_tokens_of_one(self, run: Run, ask: Ask) -> None:
        assert run(ask.greedy(self.prompts[0], max_tokens=1)).usage.completion_tokens <= 1

    @pytest.mark.parametrize("length", [1, 3, 8])
    def test_a_stop_string_ends_it_and_is_never_shown(
        self, run: Run, ask: Ask, sample: tuple[str, str], length: int
    ) -> None:
        prompt, text = sample
        if len(text) < 12:
            pytest.skip(f"the model says too little to stop it: {text!r}")
        for start in range(1, len(text) - length, max(1, len(text) // 3)):
            stop = text[start : start + length]
            answer = run(ask.greedy(prompt, max_tokens=_TOKENS, stop=[stop, "\u2603 never"]))
            assert answer.text == text[: text.index(stop)], f"stop={stop!r} in {text!r}"
            assert answer.finish_reasons == ["stop"], f"stop={stop!r} in {text!r}"

    def test_a_stop_string_that_begins_and_does_not_come_is_text(
        self, run: Run, ask: Ask, sample: tuple[str, str]
    ) -> None:
        prompt, text = sample
        stops = [text[len(text) // 2 :] + "\u2603", text[-1:] + "\u2603"]
        assert run(ask.greedy(prompt, max_tokens=_TOKENS, stop=stops)).text == text

    def test_two_choices(self, run: Run, ask: Ask, sample: tuple[str, str]) -> None:
        prompt, text = sample
        try:
            answer = run(ask.greedy(prompt, max_tokens=_TOKENS, n=2))
        except UnsupportedError as error:
            pytest.skip(f"n=2: {error}")
        assert answer.texts == [text, text], "at temperature 0 both choices are the one answer"

    def test_a_seed_makes_it_repeatable(self, run: Run, ask: Ask) -> None:
        async def once() -> str:
            return (await ask.answer(self.prompts[1], max_tokens=_TOKENS, temperature=1.0, seed=7)).text

        try:
            assert run(once()) == run(once())
        except UnsupportedError as error:
            pytest.skip(f"seed: {error}")

    def test_four_at_once_say_what_each_says_alone(self, run: Run, ask: Ask) -> None:
        async def alone() -> list[str]:
            return [(await ask.greedy(prompt, max_tokens=_TOKENS)).text for prompt in self.prompts[:4]]

        async def together() -> list[str]:
            return _texts(
                await asyncio.gather(*[ask.greedy(p, max_tokens=_TOKENS) for p in self.prompts[:4]])
            )

        assert run(together()) == run(alone())

    @pytest.mark.parametrize("steps", [0, 1, 3])
    def test_closing_early_cancels_and_the_model_works_on(
        self, run: Run, ask: Ask, sample: tuple[str, str], steps: int
    ) -> None:
        prompt, text = sample

        async def give_up_often() -> Answer:
            for _ in range(8):
                stream = ask.stream(prompt, max_tokens=200, temperature=0.0)
                for _ in range(steps):
                    await anext(aiter(stream), None)
                await close(stream)
            return await ask.greedy(prompt, max_tokens=_TOKENS)

        assert run(give_up_often()).text == text

    def test_closing_one_leaves_the_others_alone(self, run: Run, ask: Ask, sample: tuple[str, str]) -> None:
        prompt, text = sample

        async def give_up() -> None:
            stream = ask.stream(self.prompts[0], max_tokens=200)
            await anext(aiter(stream), None)
            await close(stream)

        async def beside() -> Sequence[Answer]:
            others = [asyncio.ensure_future(ask.greedy(prompt, max_tokens=_TOKENS)) for _ in range(3)]
            await asyncio.gather(give_up(), give_up())
            return await asyncio.gather(*others)

        assert _texts(run(beside())) == [text] * 3

    def test_cancelling_the_task_cancels_the_work(self, run: Run, ask: Ask, sample: tuple[str, str]) -> None:
        prompt, text = sample

        async def cancelled() -> Answer:
            begun = asyncio.Event()

            async def read() -> None:
                stream = ask.stream(prompt, max_tokens=200, temperature=0.0)
                try:
                    async for _ in stream:
                        begun.set()
                finally:
                    await close(stream)

            task = asyncio.ensure_future(read())
            waiting = asyncio.ensure_future(begun.wait())
            await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            return await ask.greedy(prompt, max_tokens=_TOKENS)

        assert run(cancelled()).text == text


def _texts(answers: Sequence[Answer]) -> list[str]:
    return [answer.text for answer in answers]
