"""The borders that DESIGN draws, held by tests."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import jan_host
from jan_host.contract import errors
from jan_host.hooks import PROJECT

ROOT = Path(__file__).parents[2]
CORE = ROOT / "core" / "src" / "jan_host"
EXPORTS = Path(__file__).with_name("exports.txt")

ENGINE_WORDS = re.compile(r"llama.?cpp|nitro|cortex|onnxruntime", re.IGNORECASE)


def _modules_after(statement: str) -> set[str]:
    script = f"{statement}\nimport sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in run.stdout.split()}


def test_what_a_plugin_may_import_is_pinned() -> None:
    """A change of this list is a change of the contract: say so in the commit that makes it."""
    assert sorted(jan_host.__all__) == EXPORTS.read_text().split()
    public = {name for name in vars(jan_host) if not name.startswith("_")}
    rooms = {path.stem for path in CORE.iterdir()}
    assert public - rooms == set(jan_host.__all__)


def test_everything_exported_says_what_it_is() -> None:
    undocumented = [
        name
        for name in jan_host.__all__
        if isinstance(getattr(jan_host, name), type) and not getattr(jan_host, name).__doc__
    ]
    assert undocumented == []


def test_importing_the_contract_loads_neither_the_server_nor_an_engine() -> None:
    loaded = _modules_after("import jan_host")
    assert not loaded & {
        "litestar",
        "uvicorn",
        "httpx",
        "rich",
        "click",
        "llama_cpp",
        "onnxruntime",
        "jinja2",
    }


def test_the_help_loads_neither_the_server_nor_a_plugin() -> None:
    statement = (
        "import contextlib, io\nfrom jan_host.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    main(['--help'])"
    )
    loaded = _modules_after(statement)
    assert "click" in loaded
    assert not loaded & {"litestar", "uvicorn", "httpx", "rich", "llama_cpp", "importlib_metadata"}
    assert not [name for name in loaded if name.startswith("jan_host_")]


def test_finding_all_plugins_loads_no_engine() -> None:
    statement = (
        "from pathlib import Path\nfrom jan_host.plugins import load_plugins\n"
        "assert load_plugins(disabled=[], settings={}, data_folder=Path('x')).engines()"
    )
    assert not _modules_after(statement) & {
        "litestar",
        "llama_cpp",
        "numpy",
        "onnxruntime",
        "openai",
        "jinja2",
    }


def test_core_names_no_engine() -> None:
    named = [
        f"{path.relative_to(CORE)}:{number}: {line.strip()}"
        for path in CORE.rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if ENGINE_WORDS.search(line)
    ]
    assert named == []


def test_the_error_tree_is_drawn_as_it_is() -> None:
    drawn = re.findall(r"^ {4}[│├└─ ]*(\w+Error) +(\d+) (\w+)$", errors.__doc__ or "", re.MULTILINE)
    real = [(cls.__name__, str(cls.status), cls.code) for cls in _tree(errors.JanHostError)]
    assert sorted(drawn) == sorted(real)
    assert [name for name, _, _ in drawn] == [name for name, _, _ in real]


def _tree(cls: type[errors.JanHostError]) -> list[type[errors.JanHostError]]:
    """A class and those below it in `errors`, depth first, as they stand in the file."""
    order = list(vars(errors))
    below = sorted(
        (sub for sub in cls.__subclasses__() if sub.__module__ == errors.__name__),
        key=lambda sub: order.index(sub.__name__),
    )
    return [cls, *(found for sub in below for found in _tree(sub))]


def test_an_error_survives_the_way_to_another_process() -> None:
    for cls in errors.error_classes().values():
        sent = cls("What is wrong and what to do.", param="model", retry_after=2.5)
        restored = errors.from_payload(sent.to_payload())
        assert type(restored) is cls
        assert (restored.message, restored.param, restored.retry_after) == (sent.message, "model", 2.5)
        assert restored.http_status == cls.status


def _hooks() -> dict[str, ast.FunctionDef]:
    tree = ast.parse((CORE / "hooks.py").read_text())
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_hooks_are_these() -> None:
    assert PROJECT == "jan_host"
    assert {name: [arg.arg for arg in node.args.args] for name, node in _hooks().items()} == {
        "jan_engines": ["context"],
        "jan_importers": ["context"],
        "jan_extras": ["context"],
        "jan_commands": ["context"],
    }


def test_every_hook_has_a_docstring_a_test_and_a_chapter_in_contributing() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "core").rglob("*.py"))
    for name, node in _hooks().items():
        assert ast.get_docstring(node), name
        assert name in contributing, name
        assert name in tests, name


def test_the_import_contracts_hold() -> None:
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout


def test_every_waiver_carries_its_reason() -> None:
    pattern = re.compile(r"#\s*(?:noqa: [A-Z0-9, ]+|type: ignore\[[^\]]+\])\s*$")
    sources = [*CORE.rglob("*.py"), *(ROOT / "plugins").rglob("*.py"), *(ROOT / "examples").rglob("*.py")]
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]
    assert bare == []
