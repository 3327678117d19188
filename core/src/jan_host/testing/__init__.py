"""Contract suites: pytest classes that the author of a plugin subclasses. Needs pytest, and no plugin of it.

import pytest
from jan_host.testing import EngineContract

@pytest.fixture(scope="module")
def engine(): return MyEngine()

@pytest.fixture(scope="module")
def folder(tmp_path_factory): ...        # a folder with the files of a real, small model

@pytest.fixture(scope="module")
def model(): return Model(id="tiny", format="mine", engine="my-engine", sources=[...])

class TestMyEngine(EngineContract): ...
"""

import pytest

pytest.register_assert_rewrite(
    "jan_host.testing.declaration",
    "jan_host.testing.extra",
    "jan_host.testing.generating",
    "jan_host.testing.generation",
    "jan_host.testing.importer",
    "jan_host.testing.loading",
    "jan_host.testing.options",
    "jan_host.testing.tokens",
    "jan_host.testing.vectors",
)

from jan_host.testing.engine import EngineContract  # noqa: E402  # asserts are rewritten at import
from jan_host.testing.extra import Call, ExtraContract  # noqa: E402  # see above
from jan_host.testing.importer import ImporterContract  # noqa: E402  # see above

__all__ = ["Call", "EngineContract", "ExtraContract", "ImporterContract"]
