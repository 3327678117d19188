"""Repositories with a model.json, or with a model.yml and a branch for each variant."""

import json

import pytest
from jan_host import ImportFailedError, OriginNotFoundError

from tests.hub import Hub
from tests.plugins.huggingface.samples import CORTEX, MODEL_YML, ZEPHYR, filenames, plan_of, weights

REPO = "janhq/Tiny"


async def test_the_branch_that_metadata_yml_names_is_recommended(hub: Hub) -> None:
    plan = await plan_of(CORTEX, importer="janhq")
    assert {one.name: one.fits for one in plan.variants} == {
        "1b-gguf": True,
        "3b-gguf-q8": True,
        "70b-gguf": False,
    }
    assert plan.variant == "1b-gguf"
    assert plan.reason is not None
    assert "publisher recommends" in plan.reason
    assert filenames(plan) == ["model.gguf"]
    commit = hub.repos[CORTEX].branches["1b-gguf"].sha
    assert plan.assets[0].url == hub.resolve_url(CORTEX, "model.gguf", commit)


async def test_a_branch_that_is_too_large_gives_way(hub: Hub) -> None:
    hub.repos[CORTEX].commit({"metadata.yml": "default: 70b-gguf"})
    assert (await plan_of(CORTEX, importer="janhq")).variant == "3b-gguf-q8"


@pytest.mark.parametrize("origin", [f"{CORTEX}:3b-gguf-q8", f"{CORTEX}@3b-gguf-q8"])
async def test_a_branch_is_named(hub: Hub, origin: str) -> None:
    plan = await plan_of(origin, importer="janhq")
    assert plan.assets[0].size == 300_000
    assert plan.model.id == "llama3.2-3b-gguf-q8"
    assert plan.model.origin == f"{CORTEX}@3b-gguf-q8"


async def test_model_yml_says_how_to_run_it(hub: Hub) -> None:
    plan = await plan_of(CORTEX, importer="janhq")
    model = plan.model
    assert (model.name, model.version, model.format) == ("Llama 3.2", "2", "gguf")
    assert model.settings == {
        "prompt_template": "<|start|>{system_message}<|user|>{prompt}<|assistant|>",
        "ctx_len": 8192,
        "ngl": 34,
    }
    assert model.parameters == {
        "stop": ["<|eot_id|>"],
        "stream": True,
        "top_p": 0.9,
        "temperature": 0.7,
        "typical_p": 1.0,
        "max_tokens": 4096,
    }
    assert plan.warnings == []


async def test_a_value_that_can_not_be_used_is_named(hub: Hub) -> None:
    text = MODEL_YML.replace("top_p: 0.9", "top_p: much").replace("ngl: 34", "ngl: [1]")
    hub.repos[CORTEX].commit({"model.yml": text}, "1b-gguf")
    plan = await plan_of(CORTEX, importer="janhq")
    assert "top_p" not in plan.model.parameters
    assert [warning.split(" ")[0] for warning in plan.warnings] == ["top_p", "ngl"]


async def test_a_single_model_yml(hub: Hub) -> None:
    hub.add(REPO, {"model.yml": MODEL_YML, "tiny.gguf": weights(100), "README.md": "x"})
    plan = await plan_of(REPO, importer="janhq")
    assert filenames(plan) == ["tiny.gguf"]
    assert (plan.model.id, plan.model.settings["ctx_len"]) == ("Tiny", 8192)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "no YAML"),
        ("- a", "no mapping"),
        ("!!python/object/apply:os.system ['true']", "no YAML"),
        ("a" * 70_000, "too large"),
        ("[" * 20_000, "no YAML"),
        ("x: \xff", None),
        (BOMB, None),
        (BOMB + "\nstop: *i\nname: *h\n", None),
    ],
)
async def test_hostile_yaml(hub: Hub, text: str, word: str | None) -> None:
    hub.add(REPO, {"model.yml": text, "tiny.gguf": weights(100)})
    if word is not None:
        with pytest.raises(ImportFailedError, match=word):
            await plan_of(REPO, importer="janhq")
    else:
        plan = await plan_of(REPO, importer="janhq")
        assert len(str(plan)) < 5000


MODEL_JSON = {
    "id": "tiny-own",
    "name": "Tiny",
    "version": 1.0,
    "description": "A tiny one.",
    "format": "ggufv3",
    "engine_parameters": {"ctx_len": "2048", "ngl": 10},
    "model_parameters": {"temperature": 0.5, "token_limit": 100, "stop": []},
    "metadata": {"author": "Jan", "tags": ["x"], "cover": "https://example.org/x.png"},
}


async def test_model_json_says_how_to_run_it(hub: Hub) -> None:
    hub.add(REPO, {"model.json": json.dumps(MODEL_JSON), "tiny.Q4_0.gguf": weights(100)})
    model = (await plan_of(REPO, importer="janhq")).model
    assert (model.id, model.name, model.version, model.description) == (
        "tiny-own",
        "Tiny",
        "1",
        "A tiny one.",
    )
    assert model.settings == {"ctx_len": 2048, "ngl": 10}
    assert model.parameters == {"temperature": 0.5, "max_tokens": 100}
    assert model.metadata["cover"] == "https://example.org/x.png"
    assert model.format == "gguf"


async def test_model_json_may_name_files_of_another_repository_of_the_hub(hub: Hub) -> None:
    url = f"https://huggingface.co/{ZEPHYR}/resolve/main/zephyr-7b-beta.Q2_K.gguf"
    told = {**MODEL_JSON, "sources": [{"filename": "zephyr-7b-beta.Q2_K.gguf", "url": url}]}
    hub.add(REPO, {"model.json": json.dumps(told)})
    plan = await plan_of(REPO, importer="janhq")
    assert filenames(plan) == ["zephyr-7b-beta.Q2_K.gguf"]
    assert plan.assets[0].sha256 == weights(3_083_000).sha256
    assert plan.model.settings == {"ctx_len": 2048, "ngl": 10}
    assert plan.model.origin == REPO


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/x.gguf", "file:///etc/passwd", "https://evil.example/x"]
)
async def test_and_no_files_elsewhere(hub: Hub, url: str) -> None:
    hub.add(REPO, {"model.json": json.dumps({**MODEL_JSON, "sources": [{"filename": "x.gguf", "url": url}]})})
    with pytest.raises(ImportFailedError, match="neither in it nor in another repository"):
        await plan_of(REPO, importer="janhq")


@pytest.mark.parametrize("text", ["{", "[]", "<html>", '{"a":' * 3000])
async def test_a_model_json_that_is_none(hub: Hub, text: str) -> None:
    hub.add(REPO, {"model.json": text, "tiny.gguf": weights(100)})
    with pytest.raises(ImportFailedError, match=r"model\.json of janhq/Tiny can't be read"):
        await plan_of(REPO, importer="janhq")


async def test_without_either_it_is_a_repository_like_others(hub: Hub) -> None:
    hub.add(REPO, {"tiny.Q4_0.gguf": weights(100), "tiny.Q8_0.gguf": weights(200)})
    plan = await plan_of(f"{REPO}:Q4_0", importer="janhq")
    assert (plan.importer, plan.model.import_format, plan.variant) == ("janhq", "janhq", "Q4_0")


async def test_a_branch_that_is_not_there(hub: Hub) -> None:
    with pytest.raises(OriginNotFoundError, match="1b-gguf, 3b-gguf-q8, 70b-gguf"):
        await plan_of(f"{CORTEX}:8b", importer="janhq")
