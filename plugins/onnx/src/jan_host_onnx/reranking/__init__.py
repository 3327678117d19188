"""Rerankers (cross-encoders): from a query and a document, read together, to a score.

Reading order: `model` (the capability), `scores`.
"""

from jan_host_onnx.reranking.model import load_reranker

__all__ = ["load_reranker"]
