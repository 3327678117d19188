"""A home folder of the test's own, and a host that looks for models there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from jan_host.config import load_config
from jan_host.host import JanHost

VARIABLES = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "OLLAMA_MODELS")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for variable in (*VARIABLES, "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)
    return home


@pytest.fixture
async def host(tmp_path: Path, home: Path) -> AsyncIterator[JanHost]:
    """An open host."""
    async with JanHost(load_config(tmp_path / "root", {})) as opened:
        yield opened
