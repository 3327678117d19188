"""The contract suite passes a good engine and fails on each wrong one, at the test that names the fault."""

import pytest

from tests.core.testing.wrong_engines import WRONG_ENGINES, WRONG_MODELS

pytest_plugins = ["pytester"]

HEAD = """
import pytest
from jan_host import Model, Source
from jan_host.testing import EngineContract
from tests.core.testing import parrot, wrong_engines

@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cage")
    (folder / "polly.parrot").write_bytes(parrot.MARK + b"polly")
    return folder

@pytest.fixture(scope="module")
def model():
    sources = [Source(filename="polly.parrot")]
    return Model(id="polly", format="parrot", engine="parrot", sources=sources)
"""

ENGINE = """
class {name}Engine({base}):
    loaded = {loaded}

class Test{name}(EngineContract):
    context_tokens = 4096
    timeout_seconds = 2

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        return {name}Engine()
"""


def outcomes(pytester: pytest.Pytester, suites: str, *selected: str) -> dict[str, set[str]]:
    """Run suites, without any plugin of pytest: for each outcome the ``Class::test``, parameters left off."""
    file = pytester.makepyfile(test_wrong=HEAD + suites)
    names = [f"{file}::{each}" for each in selected]
    record = pytester.inline_run("-q", "-p", "no:asyncio", "-p", "no:cacheprovider", *names)
    reports = record.getreports("pytest_runtest_logreport")
    found: dict[str, set[str]] = {"passed": set(), "failed": set(), "error": set()}
    for report in reports:
        outcome = "error" if report.failed and report.when != "call" else report.outcome
        if report.when == "call" or outcome == "error":
            found.setdefault(outcome, set()).add(report.nodeid.partition("::")[2].partition("[")[0])
    return found


def test_a_good_engine_passes_all_of_it(pytester: pytest.Pytester) -> None:
    suite = ENGINE.format(name="Parrot", base="parrot.ParrotEngine", loaded="parrot.Parrot")
    found = outcomes(pytester, suite)
    assert found["failed"] == found["error"] == set()
    assert len(found["passed"]) > 50


def test_each_wrong_engine_is_caught_where_its_fault_is(pytester: pytest.Pytester) -> None:
    suites, expected = [], set()
    for wrong, caught_by in WRONG_MODELS.items():
        loaded = f"wrong_engines.{wrong.__name__}"
        suites.append(ENGINE.format(name=wrong.__name__, base="parrot.ParrotEngine", loaded=loaded))
        expected.add(f"Test{wrong.__name__}::{caught_by}")
    for bad, caught_by in WRONG_ENGINES.items():
        base = f"wrong_engines.{bad.__name__}"
        suites.append(ENGINE.format(name=bad.__name__, base=base, loaded="parrot.Parrot"))
        expected.add(f"Test{bad.__name__}::{caught_by}")
    found = outcomes(pytester, "".join(suites), *sorted(expected))
    assert expected - found["failed"] == set()
