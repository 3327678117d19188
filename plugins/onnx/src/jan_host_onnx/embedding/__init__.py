"""Embedding models: from texts to vectors.

Reading order: `model` (the capability), `output` (which output of the graph), `pooling`.
"""

from jan_host_onnx.embedding.model import load_embedder

__all__ = ["load_embedder"]
