"""Models of the runtime as the rest of the host sees them, wherever they live."""

from collections.abc import AsyncIterator, Iterable, Sequence
from functools import cache
from typing import Any, Protocol, cast

from jan_host.contract.chat import ChatRequest
from jan_host.contract.completion import CompletionRequest
from jan_host.contract.engine import LoadedModel
from jan_host.contract.generation import Delta
from jan_host.contract.vectors import EmbeddingRequest, EmbeddingResult, RerankRequest, RerankResult


class Caller(Protocol):
    """Carries calls to where the model is. Errors are those of the tree, and no others."""

    def stream(self, method: str, request: Any) -> AsyncIterator[Delta]:
        """Generate; closing the iterator cancels the work."""
        ...

    async def call(self, method: str, request: Any) -> Any:
        """Ask for one result; cancelling the task cancels the work."""
        ...


class ProxyModel(LoadedModel):
    """A model that is reached through a `Caller`. It belongs to the runtime, which alone unloads it."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def unload(self) -> None:
        """Nothing to do: see the class."""


class _Chats(ProxyModel):
    def chat(self, request: ChatRequest) -> AsyncIterator[Delta]:
        return self._caller.stream("chat", request)


class _Completes(ProxyModel):
    def complete(self, request: CompletionRequest) -> AsyncIterator[Delta]:
        return self._caller.stream("complete", request)


class _Embeds(ProxyModel):
    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        return cast(EmbeddingResult, await self._caller.call("embed", request))


class _Reranks(ProxyModel):
    async def rerank(self, request: RerankRequest) -> RerankResult:
        return cast(RerankResult, await self._caller.call("rerank", request))


class _Tokenizes(ProxyModel):
    async def tokenize(self, text: str) -> list[int]:
        return cast("list[int]", await self._caller.call("tokenize", text))

    async def detokenize(self, tokens: Sequence[int]) -> str:
        return cast(str, await self._caller.call("detokenize", list(tokens)))


class _Sees(ProxyModel):
    async def image_tokens(self, url: str) -> int:
        return cast(int, await self._caller.call("image_tokens", url))


_MIXINS: dict[str, type[ProxyModel]] = {
    "chat": _Chats,
    "complete": _Completes,
    "embed": _Embeds,
    "rerank": _Reranks,
    "tokenize": _Tokenizes,
    "vision": _Sees,
}


def proxy_model(capabilities: Iterable[str], caller: Caller) -> ProxyModel:
    """A model with the methods of these capabilities and no others, so that `isinstance` tells the truth."""
    return _proxy_class(tuple(name for name in _MIXINS if name in set(capabilities)))(caller)


@cache
def _proxy_class(capabilities: tuple[str, ...]) -> type[ProxyModel]:
    bases = tuple(_MIXINS[name] for name in capabilities) or (ProxyModel,)
    return cast("type[ProxyModel]", type("RuntimeModel", bases, {}))
