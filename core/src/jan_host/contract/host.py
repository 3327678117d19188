"""The host as a plugin sees it: the same services that the core's own API uses."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from jan_host.contract.chat import ChatRequest
from jan_host.contract.completion import CompletionRequest
from jan_host.contract.events import Event
from jan_host.contract.generation import Delta
from jan_host.contract.model import ModelInfo
from jan_host.contract.vectors import (
    EmbeddingRequest,
    EmbeddingResult,
    RerankRequest,
    RerankResult,
)


class Host(Protocol):
    """Models and what they can do. A request for a model that is not running starts it.

    Where a model's id is ``None``, the only running model is meant. Every method raises
    `ModelNotFoundError` for an unknown id and `UnsupportedError` for a model that can't do
    what is asked; the generating methods raise by their first step.
    """

    def models(self) -> Sequence[ModelInfo]:
        """All models, sorted by id, broken ones included."""
        ...

    def model(self, model_id: str) -> ModelInfo:
        """One model."""
        ...

    def chat(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """Answer a conversation. Closing the iterator cancels the work."""
        ...

    def complete(self, request: CompletionRequest) -> AsyncIterator[Delta]:
        """Continue one or several prompts; choice ``i`` of prompt ``p`` has index ``p * n + i``."""
        ...

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        """Turn texts into vectors."""
        ...

    async def rerank(self, request: RerankRequest) -> RerankResult:
        """Score documents against a query."""
        ...

    async def tokenize(self, model_id: str | None, text: str) -> list[int]:
        """The ids of a text's tokens."""
        ...

    async def detokenize(self, model_id: str | None, tokens: Sequence[int]) -> str:
        """The text of some tokens."""
        ...

    async def start(self, model_id: str, overrides: Mapping[str, Any] | None = None) -> ModelInfo:
        """Start a model and wait until it is ready; `overrides` go over its settings."""
        ...

    async def stop(self, model_id: str) -> ModelInfo:
        """Let the running requests end, then free the model's memory."""
        ...

    def subscribe(self) -> AsyncIterator[Event]:
        """Everything that happens from now on. A subscriber that falls far behind misses events."""
        ...
