"""The samples of the plugin's page are what it says they are."""

import re
import tomllib
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from jan_host_openai import Settings
from jan_host_openai.engine import AzureOpenAIEngine, OpenAIEngine

from tests.docs.blocks import ROOT, blocks
from tests.plugins.openai.servers import jan_host

PAGE = "plugins/openai/README.md"
ENGINES = {engine.name: engine for engine in (OpenAIEngine(), AzureOpenAIEngine())}
SAMPLES = [msgspec.json.decode(block.text) for block in blocks(PAGE) if block.language == "json"]
SERVERS = (
    "OpenAI", "Azure OpenAI", "Another jan-host", "vLLM", "llama.cpp's server", "Ollama",
    "LM Studio", "OpenRouter",
)  # fmt: skip


def test_every_server_has_its_sample() -> None:
    text = (ROOT / PAGE).read_text()
    assert [name for name in SERVERS if f"\n{name}:\n\n```json" not in text] == []


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["id"])
def test_a_sample_has_settings_of_its_engine(sample: dict[str, Any]) -> None:
    settings = sample["settings"]
    decoded = msgspec.convert(settings, ENGINES[sample["engine"]].Settings)
    assert msgspec.to_builtins(decoded) == settings


def test_the_host_reads_the_samples_without_a_word(tmp_path: Path) -> None:
    for number, sample in enumerate(SAMPLES):
        file = tmp_path / "models" / str(number) / "model.json"
        file.parent.mkdir(parents=True)
        file.write_bytes(msgspec.json.encode(sample))
    with jan_host(tmp_path) as server:
        models = httpx.get(f"{server.url}/v1/models", trust_env=False).json()["data"]
    assert {model["id"] for model in models} == {sample["id"] for sample in SAMPLES}
    assert {model["status"] for model in models} == {"remote"}
    assert [model["warnings"] for model in models if model["warnings"]] == []


def test_the_table_names_every_setting() -> None:
    rows = re.findall(r"^\| (`.*?`) \|", (ROOT / PAGE).read_text(), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    fields = {name for engine in ENGINES.values() for name in engine.Settings.__struct_fields__}
    assert named == fields


def test_the_configuration_is_one() -> None:
    (block,) = [block for block in blocks(PAGE) if block.language == "toml"]
    table = tomllib.loads(block.text)["plugins"]["openai"]
    assert msgspec.convert(table, Settings).keys == {"openrouter.ai": "env:OPENROUTER_API_KEY"}
