"""Settings: config.toml, environment, command line, secrets."""

import logging
from pathlib import Path

import platformdirs
import pytest
from jan_host.config import Config, load_config, resolve_secret
from jan_host.contract.errors import ConfigError

EVERYTHING = """
[server]
host = "0.0.0.0"
port = 8080
api_keys = ["env:JAN_HOST_MY_KEY"]
drain_seconds = 0

[library]
folders = ["~/models", "more", "/srv/models"]

[logging]
level = "debug"

[plugins]
disabled = ["slow"]

[plugins.remote]
base_url = "https://example.org"
"""


def write(root: Path, text: str) -> Path:
    (root / "config.toml").write_text(text)
    return root


def test_defaults_without_a_file(tmp_path: Path) -> None:
    config = load_config(tmp_path, {})
    assert config == Config(root=tmp_path)
    assert (config.server.host, config.server.port) == ("127.0.0.1", 1337)
    assert config.models_folder == tmp_path / "models"
    assert config.engines_folder == tmp_path / "engines"
    assert config.downloads_folder == tmp_path / "downloads"
    assert config.logs_folder == tmp_path / "logs"
    assert config.plugin_data_folder == tmp_path / "plugins"


def test_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    config = load_config(write(tmp_path, EVERYTHING), {})
    assert (config.server.host, config.server.port, config.server.drain_seconds) == ("0.0.0.0", 8080, 0.0)
    assert config.logging.level == "debug"
    assert config.plugins.disabled == ["slow"]
    assert config.plugin_settings == {"remote": {"base_url": "https://example.org"}}
    assert config.library_folders == [
        tmp_path / "home" / "models",
        tmp_path / "more",
        Path("/srv/models"),
    ]


def test_layers_go_file_then_environment_then_command_line(tmp_path: Path) -> None:
    write(tmp_path, EVERYTHING)
    environ = {"JAN_HOST_SERVER_PORT": "0", "JAN_HOST_SERVER_HOST": "::1"}
    config = load_config(tmp_path, environ, {"server": {"host": "localhost", "port": None}})
    assert (config.server.host, config.server.port) == ("localhost", 0)


def test_environment_has_lists_booleans_and_numbers(tmp_path: Path) -> None:
    config = load_config(
        tmp_path,
        {
            "JAN_HOST_SERVER_API_KEYS": "one, two,",
            "JAN_HOST_SERVER_ALLOW_UNAUTHENTICATED": "true",
            "JAN_HOST_RUNTIME_PING_SECONDS": "0.5",
            "JAN_HOST_SERVER_PORT": "",
        },
    )
    assert config.server.api_keys == ["one", "two"]
    assert config.server.allow_unauthenticated
    assert config.runtime.ping_seconds == 0.5
    assert config.server.port == 1337


@pytest.mark.parametrize("name", ["JAN_HOST_DISABLED_PLUGINS", "JAN_HOST_PLUGINS_DISABLED"])
def test_plugins_are_disabled_by_the_environment(tmp_path: Path, name: str) -> None:
    write(tmp_path, EVERYTHING)
    assert load_config(tmp_path, {name: "a,b"}).plugins.disabled == ["a", "b"]
    assert load_config(tmp_path, {name: ""}).plugins.disabled == []


def test_root_comes_from_argument_then_environment_then_platform(tmp_path: Path) -> None:
    environ = {"JAN_HOST_ROOT": str(tmp_path / "named")}
    assert load_config(tmp_path, environ).root == tmp_path
    assert load_config(None, environ).root == tmp_path / "named"
    default = load_config(None, {}, {}).root
    assert default == platformdirs.user_data_path("jan-host", appauthor=False)


def test_relative_root_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_config(Path("here"), {}).root == tmp_path / "here"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[server]\nprot = 1\n", ["config.toml", "server.prot", "server.port"]),
        ("[sever]\nport = 1\n", ["config.toml", "sever", "server"]),
        ("port = 1\n", ["config.toml", "port"]),
        ("server = 1\n", ["config.toml", "server", "[server]"]),
        ("[plugins]\ndisable = true\n", ["config.toml", "plugins.disable", "plugins.disabled"]),
        ("[server]\nport = '1'\n", ["config.toml", "server.port", "int"]),
        ("[server]\nport = true\n", ["config.toml", "server.port", "int"]),
        ("[server]\nport = 65536\n", ["config.toml", "server.port", "65535"]),
        ("[server]\nport = -1\n", ["config.toml", "server.port"]),
        ("[server]\nmax_body_bytes = 0\n", ["config.toml", "server.max_body_bytes"]),
        ("[runtime]\nping_seconds = nan\n", ["config.toml", "runtime.ping_seconds"]),
        ("[runtime]\nping_seconds = inf\n", ["config.toml", "runtime.ping_seconds"]),
        ("[server]\nallowed_hosts = ['a', 1]\n", ["config.toml", "server.allowed_hosts", "str"]),
        ("[logging]\nlevel = 'loud'\n", ["config.toml", "logging.level", "loud"]),
        ("[server\n", ["config.toml", "TOML"]),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, named: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text), {})
    for word in named:
        assert word in caught.value.message


def test_a_value_that_may_be_a_key_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, "[server]\napi_keys = 'sk-very-secret'\n"), {})
    assert "sk-very-secret" not in caught.value.message


def test_mistakes_in_environment_and_command_line_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"JAN_HOST_SERVER_PORT: server\.port"):
        load_config(tmp_path, {"JAN_HOST_SERVER_PORT": "many"})
    with pytest.raises(ConfigError, match=r"command line: there is no setting server\.prot"):
        load_config(tmp_path, {}, {"server": {"prot": 1}})
    with pytest.raises(ConfigError, match="command line: there is no setting sever"):
        load_config(tmp_path, {}, {"sever": {}})


def test_a_file_that_is_not_text_or_not_a_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"config\.toml"):
        load_config(tmp_path, {})
    (tmp_path / "config.toml").unlink()
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(ConfigError, match=r"config\.toml can't be read"):
        load_config(tmp_path, {})


def test_strange_variables_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, EVERYTHING)
    environ = {
        "JAN_HOST_SERVER_PROT": "1",
        "JAN_HOST_TEST_CACHE": "x",
        "JAN_HOST_ROOT": "x",
        "JAN_HOST_MY_KEY": "named by the file as a secret",
        "OTHER": "x",
    }
    with caplog.at_level(logging.WARNING):
        load_config(tmp_path, environ)
    (message,) = caplog.messages
    assert "JAN_HOST_SERVER_PROT" in message
    assert "JAN_HOST_SERVER_PORT" in message


def test_secrets(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(" from the file\n")
    assert resolve_secret("plain", {}) == "plain"
    assert resolve_secret("a:b", {}) == "a:b"
    assert resolve_secret("env:KEY", {"KEY": "value"}) == "value"
    assert resolve_secret(f"file:{file}", {}) == "from the file"


def test_missing_secrets_are_clear(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'KEY'"):
        resolve_secret("env:KEY", {"KEY": ""})
    with pytest.raises(ConfigError, match="nothing here"):
        resolve_secret(f"file:{tmp_path / 'nothing here'}", {})
    (tmp_path / "empty").touch()
    with pytest.raises(ConfigError, match="is empty"):
        resolve_secret(f"file:{tmp_path / 'empty'}", {})
    (tmp_path / "binary").write_bytes(b"\xff\xff")
    with pytest.raises(ConfigError, match="UTF-8"):
        resolve_secret(f"file:{tmp_path / 'binary'}", {})


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ("5", 5),
        ('"5"', 5),
        ('"8GB"', 8 * 10**9),
        ('"8 gb"', 8 * 10**9),
        ('"1.5GiB"', 3 * 2**29),
        ('"512M"', 512 * 10**6),
        ('"1ki"', 1024),
    ],
)
def test_amounts_of_memory_in_words(tmp_path: Path, written: str, count: int) -> None:
    write(tmp_path, f"[runtime]\nmemory_bytes = {written}\n")
    assert load_config(tmp_path, {}).runtime.memory_bytes == count
    text = written.strip('"')
    assert (
        load_config(tmp_path, {"JAN_HOST_RUNTIME_DEVICE_MEMORY_BYTES": text}).runtime.device_memory_bytes
        == count
    )


@pytest.mark.parametrize("written", ["8 parsecs", "-1GB", "GB", "8GBB", "1e9", "8iB", "99999999TB", "nan"])
def test_what_is_no_amount_of_memory(tmp_path: Path, written: str) -> None:
    write(tmp_path, f'[runtime]\nmemory_bytes = "{written}"\n')
    with pytest.raises(ConfigError, match=r"runtime\.memory_bytes"):
        load_config(tmp_path, {})


@pytest.mark.parametrize("written", ["1800", "0.5", "0", "-1"])
def test_how_long_models_stay(tmp_path: Path, written: str) -> None:
    write(tmp_path, f"[runtime]\nkeep_alive_seconds = {written}\n")
    assert load_config(tmp_path, {}).runtime.keep_alive_seconds == float(written)
