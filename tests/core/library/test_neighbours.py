"""Files that lie beside models, and folders in which one model has many files."""

import json

import pytest
from jan_host import Source

from tests.core.library.parts import MAGIC, House

NEIGHBOURS = {
    "config.json": {"architectures": ["Tiny"], "model_type": "tiny", "engine": "x"},
    "tokenizer.json": {"version": "1.0", "model": {"vocab": {"engine": 1}}},
    "tokenizer_config.json": {"model_max_length": 8, "origin": "hub"},
    "generation_config.json": {"temperature": 0.6},
    "special_tokens_map.json": {"eos_token": "</s>"},
    "vocab.json": {"engine": 7, "origin": 8, "sources": 9, "object": 10, "parameters": 11},
    "words.json": {"engine": 7, "origin": 8, "sources": 9, "object": 10, "parameters": 11},
    "modules.json": [{"idx": 0, "type": "Pooling", "engine": "x"}],
    "genai_config.json": {"model": {"decoder": {}}, "engine": "x"},
    "preprocessor_config.json": {"size": 224, "sources": []},
    "model.safetensors.index.json": {"metadata": {}, "origin": "hub"},
}


@pytest.mark.parametrize("place", ["", "sub/"])
def test_a_folder_of_a_hub_is_one_model(house: House, place: str) -> None:
    for name, content in NEIGHBOURS.items():
        house.put(f"hub/{place}{name}", json.dumps(content))
    house.put("hub/README.md", "words")
    house.put(f"hub/{place}weights.gguf")
    entry = house.only()
    assert (entry.model.id, entry.problem, entry.file) == ("hub", None, None)
    assert entry.model.sources == [Source(filename=f"{place}weights.gguf")]
    house.put("hub/model.json", {"name": "Named", "sources": [f"{place}weights.gguf"]})
    assert (house.only().model.name, house.only().problem) == ("Named", None)


def test_the_bare_neighbours_in_the_models_folder_are_no_models(house: House) -> None:
    for name, content in NEIGHBOURS.items():
        house.put(name, json.dumps(content))
    assert house.look() == {}


def test_a_model_of_several_binaries_and_a_projector(house: House) -> None:
    for name in ("llava-Q5.gguf", "mmproj.proj", "part-00001-of-00002.gguf", "part-00002-of-00002.gguf"):
        house.put(f"llava/{name}", MAGIC)
    house.put(
        "llava/llava.json",
        {"sources": ["llava-Q5.gguf", "mmproj.proj"], "settings": {"mmproj": "mmproj.proj"}},
    )
    house.put("llava/parts.json", {"sources": ["part-00001-of-00002.gguf", "part-00002-of-00002.gguf"]})
    found = house.look()
    assert {name: [source.filename for source in entry.model.sources] for name, entry in found.items()} == {
        "llava": ["llava-Q5.gguf", "mmproj.proj"],
        "parts": ["part-00001-of-00002.gguf", "part-00002-of-00002.gguf"],
    }
    assert [entry.problem for entry in found.values()] == [None, None]
    assert found["llava"].model.settings["mmproj"] == "mmproj.proj"
