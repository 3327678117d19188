"""An index of the tests' own, which pip is pointed to by its environment."""

import os
from collections.abc import Iterator

import pytest

from tests.plugins.pypi.index import Index, package_index


def point_pip_to(environment: pytest.MonkeyPatch, url: str) -> None:
    """Let pip know this index and nothing else."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        environment.delenv(name)
    environment.setenv("PIP_CONFIG_FILE", os.devnull)
    environment.setenv("PIP_NO_CACHE_DIR", "1")
    environment.setenv("PIP_INDEX_URL", url)


@pytest.fixture(scope="module")
def shared_index() -> Iterator[Index]:
    """An index that all tests of a module read and none changes."""
    with package_index() as index, pytest.MonkeyPatch.context() as environment:
        point_pip_to(environment, index.url())
        yield index


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """An index for one test."""
    with package_index() as made:
        point_pip_to(monkeypatch, made.url())
        yield made
