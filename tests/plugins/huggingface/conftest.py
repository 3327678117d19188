"""A hub of the tests' own, which the plugin takes for the hub, and no token but a test's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import Hub, running_hub
from tests.plugins.huggingface.samples import fill

VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "HF_ENDPOINT")


@pytest.fixture(scope="module")
def shared_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub with all samples, which no test changes."""
    with pytest.MonkeyPatch.context() as environment:
        yield from _hub(environment, tmp_path_factory.mktemp("home"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub with all samples for one test."""
    yield from _hub(monkeypatch, tmp_path_factory.mktemp("home"))


def _hub(environment: pytest.MonkeyPatch, home: Path) -> Iterator[Hub]:
    from huggingface_hub import close_session

    for name in VARIABLES:
        environment.delenv(name, raising=False)
    environment.setenv("HF_TOKEN_PATH", str(home / "token"))
    with running_hub() as made:
        environment.setenv("HF_ENDPOINT", made.url)
        fill(made)
        yield made
        close_session()
