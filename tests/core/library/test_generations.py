"""The three generations of model.json, and mixtures, give the same canonical model."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jan_host import Model, Source
from jan_host.contract.errors import ModelBrokenError
from jan_host.library import generations
from jan_host.library.engines import Engines
from jan_host.library.generations import Defaults, check_settings
from jan_host.library.read import read_object

from tests.core.library.parts import SEEDS, AzureRemote, Native, Remote

ENGINES = Engines([Native(), Remote(), AzureRemote()])
DEFAULTS = Defaults(id="folder", name="folder", created=1_700_000_000)


def read_model(raw: dict[str, Any], defaults: Defaults, engines: Engines) -> tuple[Model, list[str]]:
    """Read a document as the library does for a model whose engine it names."""
    model, notices = generations.read_model(raw, defaults, engines)
    check_settings(model, engines, notices)
    return model, [notice.text for notice in notices]


G1 = {
    "id": "zephyr",
    "created": 1231231,
    "download_url": "https://example.org/z/zephyr.gguf?download=true",
    "parameters": {
        "init": {"ctx_len": "4096", "embedding": "false", "pre_prompt": "Be kind.", "user_prompt": "U: "},
        "runtime": {
            "temperature": "0.7",
            "token_limit": "2048",
            "top_k": "",
            "top_p": "..",
            "stream": "true",
        },
    },
    "metadata": {"engine": "llamacpp", "author": "me"},
}
G2 = {
    "id": "zephyr",
    "created": 1231231,
    "version": 1,
    "format": "ggufv3",
    "engine": "nitro",
    "sources": [{"filename": "zephyr.gguf", "url": "https://example.org/z/zephyr.gguf?download=true"}],
    "engine_parameters": {
        "ctx_len": 4096,
        "embedding": False,
        "system_prompt": "Be kind.",
        "prompt_template": "{system_message}U: {prompt}",
    },
    "model_parameters": {"temperature": 0.7, "max_tokens": 2048, "stream": True},
    "metadata": {"author": "me"},
}
G3 = {
    "id": "zephyr",
    "object": "model",
    "created": "1231231",
    "name": "",
    "version": "1",
    "format": "gguf",
    "engine": "llama.cpp",
    "sources": [{"url": "https://example.org/z/zephyr.gguf?download=true"}],
    "settings": {
        "ctx_len": 4096,
        "embedding": False,
        "system_prompt": "Be kind.",
        "prompt_template": "{system_message}U: {prompt}",
        "temperature": 0.1,
        "max_tokens": 2048,
    },
    "parameters": {"temperature": 0.7, "stream": True},
    "metadata": {"author": "me"},
}
CANONICAL = Model(
    id="zephyr",
    created=1231231,
    name="folder",
    format="gguf",
    engine="llama.cpp",
    sources=[Source(filename="zephyr.gguf", url="https://example.org/z/zephyr.gguf?download=true")],
    settings={
        "ctx_len": 4096,
        "embedding": False,
        "system_prompt": "Be kind.",
        "prompt_template": "{system_message}U: {prompt}",
    },
    parameters={"temperature": 0.7, "max_tokens": 2048, "stream": True},
    metadata={"author": "me"},
)


def read(raw: dict[str, Any]) -> Model:
    model, warnings = read_model(raw, DEFAULTS, ENGINES)
    assert warnings == []
    return model


@pytest.mark.parametrize("raw", [G1, G2, G3], ids=["G1", "G2", "G3"])
def test_all_generations_are_one_model(raw: dict[str, Any]) -> None:
    assert read(raw) == CANONICAL


def test_canonical_form_reads_as_itself() -> None:
    assert read(json.loads(msgspec.json.encode(CANONICAL))) == CANONICAL


def test_nothing_but_defaults() -> None:
    assert read({}) == Model(id="folder", name="folder", created=1_700_000_000)


def test_sample_with_one_binary() -> None:
    assert read(read_object(SEEDS / "model-zephyr-7B.json")) == Model(
        id="folder",
        name="folder",
        created=1686935002,
        owned_by="TheBloke",
        format="gguf",
        engine="llama.cpp",
        sources=[Source(filename="zephyr-7b-beta.Q2_K.gguf")],
        settings={
            "ctx_len": 2048,
            "ngl": 100,
            "embedding": True,
            "n_parallel": 4,
            "system_prompt": "A chat between a curious user and an artificial intelligence",
            "prompt_template": "{system_message}USER: {prompt}ASSISTANT: ",
        },
        parameters={"temperature": 0.7, "max_tokens": 2048},
        origin="TheBloke/zephyr-7B-beta-GGUF",
        import_format="thebloke",
    )


def test_sample_with_several_binaries() -> None:
    model = read(read_object(SEEDS / "model-llava-v1.5-ggml.json"))
    assert (model.origin, model.import_format, model.sources) == ("mys/ggml_llava-v1.5-13b", "default", [])
    assert model.engine == "llama.cpp"


def test_sample_of_a_remote_model() -> None:
    model = read(read_object(SEEDS / "model-azure-openai-gpt4-turbo.json"))
    assert model == Model(
        id="openai.azure.com/docs-test-001/gpt4-turbo",
        name="folder",
        created=1686935002,
        owned_by="OpenAI Azure",
        format="api",
        engine="azure_openai",
        settings={"api-version": "2023-05-15"},
        parameters={
            "temperature": 0.7,
            "max_tokens": 2048,
            "presence_penalty": 0,
            "top_p": 1,
            "stream": True,
        },
        origin="https://docs-test-001.openai.azure.com/",
        import_format="azure_openai",
    )


def test_sample_with_engine_parameters() -> None:
    model = read(read_object(SEEDS / "zephyr-7b.json"))
    assert model == Model(
        id="zephyr-7b",
        name="Zephyr 7B",
        created=1231231,
        format="gguf",
        engine="llama.cpp",
        sources=[Source(filename="zephyr-7b-beta.Q4_K_M.gguf")],
        settings={"ctx_len": 4096, "ngl": 100, "embedding": True, "n_parallel": 4},
        parameters={
            "stream": True,
            "max_tokens": 4096,
            "stop": ["<endofstring>"],
            "frequency_penalty": 0,
            "presence_penalty": 0,
            "temperature": 0.7,
            "top_p": 0.95,
        },
    )


@pytest.mark.parametrize(
    ("raw", "field", "value"),
    [
        ({"id": "/a/b"}, "id", "a/b"),
        ({"id": " x "}, "id", "x"),
        ({"id": ".."}, "id", "folder"),
        ({"id": 7}, "id", "7"),
        ({"version": 1}, "version", "1"),
        ({"version": 1.0}, "version", "1"),
        ({"version": "1"}, "version", "1"),
        ({"version": "1.0"}, "version", "1.0"),
        ({"version": 1.5}, "version", "1.5"),
        ({"created": 1686935002.5}, "created", 1686935002),
        ({"created": "1686935002"}, "created", 1686935002),
        ({"created": 1686935002000}, "created", 1686935002),
        ({"created": ""}, "created", 1_700_000_000),
        ({"owned_by": ""}, "owned_by", "you"),
        ({"description": None}, "description", None),
        ({"description": "d"}, "description", "d"),
        ({"format": "ggufv3"}, "format", "gguf"),
        ({"format": "GGUF"}, "format", "gguf"),
        ({"format": "safetensors"}, "format", "safetensors"),
        ({"engine": "nitro"}, "engine", "llama.cpp"),
        ({"engine": "Llama-CPP"}, "engine", "llama.cpp"),
        ({"engine": "not-installed"}, "engine", "not-installed"),
        ({"engine": "not-installed", "format": "gguf"}, "engine", "not-installed"),
        ({"format": "gguf"}, "engine", "llama.cpp"),
        ({"engine": "llama.cpp"}, "format", "gguf"),
        ({"engine": "api"}, "engine", "api"),
        ({"engine": "api", "import_format": "openai"}, "engine", "openai"),
        ({"import_format": "azure_openai"}, "engine", "azure_openai"),
        ({"sources": ["x.gguf"]}, "engine", "llama.cpp"),
        ({"source": [{"filename": "x.gguf"}]}, "sources", [Source(filename="x.gguf")]),
        ({"sources": {"filename": "x.gguf"}}, "sources", [Source(filename="x.gguf")]),
        ({"sources": []}, "sources", []),
        ({"sources": [{"filename": "", "url": ""}]}, "sources", []),
        (
            {"source_url": "https://h.org/a%20b.gguf?x=1"},
            "sources",
            [Source(filename="a b.gguf", url="https://h.org/a%20b.gguf?x=1")],
        ),
        ({"sources": ["a.gguf"], "source_url": "b.gguf"}, "sources", [Source(filename="a.gguf")]),
        ({"engine": "nitro", "settings": {"ngl": "12"}}, "settings", {"ngl": 12}),
        ({"engine": "nitro", "settings": {"embedding": "true"}}, "settings", {"embedding": True}),
        ({"settings": {"ngl": "12"}, "engine": "not-installed"}, "settings", {"ngl": "12"}),
        ({"prompt_template": "{prompt}"}, "settings", {"prompt_template": "{prompt}"}),
        ({"settings": {"token_limit": 5}}, "parameters", {"max_tokens": 5}),
        ({"parameters": {"token_limit": 5, "max_tokens": 6}}, "parameters", {"max_tokens": 6}),
        ({"settings": {"top_k": 1}, "parameters": {"top_k": 2}}, "parameters", {"top_k": 2}),
        ({"parameters": {"stop": "0.7"}}, "parameters", {"stop": "0.7"}),
        ({"parameters": {"reasoning_effort": "low"}}, "parameters", {"reasoning_effort": "low"}),
        ({"parameters": {"seed": None}}, "parameters", {}),
        ({"assets": ["file://x"]}, "assets", ["file://x"]),
        (
            {"settings": {"prompt_template": "T{prompt}", "user_prompt": "U"}},
            "settings",
            {"prompt_template": "T{prompt}"},
        ),
    ],
)  # fmt: skip
def test_rules(raw: dict[str, Any], field: str, value: Any) -> None:
    assert getattr(read(raw), field) == value


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ({"parameters": {"temperature": "hot"}}, "parameters.temperature"),
        ({"parameters": {"temperature": "-1"}}, "parameters.temperature"),
        ({"parameters": {"temperature": "nan"}}, "parameters.temperature"),
        ({"parameters": {"temperature": "inf"}}, "parameters.temperature"),
        ({"parameters": {"top_k": [1]}}, "parameters.top_k"),
        ({"engine": "nitro", "settings": {"ngl": "many"}}, "settings.ngl"),
        ({"settings": [1]}, "settings"),
        ({"parameters": "x"}, "parameters"),
        ({"metadata": 3}, "metadata"),
        ({"created": "yesterday"}, "created"),
        ({"created": -5}, "created"),
        ({"name": {}}, "name"),
        ({"assets": "x"}, "assets"),
        ({"sttings": {}}, "Did you mean settings?"),
    ],
)
def test_what_can_not_be_used_is_named(raw: dict[str, Any], named: str) -> None:
    model, (warning,) = read_model(raw, DEFAULTS, ENGINES)
    assert named in warning
    assert model.parameters == model.settings == {}
    assert model.created == DEFAULTS.created


def test_a_setting_that_the_engine_does_not_know_is_kept_and_named() -> None:
    model, warnings = read_model({"engine": "nitro", "settings": {"ctx_lem": 1}}, DEFAULTS, ENGINES)
    assert model.settings == {"ctx_lem": 1}
    assert warnings == [
        "settings.ctx_lem may have no effect: llama.cpp has no such setting. Did you mean ctx_len?"
    ]


@pytest.mark.parametrize(
    "raw",
    [
        {"id": ["x"]},
        {"id": "a\nb"},
        {"id": "x" * 600},
        {"sources": [3]},
        {"sources": [{"filename": 3}]},
        {"sources": [{"filename": "a\0b"}]},
        {"sources": [{"filename": "x", "url": "http://[oops"}]},
    ],
)
def test_what_leaves_no_model_is_an_error(raw: dict[str, Any]) -> None:
    with pytest.raises(ModelBrokenError) as caught:
        read_model(raw, DEFAULTS, ENGINES)
    assert "id" in caught.value.message or "source" in caught.value.message


KEYS = st.sampled_from(
    ["id", "created", "sources", "settings", "parameters", "metadata", "engine", "format", "init"]
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)


@settings(deadline=None)  # a busy machine is no error
@given(st.dictionaries(KEYS, ANYTHING))
def test_any_object_is_a_model_or_broken(raw: dict[str, Any]) -> None:
    try:
        model, _ = read_model(raw, DEFAULTS, ENGINES)
    except ModelBrokenError:
        return
    again, _ = read_model(json.loads(msgspec.json.encode(model)), DEFAULTS, ENGINES)
    assert again == model
