"""Repositories as people publish them, with little in their files."""

import functools
from collections.abc import Mapping
from typing import Any

import msgspec
from jan_host import ImportOptions, ImportPlan
from jan_host_huggingface.importers import DefaultImporter, JanHQImporter, TheBlokeImporter
from jan_host_huggingface.settings import Settings

from tests.hub import Generated, Hub

ZEPHYR = "TheBloke/zephyr-7B-beta-GGUF"
LLAVA = "mys/ggml_llava-v1.5-13b"
SPLIT = "unsloth/Big-GGUF"
VISION = "ggml-org/Vision-GGUF"
COMMUNITY = "onnx-community/Tiny-Instruct-ONNX"
SENTENCES = "sentence-transformers/all-Mini"
GENAI = "microsoft/Phi-mini-onnx"
PLAIN = "org/plain"
CORTEX = "cortexso/llama3.2"
MEMORY = 10_000_000

IMPORTERS = {one.name: one for one in (DefaultImporter, TheBlokeImporter, JanHQImporter)}

MODEL_YML = """\
# BEGIN GENERAL GGUF METADATA
id: llama3.2
model: llama3.2:1b
name: Llama 3.2
version: 2
# BEGIN INFERENCE PARAMETERS
stop: # tokens
  - <|eot_id|>
stream: true
top_p: 0.9
temperature: "0.7"
typ_p: 1
max_tokens: 4096
grammar: ""
n_probs: 0
# BEGIN MODEL LOAD PARAMETERS
engine: llama-cpp
prompt_template: "<|start|>{system_message}<|user|>{prompt}<|assistant|>"
ctx_len: 8192
ngl: 34
"""


@functools.cache
def weights(size: int) -> Generated:
    return Generated(size, seed=size)


def fill(hub: Hub) -> None:
    """All samples."""
    sizes = {"Q2_K": 3083, "Q3_K_L": 3822, "Q4_0": 4109, "Q4_K_M": 4368, "Q4_K_S": 4140, "Q8_0": 7696}
    hub.add(
        ZEPHYR,
        {f"zephyr-7b-beta.{name}.gguf": weights(size * 1000) for name, size in sizes.items()}
        | {"README.md": "# zephyr", "config.json": "{}", ".gitattributes": "*.gguf filter=lfs"},
        info={
            "cardData": {"license": "mit", "base_model": "HuggingFaceH4/zephyr-7b-beta", "language": ["en"]},
            "tags": ["gguf", "mistral", "license:mit", "region:us", "endpoints_compatible"],
            "pipeline_tag": "text-generation",
            "gguf": {"total": 7241732096, "architecture": "llama", "context_length": 32768},
        },
    )
    llava = {"ggml-model-q4_k.gguf": weights(7000), "mmproj-model-f16.gguf": weights(600)}
    hub.add(LLAVA, {**llava, "README.md": "# llava", ".gitattributes": "x"})
    _fill_gguf(hub)
    _fill_onnx(hub)
    hub.add(
        PLAIN,
        {
            "model-00001-of-00002.safetensors": weights(50),
            "model-00002-of-00002.safetensors": weights(60),
            "model.safetensors.index.json": "{}",
            "config.json": "{}",
            "code/extra.py": "pass",
            ".gitattributes": "x",
        },
        info={"safetensors": {"parameters": {"F16": 55}, "total": 55}},
    )
    cortex = hub.add(CORTEX, {"README.md": "# llama", "metadata.yml": "version: 1\ndefault: 1b-gguf\n"})
    for branch, size in {"1b-gguf": 100_000, "3b-gguf-q8": 300_000, "70b-gguf": 70_000_000}.items():
        cortex.commit({"model.gguf": weights(size), "model.yml": MODEL_YML, "metadata.yml": "x: 1"}, branch)
    cortex.commit({"notes.txt": "no model"}, "notes")


def _fill_gguf(hub: Hub) -> None:
    hub.add(
        SPLIT,
        {
            "Q8_0/Big-Q8_0-00001-of-00002.gguf": weights(4000),
            "Q8_0/Big-Q8_0-00002-of-00002.gguf": weights(3000),
            "UD-Q4_K_XL/Big-UD-Q4_K_XL-00001-of-00003.gguf": weights(2000),
            "UD-Q4_K_XL/Big-UD-Q4_K_XL-00002-of-00003.gguf": weights(2001),
            "UD-Q4_K_XL/Big-UD-Q4_K_XL-00003-of-00003.gguf": weights(2002),
            "BF16/Big-BF16-00001-of-00002.gguf": weights(9000),
            "Big-IQ1_S.gguf": weights(900),
            "imatrix_unsloth.gguf": weights(10),
            "config.json": "{}",
        },
    )
    hub.add(
        VISION,
        {
            "Vision-Q4_K_M.gguf": weights(400),
            "Vision-F16.gguf": weights(1600),
            "mmproj-Vision-F32.gguf": weights(64),
            "mmproj-Vision-BF16.gguf": weights(33),
            "mmproj-Vision-F16.gguf": weights(32),
            "mmproj-Vision-Q8_0.gguf": weights(16),
        },
    )


def _fill_onnx(hub: Hub) -> None:
    top = dict.fromkeys(
        ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"),
        "{}",
    )
    formats = ("", "_fp16", "_q4", "_q4f16", "_int8", "_uint8", "_bnb4", "_quantized")
    graphs: dict[str, Any] = {f"onnx/model{one}.onnx": weights(100 + len(one)) for one in formats}
    data = {
        "onnx/model.onnx_data": weights(4000),
        "onnx/model.onnx_data_1": weights(4001),
        "onnx/model_q4.onnx_data": weights(500),
    }
    hub.add(COMMUNITY, {**top, **graphs, **data, "README.md": "# x", ".gitattributes": "x"})
    hub.add(
        SENTENCES,
        {
            **top,
            "modules.json": "[]",
            "sentence_bert_config.json": "{}",
            "1_Pooling/config.json": "{}",
            "2_Dense/config.json": "{}",
            "2_Dense/model.safetensors": weights(20),
            "2_Dense/pytorch_model.bin": weights(21),
            "onnx/model.onnx": weights(90),
            "onnx/model_O3.onnx": weights(91),
            "onnx/model_qint8_avx512_vnni.onnx": weights(30),
            "openvino/openvino_model.bin": weights(80),
            "pytorch_model.bin": weights(92),
            "model.safetensors": weights(93),
            "train_script.py": "pass",
        },
    )
    _fill_genai(hub)


def _fill_genai(hub: Hub) -> None:
    genai = ("genai_config.json", "tokenizer.json", "special_tokens_map.json")
    hub.add(
        GENAI,
        {"README.md": "# phi", "config.json": "{}"}
        | {f"cpu/cpu-int4/{name}": "{}" for name in genai}
        | {"cpu/cpu-int4/phi.onnx": weights(300), "cpu/cpu-int4/phi.onnx.data": weights(3000)}
        | {f"cuda/cuda-fp16/{name}": "{}" for name in genai}
        | {"cuda/cuda-fp16/model.onnx": weights(310), "cuda/cuda-fp16/model.onnx.data": weights(9000)},
    )


async def plan_of(
    origin: str,
    variant: str | None = None,
    *,
    importer: str = "default",
    settings: Mapping[str, Any] | None = None,
    memory: int = MEMORY,
) -> ImportPlan:
    """What an importer plans."""
    made = IMPORTERS[importer](msgspec.convert(dict(settings or {}), Settings))
    return await made.resolve(origin, ImportOptions(memory=memory, variant=variant))


def filenames(plan: ImportPlan) -> list[str]:
    return [asset.filename for asset in plan.assets]


def sources(plan: ImportPlan) -> list[str]:
    return [source.filename for source in plan.model.sources]
