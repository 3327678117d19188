"""Every command, as a user types it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jan_host.cli.app import COMMANDS

from tests.cli.conftest import Run, environment
from tests.core.host.conftest import write_model


def test_help_names_every_command(run: Run) -> None:
    said = run("--help")
    assert said.code == 0
    assert all(name in said.out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help(run: Run, name: str) -> None:
    said = run(name, "--help")
    assert said.code == 0
    assert said.out.startswith("Usage: jan-host " + name)
    assert "--root" in said.out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nonsense"], 2, "There is no command 'nonsense'"),
        (["modles"], 2, "The nearest is 'models'"),
        (["serve", "--log-level", "loud"], 2, "debug"),
        (["models", "--nonsense"], 2, "See: jan-host models --help"),
        (["show", "nobody"], 1, "nobody"),
        (["rm", "nobody"], 1, "nobody"),
        (["run", "nobody", "hello"], 1, "nobody"),
        (["ps"], 1, "jan-host serve"),
        (["start", "poem"], 1, "jan-host serve"),
        (["pull", "nothing:at-all"], 1, "No importer recognises"),
        (["models", "--url", "http://127.0.0.1:1"], 1, "http://127.0.0.1:1"),
        (["serve", "--host", "0.0.0.0", "--port", "0"], 1, "key"),
        (["serve", "--port", "99999"], 2, "99999"),
    ],
)
def test_an_error_is_one_line_that_says_what_to_do(
    run: Run, arguments: list[str], code: int, words: str
) -> None:
    said = run(*arguments)
    assert said.code == code
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith("jan-host: ")
    assert words in said.err


def test_a_broken_configuration_is_one_line(run: Run, root: Path) -> None:
    (root / "config.toml").write_text("[server]\nprot = 80\n")
    said = run("models")
    assert said.code == 1
    assert len(said.err.splitlines()) == 1
    assert "port" in said.err


def test_models_without_a_server(run: Run, root: Path) -> None:
    write_model(root, "torn", "{")
    said = run("models")
    assert said.code == 0
    assert "poem" in said.out
    assert "broken" in said.out
    listed = {model["id"]: model for model in json.loads(run("models", "--json").out)}
    assert listed["poem"]["status"] == "downloaded"
    assert listed["torn"]["status_reason"]
    assert json.loads(run("show", "poem").out)["id"] == "poem"


def test_run_answers_without_a_server(run: Run) -> None:
    said = run("run", "poem", "The", "sea", "--temperature", "0", "--max-tokens", "5")
    assert (said.code, said.err) == (0, "")
    assert said.out.strip()
    assert run("run", "poem", "--temperature", "0", "--max-tokens", "5", stdin="The sea").out == said.out


def test_rm_removes(run: Run, root: Path) -> None:
    assert run("rm", "poem").code == 0
    assert not (root / "models" / "poem").exists()
    assert "No models yet" in run("models").out


def test_pull_shows_its_plan_then_brings(run: Run, root: Path, tmp_path: Path) -> None:
    text = tmp_path / "winter.txt"
    text.write_text("Snow on the roofs. Snow on the roads.")
    planned = run("pull", f"textfile:{text}", "--dry-run")
    assert planned.code == 0
    assert "winter" in planned.out
    assert not (root / "models" / "winter").exists()
    assert run("pull", f"textfile:{text}", "--id", "snow").code == 0
    assert run("run", "snow", "Snow", "--temperature", "0", "--max-tokens", "2").out.strip() == "on the"
    again = run("pull", f"textfile:{text}", "--id", "snow")
    assert again.code == 1
    assert "already" in again.err


def test_plugins_are_shown_and_checked(run: Run) -> None:
    said = run("plugins", "--check")
    assert said.code == 0, said.out
    assert "example-engine" in said.out
    assert "engine example-ngram" in said.out
    disabled = run("plugins", "--check", JAN_HOST_DISABLED_PLUGINS="example-engine")
    assert disabled.code == 0
    assert "disabled" in disabled.out


def test_a_broken_plugin_fails_the_check(run: Run, tmp_path: Path) -> None:
    (tmp_path / "plug").mkdir()
    (tmp_path / "plug" / "torn_plugin.py").write_text("import nowhere_at_all\n")
    info = tmp_path / "plug" / "torn_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torn-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[jan_host]\ntorn = torn_plugin\n")
    said = run("plugins", "--check", PYTHONPATH=str(tmp_path / "plug"))
    assert said.code == 1
    assert "nowhere_at_all" in said.out
    assert "pip install" in said.out
    assert run("plugins", PYTHONPATH=str(tmp_path / "plug")).code == 0


def test_a_plugin_adds_a_command(run: Run, tmp_path: Path) -> None:
    plugin = (
        "from jan_host import Command, hookimpl\n\n\n"
        "def greet(arguments):\n    print('Hello', *arguments)\n    return 3\n\n\n"
        "@hookimpl\ndef jan_commands():\n"
        "    return [Command(name='greet', summary='Say hello.', run=greet)]\n"
    )
    (tmp_path / "plug").mkdir()
    (tmp_path / "plug" / "greeting.py").write_text(plugin)
    info = tmp_path / "plug" / "greeting-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[jan_host]\ngreeting = greeting\n")
    said = run("greet", "World", "--loudly", PYTHONPATH=str(tmp_path / "plug"))
    assert (said.code, said.out) == (3, "Hello World --loudly\n")


def test_commands_talk_to_the_server_that_serves_the_root(run: Run, server: str) -> None:
    started = run("start", "poem", "--set", "ctx_len=64")
    assert started.code == 0, started.err
    assert "poem is running" in started.out
    listed = run("ps")
    assert "poem" in listed.out
    assert "chat" in listed.out
    assert "when needed" in listed.out  # it was started by hand
    run("start", "poem", "--set", "ctx_len=64", "--keep-alive", "10m")
    kept = run("ps").out
    assert "in 10 minutes" in kept
    assert "MEMORY" in kept
    run("start", "poem", "--set", "ctx_len=64", "--keep-alive=-1")
    assert "pinned" in run("ps").out
    asked = run("run", "poem", "The sea", "--temperature", "0", "--max-tokens", "5")
    assert (asked.code, asked.err) == (0, "")
    assert asked.out.strip()
    assert "poem is downloaded" in run("stop", "poem").out
    assert "no model in memory" in run("ps", "--url", server).out
    wrong = run("start", "poem", "--set", "ctx_length=64")
    assert wrong.code == 1
    assert "ctx_len" in wrong.err
    assert run("rm", "poem").code == 0
    assert "No models yet" in run("models").out


def test_a_second_server_on_the_same_port_says_so(run: Run, server: str) -> None:
    port = server.rpartition(":")[2]
    said = run("serve", "--port", port)
    assert said.code == 1
    assert port in said.err
    assert len(said.err.splitlines()) == 1


def test_output_that_nobody_reads_is_no_error(root: Path) -> None:
    command = f"{sys.executable} -m jan_host.cli models --root {root} | true"
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, env=environment(), timeout=60, check=False
    )
    assert done.stderr == ""


def test_a_table_keeps_ids_whole(run: Run, root: Path) -> None:
    name = "a-model-with-quite-a-long-name-" + "x" * 60
    write_model(root, name)
    said = run("models", COLUMNS="40")
    assert name in said.out
    assert all(line == line.rstrip() for line in said.out.splitlines())


def test_without_a_command_there_is_the_help(run: Run) -> None:
    assert run().out == run("--help").out


def test_warnings_are_named_once(run: Run, root: Path) -> None:
    for name in ("a", "b", "c", "d", "e"):
        write_model(root, name, '{"settings": {"no_such_setting": 1}}')
    said = run("models")
    assert "warnings about a, b, c and 2 more. See: jan-host show a" in said.out
    assert "no_such_setting" in run("show", "a").out


def test_a_misspelt_variable_is_told_of_when_serving(root: Path) -> None:
    command = [sys.executable, "-m", "jan_host.cli", "serve", "--root", str(root), "--host", "0.0.0.0"]
    variables = {"JAN_HOST_SERVER_PROT": "80", "JAN_HOST_URL": "http://127.0.0.1:1"}
    done = subprocess.run(
        command, env=environment() | variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert "JAN_HOST_SERVER_PORT" in done.stderr
    assert "JAN_HOST_URL" not in done.stderr


@pytest.mark.parametrize("size", ['"big"', "[1]", "-5", "1e300", "true", '{"a": 1}'])
def test_what_a_file_says_does_not_break_the_list(run: Run, root: Path, size: str) -> None:
    write_model(
        root, "odd", f'{{"name": "\\u001b[31m", "engine": "\\u001b[31m", "metadata": {{"size": {size}}}}}'
    )
    said = run("models")
    assert said.code == 0, said.err
    assert "odd" in said.out
    assert "\x1b" not in said.out
