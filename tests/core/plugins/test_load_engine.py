"""A worker process brings up one plugin alone, from the origin that the host sends it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from jan_host import PluginError
from jan_host.contract.errors import from_payload
from jan_host.plugins import EngineOrigin, load_engine

from tests.core.plugins.distributions import engine_source, plugin
from tests.core.plugins.environment import run_probe

COUNTING = """
import msgspec
calls = []
class Settings(msgspec.Struct):
    word: str = "none"

class Told(MyEngine):
    name = "told"
    def __init__(self, context):
        self.told = (context.name, context.settings.word, str(context.data_folder))

@hookimpl(specname="jan_engines")
def told(context):
    return [Told(context)]

@hookimpl
def jan_extras():
    raise AssertionError("a worker has no use for extras")
"""


def _origin(value: str, **more: Any) -> EngineOrigin:
    return EngineOrigin(
        entry_point="p", value=value, distribution="dist-p", version="2.0", data_folder="folder/p", **more
    )


def _install(module: str, source: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin(module, source).unpack(folder)
    monkeypatch.syspath_prepend(str(folder))


def test_the_engine_comes_with_its_settings_and_no_other_hook_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install("worker_counts", engine_source("letters", extra=COUNTING), tmp_path, monkeypatch)
    origin = _origin("worker_counts", settings={"word": "hello"})
    travelled = msgspec.msgpack.decode(msgspec.msgpack.encode(origin), type=EngineOrigin)
    assert load_engine(travelled, "letters").name == "letters"
    engine: Any = load_engine(travelled, "told")
    assert engine.told == ("p", "hello", str(Path("folder/p")))


def test_the_origin_of_the_registry_loads_the_same_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install("worker_same", engine_source("same"), tmp_path, monkeypatch)
    seen = run_probe(tmp_path)
    origin = msgspec.convert(seen["origins"]["same"], EngineOrigin)
    assert load_engine(origin, "same").formats == {"same-format"}


def test_an_engine_that_the_plugin_does_not_offer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install("worker_other", engine_source("other"), tmp_path, monkeypatch)
    with pytest.raises(PluginError, match=r"'p' \(dist-p 2\.0\) does not offer the engine 'gone'.*restart"):
        load_engine(_origin("worker_other"), "gone")


def test_a_plugin_that_does_not_load_in_the_worker_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install("worker_exits", "raise SystemExit('no driver')", tmp_path, monkeypatch)
    with pytest.raises(
        PluginError, match=r"is broken: its import failed: SystemExit: no driver .*Update"
    ) as caught:
        load_engine(_origin("worker_exits"), "any")
    # What a worker reports is made into an error again in the host.
    assert type(from_payload(caught.value.to_payload())) is PluginError
