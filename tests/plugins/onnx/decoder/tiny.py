"""A decoder of some kilobytes that says nothing sensible, and always the same: for layouts, and for harm."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from tests.plugins.onnx.decoder.graph import DecoderGraph, Variant
from tests.plugins.onnx.decoder.weights import Array, Shape

CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True)
class TinyWeights:
    """Random tensors of the Llama architecture, by the names that a GGUF file gives them."""

    shape: Shape = field(
        default_factory=lambda: Shape(
            layers=2,
            hidden=64,
            heads=4,
            kv_heads=2,
            head_dim=16,
            vocabulary=256 + len(CONTROL),
            intermediate=128,
            context=512,
            rope_theta=10000.0,
            epsilon=1e-5,
        )
    )

    def get(self, name: str) -> Array:
        """See `Tensors.get`."""
        shape, part = self.shape, name.removesuffix(".weight").rpartition(".")[2]
        width = shape.kv_heads * shape.head_dim
        sizes: dict[str, tuple[int, ...]] = {
            "token_embd": (shape.vocabulary, shape.hidden),
            "attn_q": (shape.hidden, shape.hidden),
            "attn_k": (width, shape.hidden),
            "attn_v": (width, shape.hidden),
            "attn_output": (shape.hidden, shape.hidden),
            "ffn_gate": (shape.intermediate, shape.hidden),
            "ffn_up": (shape.intermediate, shape.hidden),
            "ffn_down": (shape.hidden, shape.intermediate),
        }
        if part.endswith("norm"):
            return np.ones(shape.hidden, np.float32)
        random = np.random.default_rng([ord(letter) for letter in name])
        return (random.standard_normal(sizes[part]) * 0.2).astype(np.float32)

    def rotated(self, name: str, heads: int) -> Array:
        """See `Tensors.rotated`."""
        return self.get(name)


def write_tiny(
    folder: Path,
    variant: Variant | None = None,
    *,
    change: Callable[[onnx.ModelProto], None] | None = None,
    **documents: Any,
) -> Path:
    """Write the model into `folder`.

    Args:
        folder: Where; made.
        variant: How its graph is written.
        change: Applied to the graph.
        documents: Fields of JSON files that replace the usual, by the files' names without an end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.onnx"
    weights = TinyWeights()
    DecoderGraph(weights, variant or Variant()).save(path)
    model = onnx.load(path)
    path.with_name(path.name + "_data").unlink()
    if change is not None:
        change(model)
    onnx.save(model, path)
    files: dict[str, dict[str, Any]] = {
        "config": {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "eos_token_id": 258,
            "max_position_embeddings": weights.shape.context,
        },
        "tokenizer_config": {"eos_token": CONTROL[2], "chat_template": TEMPLATE},
    }
    for name in {**files, **documents}:
        fields = {**files.get(name, {}), **documents.get(name, {})}
        (folder / f"{name}.json").write_text(json.dumps(fields))
    tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def tokenizer() -> Tokenizer:
    """A token for each byte, and control tokens behind them."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    found = Tokenizer(models.BPE({letter: index for index, letter in enumerate(letters)}, []))
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    found.decoder = decoders.ByteLevel()
    found.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in CONTROL])
    return found


def quantize(model: onnx.ModelProto) -> None:
    """Make it what hubs call ``model_quantized``: 8 bits, activations rounded by a scale of the run."""
    from onnxruntime.quantization import quantize_dynamic

    with TemporaryDirectory() as folder:
        whole, small = Path(folder, "whole.onnx"), Path(folder, "small.onnx")
        onnx.save(model, whole)
        quantize_dynamic(whole, small, extra_options={"DefaultTensorType": TensorProto.FLOAT})
        model.CopyFrom(onnx.load(small))


def quantize_and_merge(model: onnx.ModelProto) -> None:
    """Both: ``decoder_model_merged_quantized``."""
    quantize(model)
    merge(model)


def merge(model: onnx.ModelProto) -> None:
    """Make it a merged decoder as optimum writes it: ``use_cache_branch`` chooses between two graphs.

    The branch without a cache takes no notice of the past, whatever is given for it.
    """
    graph = model.graph
    nodes, outputs = list(graph.node), list(graph.output)
    past = [value.name for value in graph.input if value.name.startswith("past")]
    branches = [
        helper.make_graph(
            [*([] if cached else _forgetting(past)), *_renamed(nodes, outputs, past, cached=cached)],
            "with_past" if cached else "without_past",
            [],
            [_inner(value, cached) for value in outputs],
        )
        for cached in (True, False)
    ]
    del graph.node[:]
    graph.input.append(helper.make_tensor_value_info("use_cache_branch", TensorProto.BOOL, [1]))
    graph.node.append(
        helper.make_node(
            "If",
            ["use_cache_branch"],
            [value.name for value in outputs],
            then_branch=branches[0],
            else_branch=branches[1],
        )
    )


def _suffix(cached: bool) -> str:
    return "_with_past" if cached else "_without_past"


def _inner(value: onnx.ValueInfoProto, cached: bool) -> onnx.ValueInfoProto:
    found = onnx.ValueInfoProto()
    found.CopyFrom(value)
    found.name += _suffix(cached)
    return found


def _forgetting(past: list[str]) -> list[onnx.NodeProto]:
    none = helper.make_tensor("none", TensorProto.INT64, [1], [0])
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [2])
    constants = [
        helper.make_node("Constant", [], ["forgotten_none"], value=none),
        helper.make_node("Constant", [], ["forgotten_axis"], value=axis),
    ]
    return constants + [
        helper.make_node(
            "Slice", [name, "forgotten_none", "forgotten_none", "forgotten_axis"], [f"{name}_forgotten"]
        )
        for name in past
    ]


def _renamed(
    nodes: list[onnx.NodeProto], outputs: list[onnx.ValueInfoProto], past: list[str], *, cached: bool
) -> list[onnx.NodeProto]:
    names = {name: name + _suffix(cached) for node in nodes for name in node.output}
    if not cached:
        names |= {name: f"{name}_forgotten" for name in past}
    found = []
    for node in nodes:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.name += _suffix(cached)
        copy.input[:] = [names.get(name, name) for name in node.input]
        copy.output[:] = [names.get(name, name) for name in node.output]
        found.append(copy)
    return found
