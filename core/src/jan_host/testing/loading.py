"""Checks of how an engine loads a model and lets it go."""

from collections.abc import Coroutine
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from jan_host.contract.engine import CAPABILITIES, LoadedModel, capabilities_of
from jan_host.contract.errors import ModelBrokenError, ModelLoadError
from jan_host.contract.model import Model
from jan_host.testing.fixtures import EngineFixtures
from jan_host.testing.generation import Ask, Live, check_words
from jan_host.testing.places import Loader
from jan_host.testing.running import Run
from jan_host.testing.spoiled import spoil


class LoadChecks(EngineFixtures):
    """Load, progress, unload, and files that are no model."""

    def test_the_model_can_do_something(self, live: Live) -> None:
        assert isinstance(live.loaded, LoadedModel), f"{live.loaded!r} is not a LoadedModel"
        assert capabilities_of(live.loaded), f"it has none of the capabilities {', '.join(CAPABILITIES)}"

    def test_progress_rises_to_one(self, live: Live, loader: Loader) -> None:
        reported = loader.progress
        assert all(0 <= value <= 1 for value in reported), f"progress goes from 0 to 1, not {reported}"
        assert all(first <= second for first, second in pairwise(reported)), f"progress fell: {reported}"
        assert not reported or reported[-1] == 1, f"the last progress is 1.0, not {reported[-1]}"

    @pytest.mark.parametrize("how", ["random bytes", "empty", "missing"])
    def test_loading_what_is_no_model_is_refused(
        self, run: Run, loader: Loader, model: Model, folder: Path, tmp_path: Path, how: str
    ) -> None:
        if not model.sources:
            pytest.skip("the model has no files")
        bad = spoil(model, folder, tmp_path, how)
        error = run(_error_of(loader.load(bad, tmp_path, self.settings)))
        assert error is not None, f"a model whose files are {how} was loaded"
        check_words(error)

    def test_loading_a_file_that_is_cut_off_is_refused_or_works(
        self, run: Run, loader: Loader, model: Model, folder: Path, tmp_path: Path
    ) -> None:
        if not model.sources:
            pytest.skip("the model has no files")
        bad = spoil(model, folder, tmp_path, "cut off")

        async def load() -> None:
            await loader.unload(bad, await loader.load(bad, tmp_path, self.settings))

        run(_error_of(load()))

    def test_the_model_can_be_loaded_again_after_unload(
        self, run: Run, loader: Loader, live: Live, model: Model, folder: Path
    ) -> None:
        before = capabilities_of(live.loaded)

        async def again() -> None:
            await loader.unload(model, live.loaded)
            live.loaded = await loader.load(model, folder, self.settings)

        run(again())
        assert capabilities_of(live.loaded) == before

    def test_the_model_loaded_again_says_the_same(
        self, run: Run, loader: Loader, model: Model, folder: Path, ask: Ask
    ) -> None:
        async def twice() -> tuple[str, str]:
            first = await ask.greedy(self.prompts[0], max_tokens=16)
            await loader.unload(model, ask.live.loaded)
            ask.live.loaded = await loader.load(model, folder, self.settings)
            return first.text, (await ask.greedy(self.prompts[0], max_tokens=16)).text

        first, second = run(twice())
        assert first == second


async def _error_of(work: Coroutine[Any, Any, object]) -> ModelLoadError | ModelBrokenError | None:
    """The error that a load may end with; any other goes up."""
    try:
        await work
    except (ModelLoadError, ModelBrokenError) as error:
        return error
    return None
