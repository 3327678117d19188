"""Each canonical field, in the own spelling of each generation that has it, and left out."""

import os
from typing import Any

import msgspec
import pytest

from tests.core.library.parts import House

ONE = [{"filename": "x.gguf", "url": "https://h.org/x.gguf"}]
SETTINGS = {"ctx_len": 2048, "ngl": 100, "embedding": True, "n_parallel": 4}
OPTIONS = {"temperature": 0.7, "max_tokens": 9, "stream": True}
G1_OPTIONS = (
    'parameters: {"runtime": {"temperature": "0.7", "token_limit": "9", "stream": "true",'
    ' "top_k": "", "top_p": ".."}}'
)
CASES: list[tuple[str, str, str, Any]] = [
    ("id", "G1", '"id": "/a/b", # filled in', "a/b"),
    ("id", "G1", '"id": {model_file_name}, # filled in', "own-name"),
    ("id", "G2", '"id": "zephyr-7b", // Defaults to foldername', "zephyr-7b"),
    ("id", "left out", '"engine": "nitro"', "own-name"),
    ("object", "G2", '"object": "model", // Defaults to "model"', "model"),
    ("object", "left out", "{}", "model"),
    ("created", "G1", '"created": 1686935002, # Unix timestamp', 1686935002),
    ("created", "G3", '{"created": 1686935002000}', 1686935002),
    ("created", "left out", "{}", 1_600_000_000),
    ("owned_by", "G1", '"owned_by": "TheBloke"', "TheBloke"),
    ("owned_by", "left out", "{}", "you"),
    ("name", "G2", '"name": "Zephyr 7B", // Defaults to foldername', "Zephyr 7B"),
    ("name", "left out", "{}", "own-name"),
    ("version", "G2", '"version": 1, // Defaults to 1', "1"),
    ("version", "left out", "{}", "1"),
    ("description", "G2", '"description": null, // Defaults to null', None),
    ("description", "G3", '{"description": "Small."}', "Small."),
    ("format", "G2", '"format": "ggufv3", // Defaults to "ggufv3"', "gguf"),
    ("format", "G3", '{"format": "safetensors"}', "safetensors"),
    ("format", "left out", '{"sources": [{"filename": "x.gguf"}]}', "gguf"),
    ("sources", "G1", '"origin": "o"\n"download_url": "x.gguf" - \n# why', [{"filename": "x.gguf"}]),
    ("sources", "G1", '"download_url": "https://h.org/x.gguf"', ONE),
    ("sources", "G2", '"sources": [{"filename": "x.gguf", "url": "https://h.org/x.gguf"}], // here', ONE),
    ("sources", "wild", '{"source_url": "https://h.org/x.gguf"}', ONE),
    ("sources", "wild", '{"source": [{"url": "https://h.org/x.gguf"}]}', ONE),
    ("origin", "G1", '"origin": "TheBloke/x-GGUF"', "TheBloke/x-GGUF"),
    ("import_format", "G1", "import_format: azure_openai\n#   openai", "azure_openai"),
    ("engine", "G1", '"metadata": {  // all under "jan"?\n"engine": "llamacpp",  // enum\n}', "llama.cpp"),
    ("engine", "G1", 'import_format: openai\n"metadata": {"engine": "api"}', "openai"),
    ("engine", "G2", '"engine": "nitro", // engine_id', "llama.cpp"),
    ("engine", "G3", '{"engine": "llama.cpp"}', "llama.cpp"),
    ("engine", "left out", '{"format": "gguf"}', "llama.cpp"),
    ("settings", "G1", 'parameters: {"init": {"ctx_len": "2048", "ngl": 100, "embedding": "true",'
     ' "n_parallel": 4}}\n"metadata": {"engine": "llamacpp"}', SETTINGS),
    ("settings", "G2", '"engine_parameters": {\n// over engine.json\n"ctx_len": 2048, "ngl": 100,'
     ' "embedding": true, "n_parallel": 4}', SETTINGS),
    ("settings", "G3", '{"settings": {"ctx_len": 2048, "ngl": 100, "embedding": true, "n_parallel": 4}}',
     SETTINGS),
    ("settings", "left out", "{}", {}),
    ("settings", "prompt G1",
     'parameters: {"init": {"pre_prompt": "Be.", "user_prompt": "U: ", "ai_prompt": "A: "}}',
     {"system_prompt": "Be.", "prompt_template": "{system_message}U: {prompt}A: "}),
    ("settings", "prompt G3", '{"prompt_template": "U: {prompt}", "system_prompt": "Be."}',
     {"prompt_template": "U: {prompt}", "system_prompt": "Be."}),
    ("settings", "vision G3", '{"vision_model": true, "mmproj": "m.gguf"}',
     {"vision_model": True, "mmproj": "m.gguf"}),
    ("parameters", "G1", G1_OPTIONS, OPTIONS),
    ("parameters", "G2", '"model_parameters": {"temperature": 0.7, "max_tokens": 9, "stream": true}',
     OPTIONS),
    ("parameters", "G3", '{"parameters": {"temperature": 0.7, "max_tokens": 9, "stream": true}}', OPTIONS),
    ("parameters", "G3 in settings", '{"settings": {"temperature": 0.1, "max_tokens": 9, "stream": true},'
     ' "parameters": {"temperature": 0.7}}', OPTIONS),
    ("parameters", "left out", "{}", {}),
    ("metadata", "G2", '"metadata": {}, // Defaults to {}', {}),
    ("metadata", "G3", '{"metadata": {"author": "a", "tags": ["t"], "size": 4, "cover": "c"}}',
     {"author": "a", "tags": ["t"], "size": 4, "cover": "c"}),
    ("metadata", "left out", "{}", {}),
    ("assets", "G2", '"assets": [ // Defaults to current dir\n"file://x"\n]', ["file://x"]),
    ("assets", "left out", "{}", []),
]  # fmt: skip


@pytest.mark.parametrize("name", ["own-name/model.json", "elsewhere/own-name.json"])
@pytest.mark.parametrize(
    ("field", "generation", "text", "value"), CASES, ids=[f"{case[0]} {case[1]}" for case in CASES]
)
def test_a_field(house: House, name: str, field: str, generation: str, text: str, value: Any) -> None:
    if name != "own-name/model.json" and '"object"' not in text:  # it needs the mark of a model.json
        mark = '"object": "model"'
        text = text.replace("{", f"{{{mark}, ", 1) if text.startswith("{") else f"{mark}\n{text}"
    file = house.put(name, text)
    os.utime(file, (1_600_000_000, 1_600_000_000))
    entry = house.only()
    assert entry.file == file, entry.problem
    assert msgspec.to_builtins(getattr(entry.model, field)) == value
    vision = ("vision_model", "mmproj")  # settings that the tests' engine does not have
    assert [text for text in entry.warnings if not any(name in text for name in vision)] == [], generation
