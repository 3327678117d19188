"""A host that follows its folders, as one that serves does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from jan_host import ModelInfo
from jan_host.config import load_config
from jan_host.host import JanHost
from jan_host.library import watch

PATIENCE = 30.0


class Followed:
    """A host, and what has happened in it."""

    def __init__(self, host: JanHost) -> None:
        self.host = host
        self.models = host.config.models_folder

    def all(self) -> dict[str, ModelInfo]:
        return {model.id: model for model in self.host.models()}

    async def until(self, holds: Callable[[dict[str, ModelInfo]], object]) -> dict[str, ModelInfo]:
        """Wait for the event after which it holds of the models."""
        events = self.host.subscribe()
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds(self.all()):
                    await anext(events)
        except TimeoutError:
            files = sorted(str(path.relative_to(self.models)) for path in self.models.rglob("*"))
            seen = {model.id: (model.status, model.status_reason) for model in self.all().values()}
            raise AssertionError(f"it did not come about: {files=} {seen=}") from None
        return self.all()

    async def until_has(self, *ids: str, status: str = "downloaded") -> dict[str, ModelInfo]:
        """Wait until just these models are there, all with that status."""
        return await self.until(
            lambda models: set(models) == set(ids) and all(each.status == status for each in models.values())
        )

    async def until_there(self, *paths: str) -> None:
        """Wait for the event after which these lie in the models folder, and nothing is loose."""

        def holds(_: object) -> bool:
            return all((self.models / path).exists() for path in paths) and not any(
                path.is_file() for path in self.models.iterdir()
            )

        await self.until(holds)


@pytest.fixture
def config() -> str:
    """The text of config.toml."""
    return ""


@pytest.fixture
async def followed(tmp_path: Path, config: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Followed]:
    """A host that stands, over an empty root."""
    monkeypatch.setattr(watch, "QUIET_SECONDS", 0.2)
    monkeypatch.setattr(watch, "SURVEY_SECONDS", 0.1)
    root = tmp_path / "root"
    root.mkdir()
    (root / "config.toml").write_text(config)
    async with JanHost(load_config(root, {})) as host:
        host.begin()
        yield Followed(host)
