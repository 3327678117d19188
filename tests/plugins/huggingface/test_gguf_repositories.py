"""Repositories of GGUF files: quantizations, shards, projectors, and what is written of them."""

import pytest
from jan_host import ImportFailedError, OriginNotFoundError

from tests.hub import Hub
from tests.plugins.huggingface.samples import (
    LLAVA,
    SPLIT,
    VISION,
    ZEPHYR,
    filenames,
    plan_of,
    sources,
    weights,
)


async def test_the_best_quantization_that_fits_is_recommended(hub: Hub) -> None:
    plan = await plan_of(ZEPHYR, importer="thebloke")
    assert filenames(plan) == ["zephyr-7b-beta.Q4_K_M.gguf"]
    assert plan.variant == "Q4_K_M"
    assert plan.reason is not None
    assert plan.reason.startswith("Q4_K_M: the best")
    assert {one.name: one.fits for one in plan.variants} == {
        "Q2_K": True,
        "Q3_K_L": True,
        "Q4_0": True,
        "Q4_K_M": True,
        "Q4_K_S": True,
        "Q8_0": False,
    }


async def test_a_plan_reads_metadata_alone(hub: Hub) -> None:
    await plan_of(ZEPHYR, importer="thebloke")
    assert [one.path for one in hub.seen] == [f"/api/models/{ZEPHYR}"]


async def test_assets_are_of_the_commit_that_was_looked_at(hub: Hub) -> None:
    plan = await plan_of(ZEPHYR, "Q2_K", importer="thebloke")
    commit = hub.repos[ZEPHYR].branches["main"].sha
    (asset,) = plan.assets
    assert asset.url == hub.resolve_url(ZEPHYR, "zephyr-7b-beta.Q2_K.gguf", commit)
    assert asset.sha256 == weights(3_083_000).sha256
    assert asset.size == 3_083_000
    assert asset.headers == {}
    assert plan.model.sources[0].url == hub.resolve_url(ZEPHYR, "zephyr-7b-beta.Q2_K.gguf")


async def test_the_model_json_tells_what_the_hub_does(hub: Hub) -> None:
    model = (await plan_of(ZEPHYR, "Q2_K", importer="thebloke")).model
    assert (model.id, model.owned_by, model.format) == ("zephyr-7B-beta-Q2_K", "TheBloke", "gguf")
    assert (model.origin, model.import_format) == (f"{ZEPHYR}:Q2_K", "thebloke")
    assert model.metadata == {
        "author": "TheBloke",
        "license": "mit",
        "tags": ["gguf", "mistral"],
        "size": 3_083_000,
        "quantization": "Q2_K",
        "parameter_count": 7241732096,
        "architecture": "llama",
        "context_length": 32768,
        "base_model": "HuggingFaceH4/zephyr-7b-beta",
        "languages": ["en"],
        "task": "text-generation",
        "revision": hub.repos[ZEPHYR].branches["main"].sha,
    }


@pytest.mark.parametrize(
    "wanted",
    [
        "Q2_K",
        "q2_k",
        "zephyr-7b-beta.Q2_K.gguf",
        "zephyr-7b-beta.Q2_K",
        "https://huggingface.co/TheBloke/zephyr-7B-beta-GGUF/resolve/main/zephyr-7b-beta.Q2_K.gguf?download=tru"
        "e",
    ],
)
async def test_a_variant_is_named_by_quantization_file_or_address(hub: Hub, wanted: str) -> None:
    plan = await plan_of(ZEPHYR, wanted, importer="thebloke")
    assert filenames(plan) == ["zephyr-7b-beta.Q2_K.gguf"]


@pytest.mark.parametrize(
    "origin",
    [
        f"{ZEPHYR}:Q2_K",
        f"{ZEPHYR}/zephyr-7b-beta.Q2_K.gguf",
        f"https://huggingface.co/{ZEPHYR}/blob/main/zephyr-7b-beta.Q2_K.gguf",
        "zephyr-7B-beta-GGUF:Q2_K",
    ],
)
async def test_or_in_the_origin(hub: Hub, origin: str) -> None:
    assert filenames(await plan_of(origin, importer="thebloke")) == ["zephyr-7b-beta.Q2_K.gguf"]


async def test_a_plans_own_origin_brings_the_same_file(hub: Hub) -> None:
    first = await plan_of(ZEPHYR, importer="thebloke")
    assert first.model.origin is not None
    again = await plan_of(first.model.origin, importer="thebloke", memory=0)
    assert (again.model, again.assets) == (first.model, first.assets)


async def test_a_repository_of_two_binaries_comes_whole(hub: Hub) -> None:
    plan = await plan_of(LLAVA)
    assert filenames(plan) == ["ggml-model-q4_k.gguf", "mmproj-model-f16.gguf", "README.md"]
    assert sources(plan) == ["ggml-model-q4_k.gguf", "mmproj-model-f16.gguf"]
    assert plan.model.id == "ggml_llava-v1.5-13b"
    assert plan.model.settings == {"vision_model": True, "mmproj": "mmproj-model-f16.gguf"}
    readme = plan.assets[-1]
    assert (readme.sha256, readme.size) == (None, 7)
    assert readme.git_sha1 is not None


async def test_each_variant_has_the_best_projector_and_none_is_one(hub: Hub) -> None:
    plan = await plan_of(VISION)
    assert [one.name for one in plan.variants] == ["F16", "Q4_K_M"]
    assert filenames(plan) == ["Vision-F16.gguf", "mmproj-Vision-F16.gguf"]
    plan = await plan_of(f"{VISION}:Q4_K_M")
    assert filenames(plan) == ["Vision-Q4_K_M.gguf", "mmproj-Vision-F16.gguf"]
    with pytest.raises(OriginNotFoundError, match="no model itself"):
        await plan_of(f"{VISION}:mmproj-Vision-F32.gguf")


async def test_a_projector_goes_to_the_model_that_it_is_called_like(hub: Hub) -> None:
    files = {f"{name}-Q4_K_M.gguf": weights(100) for name in ("eye-2b", "eye-8b")}
    hub.add(
        "org/eyes", {**files, "mmproj-eye-2b-F16.gguf": weights(1), "mmproj-eye-8b-Q8_0.gguf": weights(2)}
    )
    plan = await plan_of("org/eyes:eye-8b-Q4_K_M")
    assert filenames(plan) == ["eye-8b-Q4_K_M.gguf", "mmproj-eye-8b-Q8_0.gguf"]


async def test_shards_are_one_model_and_the_first_is_loaded(hub: Hub) -> None:
    plan = await plan_of(SPLIT)
    assert {one.name: one.size for one in plan.variants} == {"Q8_0": 7000, "UD-Q4_K_XL": 6003, "IQ1_S": 900}
    assert sources(plan) == ["Q8_0/Big-Q8_0-00001-of-00002.gguf", "Q8_0/Big-Q8_0-00002-of-00002.gguf"]
    plan = await plan_of(f"{SPLIT}:Q8_0/Big-Q8_0-00002-of-00002.gguf")
    assert plan.variant == "Q8_0"
    plan = await plan_of(f"https://huggingface.co/{SPLIT}/tree/main/UD-Q4_K_XL")
    assert plan.variant == "UD-Q4_K_XL"
    assert len(plan.assets) == 3


async def test_an_incomplete_set_of_shards_says_what_is_missing(hub: Hub) -> None:
    hub.add("org/half", {"half-00001-of-00002.gguf": weights(10)})
    with pytest.raises(ImportFailedError, match=r"lacks 'half-00002-of-00002\.gguf'"):
        await plan_of("org/half")


async def test_one_quantization_of_two_models_is_told_apart_by_the_files_names(hub: Hub) -> None:
    hub.add("org/two", {"a.Q4_0.gguf": weights(10), "b.Q4_0.gguf": weights(20)})
    plan = await plan_of("org/two:a.Q4_0")
    assert [one.name for one in plan.variants] == ["a.Q4_0", "b.Q4_0"]
    assert plan.model.id == "two-a.Q4_0"


async def test_a_revision_is_followed(hub: Hub) -> None:
    hub.repos[ZEPHYR].branches["old"] = hub.repos[ZEPHYR].commit({"zephyr.Q5_K_M.gguf": weights(10)}, "old")
    plan = await plan_of(f"{ZEPHYR}@old")
    assert filenames(plan) == ["zephyr.Q5_K_M.gguf"]
    assert plan.model.origin == f"{ZEPHYR}@old"
    assert plan.model.sources[0].url == hub.resolve_url(ZEPHYR, "zephyr.Q5_K_M.gguf", "old")


async def test_a_renamed_repository_is_planned_under_its_new_name(hub: Hub) -> None:
    hub.renamed["TheBloke/zephyr-GGUF"] = ZEPHYR
    plan = await plan_of("TheBloke/zephyr-GGUF:Q2_K", importer="thebloke")
    assert plan.model.origin == f"{ZEPHYR}:Q2_K"


@pytest.mark.parametrize("what", ["Q9_9", "none.gguf", "README.md"])
async def test_a_variant_that_is_not_there_is_refused_with_what_there_is(hub: Hub, what: str) -> None:
    with pytest.raises(OriginNotFoundError, match=r"Q2_K"):
        await plan_of(f"{ZEPHYR}:{what}")


async def test_a_repository_without_a_model_says_what_it_has(hub: Hub) -> None:
    hub.add("org/text", {"README.md": "x", "notes.txt": "y"})
    with pytest.raises(ImportFailedError, match=r"holds no model file .* It has: README.md, notes.txt"):
        await plan_of("org/text")
