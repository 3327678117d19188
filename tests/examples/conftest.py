"""What the tests of the examples share."""

import pytest

from tests.examples.environments import Environment, create


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with jan-host and its tokenization plugin installed, and no example."""
    return create(tmp_path_factory.mktemp("installed") / "venv")
