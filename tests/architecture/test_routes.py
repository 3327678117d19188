"""Every route has a test, and is documented as it is."""

import re
from pathlib import Path

import pytest
from jan_host.api import create_app
from jan_host.config import load_config
from jan_host.host import JanHost
from litestar import Litestar

TESTS = Path(__file__).parents[1]
PARAMETER = re.compile(r"\\\{[a-z_]+:[a-z]+\\\}")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Litestar:
    """The API with everything that is installed."""
    return create_app(JanHost(load_config(tmp_path_factory.mktemp("root"), {})))


def _paths(app: Litestar) -> set[str]:
    """The paths of all routes but the aliases without ``/v1``."""
    all_paths = {route.path for route in app.routes}
    return {path for path in all_paths if f"/v1{path}" not in all_paths}


def test_every_route_has_a_test(app: Litestar) -> None:
    folders = ("api", "plugins", "examples", "docs")
    tests = "".join(path.read_text() for folder in folders for path in (TESTS / folder).rglob("*.py"))
    untested = []
    for path in _paths(app):
        called = PARAMETER.sub(r"[^\\s\"']+", re.escape(path))
        if not re.search(rf"{called}[\"'?]", tests):
            untested.append(path)
    assert untested == []


def test_every_core_route_has_an_alias_without_its_version(app: Litestar) -> None:
    paths = {route.path for route in app.routes}
    versioned = [path for path in paths if path.startswith("/v1/")]
    assert versioned
    assert {path.removeprefix("/v1") for path in versioned} <= paths
