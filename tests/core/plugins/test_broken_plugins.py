"""Each plugin of `cases` is broken in one way: installed together, each costs itself alone."""

from typing import Any

import pytest

from tests.core.plugins.cases import CASES, Case
from tests.core.plugins.distributions import engine_source, plugin
from tests.core.plugins.environment import run_probe

SWITCHED_OFF = "raise SystemError('imported all the same')"


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the probe saw where all broken plugins, one disabled and two healthy ones are installed."""
    folder = tmp_path_factory.mktemp("broken")
    for case in CASES:
        case.distribution.unpack(folder)
    plugin("aa-healthy", engine_source("first")).unpack(folder)
    plugin("zz-healthy", engine_source("last")).unpack(folder)
    plugin("switched-off", SWITCHED_OFF).unpack(folder)
    return run_probe(
        folder,
        disabled=["switched-off"],
        settings={case.name: case.settings for case in CASES if case.settings},
    )


def test_the_healthy_plugins_beside_them_work(seen: dict[str, Any]) -> None:
    assert seen["used"] == {"first": [97, 98], "last": [97, 98]}
    healthy = {key for key, report in seen["reports"].items() if report["status"] == "ok"}
    assert healthy == {"aa-healthy:aa-healthy", "zz-healthy:zz-healthy"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_plugin_is_reported_with_its_cure(seen: dict[str, Any], case: Case) -> None:
    report = seen["reports"][case.key]
    assert report["status"] == "broken"
    assert report["version"] == "1.0"
    assert not report["engines"] + report["importers"] + report["extras"] + report["commands"]
    for words in case.problem:
        assert words in report["problem"]
    for words in case.cure:
        assert words in report["cure"]
    assert "\n" not in report["problem"] + report["cure"]
    assert not report["problem"].endswith(".")
    assert report["cure"].endswith((".", ";", "`"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_plugin_is_logged_once_as_a_warning(seen: dict[str, Any], case: Case) -> None:
    lines = [line for line in seen["log"] if f"Plugin {case.name} ({case.distribution.name} 1.0)" in line]
    report = seen["reports"][case.key]
    assert len(lines) == 1
    assert lines[0].startswith("WARNING:")
    assert lines[0].endswith(f" is broken: {report['problem']}. {report['cure']}")


def test_a_disabled_plugin_is_not_imported_and_is_reported(seen: dict[str, Any]) -> None:
    report = seen["reports"]["switched-off:switched-off"]
    assert report["status"] == "disabled"
    assert report["problem"] is None
    assert not [line for line in seen["log"] if "switched-off" in line]


def test_nothing_is_printed_and_no_traceback_is_shown(seen: dict[str, Any]) -> None:
    assert "Traceback" not in seen["stderr"] + "".join(seen["log"])
