"""Plugins that are broken, each in one way, with what the report must say of them."""

from dataclasses import dataclass, field
from textwrap import dedent
from typing import Any

from tests.core.plugins.distributions import Distribution, engine_source, plugin

ENGINE = """\
from jan_host import Command, Engine, Extra, Importer, hookimpl
import msgspec

class MyEngine(Engine):
    name = "of-a-broken-plugin"
    async def load(self, model, folder, settings, progress): ...
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A broken distribution, and words of its report."""

    distribution: Distribution
    name: str
    problem: list[str]
    cure: list[str]
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.distribution.name}:{self.name}"


def _case(
    name: str,
    source: str,
    problem: list[str],
    cure: list[str],
    *,
    value: str | None = None,
    settings: dict[str, Any] | None = None,
) -> Case:
    return Case(
        distribution=plugin(name, dedent(source), value=value),
        name=name,
        problem=problem,
        cure=cure,
        settings=settings or {},
    )


def _hooks(name: str, source: str, problem: list[str], cure: list[str], **more: Any) -> Case:
    """A case whose module has the imports and the engine class above."""
    return _case(name, ENGINE + dedent(source), problem, cure, **more)


def _attribute(name: str, lines: str, problem: list[str], cure: list[str]) -> Case:
    """A case whose engine has strange attributes."""
    return _hooks(
        name,
        f"class Strange(MyEngine):\n    {lines}\n@hookimpl\ndef jan_engines(): return [Strange()]\n",
        problem,
        cure,
    )


IMPORTS = [
    _case(
        "raises-at-import",
        "x = 1\nraise ValueError('no\\nway')",
        ["import failed: ValueError: no way", "raises_at_import, line 2"],
        ["pip install --upgrade raises-at-import", '[plugins] disabled = ["raises-at-import"]'],
    ),
    _case("exits-at-import", "import sys\nsys.exit('bye')", ["SystemExit: bye"], ["pip install --upgrade"]),
    _case(
        "cancels-at-import",
        "import asyncio\nraise asyncio.CancelledError",
        ["CancelledError"],
        ["pip install --upgrade"],
    ),
    _case(
        "unprintable-error",
        "class Odd(Exception):\n    def __str__(self): raise RuntimeError\nraise Odd",
        ["import failed: Odd"],
        ["pip install --upgrade"],
    ),
    _case("bad-syntax", "def (", ["SyntaxError"], ["report it to its author"]),
    _case("endless", "def f(): f()\nf()", ["RecursionError"], ["report it to its author"]),
    _case(
        "no-module",
        "",
        ["'not_there' is missing"],
        ["pip install --force-reinstall no-module"],
        value="not_there",
    ),
    _case(
        "no-submodule",
        "import no_submodule.part",
        ["'no_submodule.part' is missing"],
        ["pip install --force-reinstall no-submodule"],
    ),
    _case(
        "no-attribute",
        "",
        ["'some.thing'", "module 'no_attribute' does not have"],
        ["--force-reinstall no-attribute"],
        value="no_attribute:some.thing",
    ),
    _case("no-value", "", ["'no-value!' names no module"], ["package.module:object"], value="no-value!"),
    _case(
        "no-dependency",
        "import surely_not_installed.part",
        ["needs the module 'surely_not_installed", "not installed"],
        ["`pip install surely_not_installed`"],
    ),
    Case(
        distribution=Distribution(
            name="no-named-dependency",
            modules={"no_named_dependency": "import surely_not_installed"},
            entry_points="no-named-dependency = no_named_dependency",
            requires=["jan-host", "Surely-Not.Installed>=2; python_version > '3'"],
        ),
        name="no-named-dependency",
        problem=["needs the module 'surely_not_installed'"],
        cure=["`pip install Surely-Not.Installed`"],
    ),
    _case(
        "of-another-version",
        "from jan_host import SomethingOfNextYear",
        ["another version of jan-host", "SomethingOfNextYear"],
        ["pip install --upgrade jan-host of-another-version"],
    ),
    _case(
        "odd-module",
        "def __getattr__(name): raise OSError('odd ' + name)",
        ["OSError: odd thing"],
        ["pip install --upgrade odd-module"],
        value="odd_module:thing",
    ),
    _case("no-hooks", "import jan_host", ["implements no hook"], ["jan_engines"]),
    _case(
        "names-nothing",
        "x = None",
        ["a NoneType, which implements no hook"],
        ["jan_engines"],
        value="names_nothing:x",
    ),
    Case(
        distribution=Distribution(
            name="climbing-name",
            modules={"climbing_name": engine_source("climbs")},
            entry_points="../climb = climbing_name",
        ),
        name="../climb",
        problem=["entry point has the name '../climb'"],
        cure=["Rename it"],
    ),
]

FUNCTIONS = [
    _hooks(
        "unknown-hook",
        "@hookimpl\ndef jan_engine(): return [MyEngine()]\n",
        ["hook 'jan_engine', which does not exist"],
        ["nearest is 'jan_engines'"],
    ),
    _hooks(
        "unmarked-hook",
        "def jan_engines(context): return [MyEngine()]\n",
        ["jan_engines", "not marked"],
        ["@hookimpl"],
    ),
    _hooks(
        "wrong-parameter",
        "@hookimpl\ndef jan_engines(contxt): return [MyEngine()]\n",
        ["parameter 'contxt'"],
        ["may be: context", "nearest is 'context'"],
    ),
    _hooks(
        "default-parameter",
        "@hookimpl\ndef jan_engines(context=None): return [MyEngine()]\n",
        ["'context' with a default"],
        ["def jan_engines(context)"],
    ),
    _hooks(
        "unbound-method",
        "class Hooks:\n    @hookimpl\n    def jan_engines(self, context): return [MyEngine()]\n",
        ["parameter 'self'"],
        ["may be: context"],
        value="unbound_method:Hooks",
    ),
    _hooks(
        "async-hook",
        "@hookimpl\nasync def jan_engines(context): return [MyEngine()]\n",
        ["async def"],
        ["synchronous"],
    ),
    _hooks(
        "hidden-coroutine",
        "async def later(): return [MyEngine()]\n@hookimpl\ndef jan_engines(): return later()\n",
        ["returned a coroutine"],
        ["Return a list"],
    ),
    _hooks(
        "wrapper-hook",
        "@hookimpl(wrapper=True)\ndef jan_engines():\n    return (yield)\n",
        ["hook wrapper"],
        ["return the objects"],
    ),
    _hooks(
        "raising-hook",
        "@hookimpl\ndef jan_importers(context):\n    return [1 / 0]\n",
        ["its hook jan_importers failed: ZeroDivisionError", "raising_hook, line"],
        ["pip install --upgrade raising-hook"],
    ),
    _hooks(
        "exiting-hook", "@hookimpl\ndef jan_extras(): exit(3)\n", ["SystemExit: 3"], ["pip install --upgrade"]
    ),
    _hooks(
        "raising-generator",
        "@hookimpl\ndef jan_engines():\n    yield MyEngine()\n    raise OSError('half-way')\n",
        ["OSError: half-way"],
        ["pip install --upgrade"],
    ),
]

RESULTS = [
    _hooks("returns-nothing", "@hookimpl\ndef jan_engines(): pass\n", ["returned nothing"], ["[MyEngine()]"]),
    _hooks(
        "returns-one",
        "@hookimpl\ndef jan_engines(): return MyEngine()\n",
        ["returned a MyEngine"],
        ["Return a list"],
    ),
    _hooks(
        "returns-text",
        "@hookimpl\ndef jan_engines(): return 'engine'\n",
        ["returned a str"],
        ["Return a list"],
    ),
    _hooks(
        "returns-class",
        "@hookimpl\ndef jan_engines(): return [MyEngine]\n",
        ["the class MyEngine"],
        ["MyEngine()."],
    ),
    _hooks(
        "wrong-kind",
        "@hookimpl\ndef jan_importers(): return [MyEngine()]\n",
        ["returned a MyEngine where a jan_host.Importer"],
        ["jan_host.Importer"],
    ),
    _hooks(
        "wrong-command",
        "@hookimpl\ndef jan_commands(): return [print]\n",
        ["where a jan_host.Command"],
        ["instances of jan_host.Command."],
    ),
    _hooks(
        "idle-command",
        "@hookimpl\ndef jan_commands(): return [Command(name='idle', summary='', run=None)]\n",
        ["'idle' has a run that can't be called"],
        ["function"],
    ),
    _hooks(
        "serving-command",
        "@hookimpl\ndef jan_commands(): return [Command(name='serve', summary='', run=len)]\n",
        ["command 'serve', which jan-host itself has"],
        ["rename it"],
    ),
    _hooks(
        "nameless-extra",
        "@hookimpl\ndef jan_extras(): return [Extra()]\n",
        ["its extra Extra has the name None"],
        ["Give it a name"],
    ),
    _attribute("empty-name", "name = ''", ["has the name ''"], ["Give it a name"]),
    _attribute("climbing-engine", "name = '../../etc'", ["has the name '../../etc'"], ["Letters, digits"]),
    _attribute("formats-text", "formats = 'gguf'", ["formats 'gguf'"], ["frozenset({"]),
    _attribute("aliases-many", "aliases = ['a\\n' * 9] * 99", ["aliases ['a", " [...]"], ["frozenset({"]),
    _attribute("aliases-set", "aliases = {'a'}", ["aliases {'a'}"], ["frozenset({"]),
    _attribute("runs-elsewhere", "runs_in = 'cloud'", ["runs_in 'cloud'"], ["'worker' or 'host'"]),
    _attribute("odd-environment", "environment = {'A': 1}", ["environment {'A': 1}"], ["dict of texts"]),
    _attribute("settings-dict", "Settings = dict", ["Settings <class 'dict'>"], ["msgspec.Struct"]),
    _attribute(
        "settings-required",
        "class Settings(msgspec.Struct):\n        ctx_len: int",
        ["field 'ctx_len' has no default"],
        ["every field a default"],
    ),
    _hooks(
        "twice-the-same",
        "@hookimpl\ndef jan_engines(): return [MyEngine(), MyEngine()]\n",
        ["offers two of kind engine named 'of-a-broken-plugin'"],
        ["rename one"],
    ),
]

_HOOK = "@hookimpl\ndef jan_engines(): return []\n"
SETTINGS = [
    _hooks(
        "unknown-setting",
        f"class Settings(msgspec.Struct):\n    port: int = 1\n{_HOOK}",
        ["[plugins.unknown-setting]", "'prot'"],
        ["settings are port", "nearest is 'port'"],
        settings={"prot": 1},
    ),
    _hooks(
        "unknown-deep-setting",
        "class Deep(msgspec.Struct, frozen=True):\n    level: int = 1\n"
        f"class Settings(msgspec.Struct):\n    deep: Deep = Deep()\n{_HOOK}",
        ["'deep.levle'"],
        ["nearest is 'level'"],
        settings={"deep": {"levle": 1}},
    ),
    _hooks(
        "wrong-setting",
        f"class Settings(msgspec.Struct):\n    port: int = 1\n{_HOOK}",
        ["Expected `int`, got `str` - at `port`"],
        ["Correct [plugins.wrong-setting]"],
        settings={"port": "much"},
    ),
    _hooks(
        "required-setting",
        f"class Settings(msgspec.Struct):\n    token: str\n{_HOOK}",
        ["missing required field `token`"],
        ["Correct [plugins.required-setting]"],
    ),
    _hooks("odd-settings", f"Settings = 7\n{_HOOK}", ["its Settings is 7"], ["msgspec.Struct"]),
    _hooks("no-settings", _HOOK, ["sets port", "has no settings"], ["Remove"], settings={"port": 1}),
]

CASES = [*IMPORTS, *FUNCTIONS, *RESULTS, *SETTINGS]
