"""Questions to the registry, on plugins of the test's own that are loaded in this process."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jan_host import Engine, EngineNotInstalledError, Extra, Importer, InvalidRequestError, hookimpl, hooks
from jan_host.cli.app import COMMANDS
from jan_host.hooks import PROJECT
from jan_host.plugins import CORE_COMMANDS
from jan_host.plugins.discovery import Candidate
from jan_host.plugins.hookcheck import HOOKS, register
from jan_host.plugins.offers import Offers
from jan_host.plugins.registry import Plugin, Plugins, likely_distribution


class _Engine(Engine):
    async def load(self, *_: Any) -> Any:
        raise NotImplementedError


class One(_Engine):
    name = "one.engine"
    aliases = frozenset({"uno"})
    formats = frozenset({"shared", "own"})


class Two(_Engine):
    name = "two"
    formats = frozenset({"shared"})
    runs_in = "host"


class OddSettings(msgspec.Struct):
    odd: complex = 1j


class Odd(_Engine):
    name = "odd"
    Settings = OddSettings


class Somewhere(Importer):
    name = "somewhere"

    async def resolve(self, *_: Any) -> Any:
        raise NotImplementedError


class Late(Extra):
    name = "late"


CANDIDATE = Candidate(name="p", value="p:hooks", distribution="dist-p", version="3")


def _plugins(engines: Sequence[Engine] = (), **more: Any) -> Plugins:
    offers = Offers(engines=tuple(engines), importers=(Somewhere(),), extras=(Late(),))
    broken = Plugin(replace(CANDIDATE, name="q"), {}, Path("q"), "broken", problem="first", cure="Mend it.")
    return Plugins([Plugin(CANDIDATE, {"key": 1}, Path("data/p"), offers=offers), broken])


def test_an_engine_is_found_by_its_name_alias_and_format() -> None:
    one, two = One(), Two()
    plugins = _plugins([one, two])
    assert plugins.engines() == [one, two]
    assert plugins.engine("one.engine") is plugins.engine("uno") is one
    assert plugins.engine_for_format("shared") is plugins.engine_for_format("own") is one
    assert plugins.engine_for_format("other") is None
    assert plugins.engine_origin("uno").entry_point == "p"


def test_a_missing_engine_is_told_with_what_there_is_and_what_to_install() -> None:
    with pytest.raises(EngineNotInstalledError) as caught:
        _plugins([One(), Two()]).engine("Three.Engine")
    assert caught.value.message == (
        "No installed plugin offers the engine 'Three.Engine'. Installed engines: one.engine, two."
        " Plugins that can't be used: q (broken); see `jan-host plugins`."
        " Install the one that has it, such as `pip install jan-host-threeengine`."
    )
    with pytest.raises(EngineNotInstalledError, match="Installed engines: none"):
        _plugins().engine_origin("two")


def test_a_missing_importer_is_a_wrong_request() -> None:
    assert _plugins().importer("somewhere").name == "somewhere"
    with pytest.raises(
        InvalidRequestError, match=r"importer 'there'.*Installed importers: somewhere"
    ) as caught:
        _plugins().importer("there")
    assert caught.value.param == "import_format"


@pytest.mark.parametrize(
    ("name", "distribution"),
    [
        ("onnxruntime", "jan-host-onnx"),
        ("azure_openai", "jan-host-openai"),
        ("llama.cpp", "jan-host-llamacpp"),
        ("My Engine", "jan-host-myengine"),
        ("???", "jan-host-NAME"),
    ],
)
def test_the_likely_distribution_comes_from_the_metadata_and_the_name(name: str, distribution: str) -> None:
    assert likely_distribution(name) == distribution


def test_a_late_failure_is_reported_once_and_takes_nothing_away(caplog: pytest.LogCaptureFixture) -> None:
    plugins = _plugins([One()])
    with caplog.at_level(logging.WARNING, "jan_host.plugins"):
        plugins.broken("late", "the extra\ndid not start", "Restart it.")
    report = plugins.reports()[0]
    assert (report.status, report.problem, report.cure) == (
        "broken",
        "the extra did not start",
        "Restart it.",
    )
    assert report.engines == ["one.engine"]
    assert plugins.engine("one.engine")
    assert caplog.messages == ["Plugin p (dist-p 3) is broken: the extra did not start. Restart it."]


def test_the_first_problem_stays_in_the_report() -> None:
    plugins = _plugins()
    plugins.broken("q", "second", "Do something else.")
    assert plugins.reports()[1].problem == "first"


def test_a_failure_of_an_unknown_plugin_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    _plugins().broken("nobody", "it fell", "Lift it.")
    assert caplog.messages == ["Plugin nobody, which is not loaded, is broken: it fell. Lift it."]


def test_settings_without_a_schema_do_not_harm_the_report() -> None:
    reports = _plugins([Odd(), Two()]).engine_reports()
    assert reports[0].settings == {}
    assert reports[1].runs_in == "host"
    assert reports[1].settings["$ref"].endswith("NoSettings")


def test_no_plugin_may_take_a_command_of_the_command_line() -> None:
    assert set(COMMANDS) == CORE_COMMANDS


def test_every_hook_of_the_specification_is_known() -> None:
    class Plain:
        @hookimpl
        def jan_engines(self) -> list[Engine]:
            return []

    manager = register(Plain(), "plain")
    assert manager.project_name == PROJECT
    assert set(HOOKS) == {
        name for name in vars(hooks) if manager.parse_hookspec_opts(hooks, name) is not None
    }
