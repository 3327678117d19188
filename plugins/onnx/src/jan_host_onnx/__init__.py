"""The ONNX Runtime engine of jan-host: embeddings, rerank and text generation.

Reading order: `engine` (the door), `settings`, `layouts` (what a model's files are) with `graph`,
`purpose`, `variants` and `sentence`, then `tokenizer`, `sessions` (`optimized`, `rounding`, `narrowing`), and
what runs: `embedding`, `reranking` and `generation`.
"""

from collections.abc import Iterable

from jan_host import Engine, PluginContext, hookimpl

from jan_host_onnx.engine import OnnxEngine


@hookimpl
def jan_engines(context: PluginContext) -> Iterable[Engine]:
    """The engine onnxruntime."""
    return [OnnxEngine(context.data_folder / "optimized")]
