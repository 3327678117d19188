"""Checks of a model that shares the processor's cores with others."""

from itertools import cycle

import pytest

from jan_host.contract.engine import SharesCores
from jan_host.testing.fixtures import EngineFixtures
from jan_host.testing.generation import Answer, Ask, Live, close, put_together
from jan_host.testing.running import Run

_TOKENS = 24


class CoreChecks(EngineFixtures):
    """Its cores come and go while it works."""

    def test_it_goes_on_as_its_cores_come_and_go(self, run: Run, live: Live, ask: Ask) -> None:
        loaded = live.loaded
        if not isinstance(loaded, SharesCores):
            pytest.skip("the model does not share cores")

        async def disturbed() -> Answer:
            counts = cycle((1, 2, None, 1000))
            stream = ask.stream(self.prompts[0], max_tokens=_TOKENS, temperature=0.0)
            deltas = []
            try:
                async for delta in stream:
                    deltas.append(delta)
                    loaded.use_cores(next(counts))
            finally:
                loaded.use_cores(None)
                await close(stream)
            return put_together(deltas)

        calm = run(ask.greedy(self.prompts[0], max_tokens=_TOKENS))
        # The texts may differ in their last letters: other threads add the same numbers in another order.
        assert run(disturbed()).usage.prompt_tokens == calm.usage.prompt_tokens
