"""Contract suites: pytest classes that the author of a plugin subclasses.

They need pytest 9 or newer, and no plugin of it. The author gives what is the plugin's own as fixtures:

```python
@pytest.fixture(scope="module")
def engine():
    return MyEngine()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    ...  # a folder with the files of a real, small model


@pytest.fixture(scope="module")
def model():
    return Model(id="tiny", format="mine", engine="my-engine", sources=[Source(filename="tiny.mine")])


class TestMyEngine(EngineContract):
    context_tokens = 4096
```
"""

try:
    import pytest
except ImportError as error:
    raise ImportError("jan_host.testing needs pytest. Install it: pip install 'pytest>=9'") from error

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
