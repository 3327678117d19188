"""Repositories of ONNX graphs, and of weights that no engine may run: which files belong together."""

import pytest
from jan_host import ImportFailedError, OriginNotFoundError

from tests.hub import Hub
from tests.plugins.huggingface.samples import (
    COMMUNITY,
    GENAI,
    PLAIN,
    SENTENCES,
    filenames,
    plan_of,
    sources,
    weights,
)

SUPPORT = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"]


async def test_number_formats_are_variants(hub: Hub) -> None:
    plan = await plan_of(COMMUNITY)
    names = {one.name for one in plan.variants}
    assert names == {"fp32", "fp16", "q4", "q4f16", "int8", "uint8", "bnb4", "quantized"}
    assert plan.model.format == "onnx"
    assert plan.variant == "fp32"
    external = ["onnx/model.onnx_data", "onnx/model.onnx_data_1"]
    assert filenames(plan) == ["onnx/model.onnx", *external, *SUPPORT]


@pytest.mark.parametrize(
    ("variant", "data"), [("q4", ["onnx/model_q4.onnx_data"]), ("fp16", []), ("q4f16", []), ("int8", [])]
)
async def test_each_has_its_own_weights_and_the_common_files(hub: Hub, variant: str, data: list[str]) -> None:
    plan = await plan_of(f"{COMMUNITY}:{variant}")
    assert filenames(plan) == [f"onnx/model_{variant}.onnx", *data, *SUPPORT]
    assert sources(plan) == filenames(plan)
    assert plan.model.id == f"Tiny-Instruct-{variant}"


async def test_a_graph_is_named_by_its_file(hub: Hub) -> None:
    plan = await plan_of(f"https://huggingface.co/{COMMUNITY}/blob/main/onnx/model_q4.onnx")
    assert plan.variant == "q4"
    assert len(plan.assets) == 7


async def test_a_file_that_belongs_to_all_variants_is_none(hub: Hub) -> None:
    with pytest.raises(OriginNotFoundError, match="holds no model"):
        await plan_of(f"{COMMUNITY}:tokenizer.json")


async def test_models_of_several_graphs_take_all_of_one_format(hub: Hub) -> None:
    parts = ("encoder_model", "decoder_model_merged")
    graphs = {f"onnx/{part}{suffix}.onnx": weights(10) for part in parts for suffix in ("", "_q4")}
    hub.add("org/parts", {**graphs, "onnx/encoder_model_fp16.onnx": weights(5), "config.json": "{}"})
    plan = await plan_of("org/parts:q4")
    assert [one.name for one in plan.variants] == ["fp32", "q4"]
    assert filenames(plan) == [
        "onnx/decoder_model_merged_q4.onnx",
        "onnx/encoder_model_q4.onnx",
        "config.json",
    ]


async def test_sentence_transformers_bring_their_modules(hub: Hub) -> None:
    plan = await plan_of(f"{SENTENCES}:fp32")
    assert [one.name for one in plan.variants] == ["fp32", "O3", "qint8_avx512_vnni"]
    assert filenames(plan) == [
        "onnx/model.onnx",
        "1_Pooling/config.json",
        "2_Dense/config.json",
        "2_Dense/model.safetensors",
        "config.json",
        "generation_config.json",
        "modules.json",
        "sentence_bert_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
    ]


async def test_a_folder_of_genai_is_a_variant_with_all_that_is_in_it(hub: Hub) -> None:
    plan = await plan_of(GENAI)
    assert {one.name: one.fits for one in plan.variants} == {"cpu/cpu-int4": True, "cuda/cuda-fp16": True}
    plan = await plan_of(f"https://huggingface.co/{GENAI}/tree/main/cpu")
    assert filenames(plan) == [
        f"cpu/cpu-int4/{name}"
        for name in (
            "phi.onnx",
            "genai_config.json",
            "phi.onnx.data",
            "special_tokens_map.json",
            "tokenizer.json",
        )
    ]
    assert "/" not in plan.model.id


async def test_a_graph_at_the_top(hub: Hub) -> None:
    hub.add("org/top", {"model.onnx": weights(9), "tokenizer.json": "{}", "data/train.json": "{}"})
    plan = await plan_of("org/top")
    assert filenames(plan) == ["model.onnx", "tokenizer.json"]
    assert plan.model.id == "top"


async def test_other_weights_come_whole_with_their_structure(hub: Hub) -> None:
    plan = await plan_of(PLAIN)
    assert plan.model.format == "safetensors"
    assert filenames(plan) == [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "code/extra.py",
        "config.json",
        "model.safetensors.index.json",
    ]
    assert plan.model.metadata["parameter_count"] == 55
    assert plan.size() == 110 + 2 + 2 + 4


async def test_one_file_alone_where_it_is_asked_for(hub: Hub) -> None:
    hub.add("org/bins", {"a.bin": weights(1), "b.pt": weights(2), "notes.txt": "x"})
    plan = await plan_of("org/bins:b.pt")
    assert (filenames(plan), plan.model.format) == (["b.pt"], "pytorch")
    assert plan.model.origin == "org/bins:b.pt"


async def test_a_folder_without_a_model(hub: Hub) -> None:
    with pytest.raises(ImportFailedError, match="no model in 'nowhere'"):
        await plan_of(f"https://huggingface.co/{GENAI}/tree/main/nowhere")
