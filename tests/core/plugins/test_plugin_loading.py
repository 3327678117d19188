"""What healthy plugins get and offer, and how plugins that are in each other's way are told apart."""

from pathlib import Path
from textwrap import dedent

from tests.core.plugins.distributions import Distribution, engine_source, plugin
from tests.core.plugins.environment import run_probe, spawn

EVERYTHING = """\
import msgspec
from jan_host import Command, Engine, Extra, Importer, hookimpl

class Settings(msgspec.Struct):
    port: int = 1

class EngineSettings(msgspec.Struct, kw_only=True):
    ctx_len: int = 4096
    odd: complex | None = None

class MyEngine(Engine):
    name = "everything"
    aliases = frozenset({"all", "everything"})
    formats = frozenset({"b", "a"})
    Settings = EngineSettings
    async def load(self, model, folder, settings, progress):
        raise NotImplementedError

class MyImporter(Importer):
    name = "everywhere"
    async def resolve(self, origin, options):
        raise NotImplementedError

class MyExtra(Extra):
    name = "anything"

class Hooks:
    Settings = Settings

    @hookimpl
    def jan_importers(self):
        yield MyImporter()

    @hookimpl
    def jan_extras(self, context):
        return {MyExtra()}

    @hookimpl
    def jan_commands(self, context):
        value = context.settings.port
        return (Command(name=f"{context.name}-{context.data_folder.name}", summary="", run=lambda _: value),)

    @hookimpl(specname="jan_engines")
    def these_engines(self):
        return [MyEngine()]

hooks = Hooks()
"""


def test_an_object_with_all_hooks_offers_all_and_gets_its_settings_and_folder(tmp_path: Path) -> None:
    source = EVERYTHING.replace("raise NotImplementedError", "return Letters()", 1)
    letters = engine_source("unused").partition("class MyEngine")[0]
    plugin("whole", letters + source, value="whole:hooks").unpack(tmp_path)
    seen = run_probe(tmp_path, settings={"whole": {"port": 7}}, data_folder="folder")
    assert seen["log"] == []
    assert seen["reports"]["whole:whole"] == {
        "name": "whole",
        "distribution": "whole",
        "version": "1.0",
        "entry_point": "whole:hooks",
        "status": "ok",
        "engines": ["everything"],
        "importers": ["everywhere"],
        "extras": ["anything"],
        "commands": ["whole-whole"],
        "problem": None,
        "cure": None,
    }
    assert seen["commands"] == {"whole-whole": 7}
    engine = seen["engines"]["everything"]
    schema = engine.pop("settings")
    assert engine == {
        "name": "everything",
        "aliases": ["all", "everything"],
        "formats": ["a", "b"],
        "runs_in": "worker",
        "plugin": "whole",
        "distribution": "whole",
        "version": "1.0",
    }
    assert schema["$defs"]["EngineSettings"]["properties"]["ctx_len"] == {"type": "integer", "default": 4096}
    assert seen["origins"]["everything"] == {
        "entry_point": "whole",
        "value": "whole:hooks",
        "distribution": "whole",
        "version": "1.0",
        "settings": {"port": 7},
        "data_folder": str(Path("folder/whole")),
    }


def test_a_plugin_without_settings_gets_the_defaults_it_declares(tmp_path: Path) -> None:
    source = dedent(
        """\
        import msgspec
        from jan_host import Command, hookimpl
        class Settings(msgspec.Struct):
            port: int = 5
        @hookimpl
        def jan_commands(context):
            return [Command(name="port", summary="", run=lambda _: context.settings.port)]
        """
    )
    plugin("defaults", source).unpack(tmp_path)
    assert run_probe(tmp_path)["commands"] == {"port": 5}


def test_a_warning_at_import_harms_nobody(tmp_path: Path) -> None:
    warning = "import warnings\nwarnings.warn('old', DeprecationWarning)\nwarnings.warn('user')\n"
    plugin("warns", warning + engine_source("warns")).unpack(tmp_path)
    assert run_probe(tmp_path)["reports"]["warns:warns"]["status"] == "ok"


def test_ctrl_c_at_import_is_the_users_and_passes(tmp_path: Path) -> None:
    plugin("interrupted", "raise KeyboardInterrupt").unpack(tmp_path)
    script = (
        "from jan_host.plugins import load_plugins; from pathlib import Path;"
        "load_plugins(disabled=[], settings={}, data_folder=Path())"
    )
    done = spawn(["-c", script], [tmp_path], {})
    assert done.returncode != 0
    assert "KeyboardInterrupt" in done.stderr


def test_of_two_engines_of_one_name_the_first_distributions_is_kept(tmp_path: Path) -> None:
    plugin("beta", engine_source("same"), distribution="acme-beta").unpack(tmp_path)
    plugin("alpha", engine_source("same"), distribution="acme-alpha").unpack(tmp_path)
    seen = run_probe(tmp_path)
    assert seen["reports"]["acme-alpha:alpha"]["engines"] == ["same"]
    beta = seen["reports"]["acme-beta:beta"]
    assert beta["status"] == "broken"
    assert beta["problem"] == "both acme-alpha and acme-beta offer the engine 'same', and acme-alpha keeps it"
    assert beta["cure"] == "Uninstall one of them: `pip uninstall acme-beta` or `pip uninstall acme-alpha`."
    assert seen["used"] == {"same": [97, 98]}


def test_an_alias_is_taken_like_a_name_and_costs_the_whole_second_plugin(tmp_path: Path) -> None:
    plugin("alpha", engine_source("one")).unpack(tmp_path)
    second = engine_source("two").replace("formats =", "aliases = frozenset({'one'})\n    formats =")
    second += "from jan_host import Extra\nclass E(Extra):\n    name = 'e'\n"
    second += "@hookimpl\ndef jan_extras(): return [E()]\n"
    plugin("beta", second).unpack(tmp_path)
    plugin("gamma", engine_source("two")).unpack(tmp_path)
    seen = run_probe(tmp_path)
    assert "both alpha and beta offer the engine 'one'" in seen["reports"]["beta:beta"]["problem"]
    assert seen["extras"] == []
    # What the broken plugin would have taken is free for others.
    assert seen["reports"]["gamma:gamma"]["engines"] == ["two"]


def test_engines_of_one_plugin_may_share_an_alias_and_others_may_not_have_it(tmp_path: Path) -> None:
    source = engine_source("one").replace("formats =", "aliases = frozenset({'far'})\n    formats =")
    source = source.replace("[MyEngine()]", "[MyEngine(), Two()]")
    plugin("alpha", source + "class Two(MyEngine):\n    name = 'two'\n").unpack(tmp_path)
    plugin("beta", engine_source("far")).unpack(tmp_path)
    seen = run_probe(tmp_path)
    assert seen["reports"]["alpha:alpha"]["engines"] == ["one", "two"]
    assert "both alpha and beta offer the engine 'far'" in seen["reports"]["beta:beta"]["problem"]


def test_importers_extras_and_commands_of_one_name_are_told_apart_too(tmp_path: Path) -> None:
    source = dedent(
        """\
        from jan_host import Command, Extra, Importer, hookimpl
        class I(Importer):
            name = "same"
            async def resolve(self, origin, options): ...
        class E(Extra):
            name = "same"
        """
    )
    returned = {"importers": "I()", "extras": "E()", "commands": "Command(name='same', summary='', run=len)"}
    for kind, item in returned.items():
        for letter in "ab":
            text = f"{source}@hookimpl\ndef jan_{kind}(): return [{item}]\n"
            plugin(f"{letter}-{kind}", text).unpack(tmp_path)
    seen = run_probe(tmp_path)
    for kind in returned:
        assert seen["reports"][f"a-{kind}:a-{kind}"][kind] == ["same"]
        problem = seen["reports"][f"b-{kind}:b-{kind}"]["problem"]
        assert f"both a-{kind} and b-{kind} offer the {kind[:-1]} 'same'" in problem


def test_of_two_entry_points_of_one_name_the_first_distributions_is_kept(tmp_path: Path) -> None:
    plugin("twin", engine_source("zeta"), distribution="Zeta").unpack(tmp_path)
    plugin("twin", engine_source("eta"), distribution="eta").unpack(tmp_path)
    seen = run_probe(tmp_path)
    assert seen["reports"]["eta:twin"]["engines"] == ["eta"]
    zeta = seen["reports"]["Zeta:twin"]
    assert zeta["status"] == "broken"
    assert "both eta and Zeta offer the plugin 'twin'" in zeta["problem"]
    assert "pip uninstall Zeta" in zeta["cure"]


def test_plugins_are_in_the_order_of_distribution_then_entry_point(tmp_path: Path) -> None:
    empty = "from jan_host import hookimpl\n@hookimpl\ndef jan_extras(): return []\n"
    Distribution(name="b", modules={"b": empty}, entry_points="y = b\nm = b").unpack(tmp_path)
    Distribution(name="A", modules={"a": empty}, entry_points="z = a").unpack(tmp_path)
    seen = run_probe(tmp_path)
    assert seen["order"] == ["z", "m", "y"]
    assert seen["log"] == []


def test_a_distribution_that_is_on_the_path_twice_counts_once(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    plugin("twice", engine_source("new")).unpack(first)
    plugin("twice", engine_source("old")).unpack(second)
    assert list(run_probe(first, second)["used"]) == ["new"]
    assert list(run_probe(first, first)["used"]) == ["new"]


def test_a_first_distribution_without_plugins_hides_one_behind_it(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    plugin("faded", engine_source("old")).unpack(second)
    plugin("faded", "").unpack(first)
    (first / "faded-1.0.dist-info" / "entry_points.txt").unlink()
    assert run_probe(first, second)["reports"] == {}


def test_damaged_metadata_of_one_distribution_costs_nobody_else(tmp_path: Path) -> None:
    plugin("healthy", engine_source("healthy")).unpack(tmp_path)
    for name, file, content in [
        ("garbled", "entry_points.txt", b"[jan_host]\nthis is no pair\n"),
        ("binary", "entry_points.txt", b"[jan_host]\nx = \xff\n"),
        ("bare", "METADATA", None),
    ]:
        plugin(name, "").unpack(tmp_path)
        path = tmp_path / f"{name}-1.0.dist-info" / file
        path.write_bytes(content) if content else path.unlink()
    seen = run_probe(tmp_path)
    assert seen["used"] == {"healthy": [97, 98]}
    broken = {key: report for key, report in seen["reports"].items() if report["status"] == "broken"}
    assert set(broken) == {"garbled:garbled", "binary:binary", "unknown:unknown"}
    for report in broken.values():
        assert f"the metadata of a distribution in {tmp_path} can't be read" in report["problem"]


def test_settings_and_switches_of_plugins_that_are_not_there_are_logged(tmp_path: Path) -> None:
    plugin("present", engine_source("present")).unpack(tmp_path)
    seen = run_probe(tmp_path, disabled=["presnt"], settings={"absent-one": {"a": 1}})
    assert seen["log"] == [
        "WARNING:config.toml names the plugin 'absent-one', which is not installed.",
        "WARNING:config.toml names the plugin 'presnt', which is not installed. The nearest is 'present'.",
    ]
