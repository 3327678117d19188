"""What models are asked: the model is found, started where it must be, and held while it works."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeVar, cast

from jan_host.contract.chat import ChatRequest
from jan_host.contract.completion import CompletionRequest
from jan_host.contract.engine import (
    Chats,
    Completes,
    Embeds,
    LoadedModel,
    Reranks,
    Tokenizes,
    capabilities_of,
)
from jan_host.contract.generation import Delta
from jan_host.contract.options import GenerationOptions
from jan_host.contract.vectors import EmbeddingRequest, EmbeddingResult, RerankRequest, RerankResult
from jan_host.host.closing import Closing
from jan_host.host.defaults import with_defaults
from jan_host.host.describing import unsupported
from jan_host.host.finding import Finding
from jan_host.host.gate import Gate
from jan_host.host.images import Images
from jan_host.host.launches import Launches
from jan_host.host.prompts import AT_ONCE, complete_all, one_by_one
from jan_host.host.reach import check_reach
from jan_host.host.words import in_our_words, vectors_in_our_words
from jan_host.runtime import Launch, Runtime

CapabilityT = TypeVar("CapabilityT")
RequestT = TypeVar("RequestT", bound=GenerationOptions)


class Answers:
    """The services of models, as `jan_host.contract.host.Host` tells them.

    Args:
        finding: Finds the model that a request names.
        launches: How each model starts.
        runtime: Starts and holds them.
        gate: Whether new work is taken.
        images: Makes images ready for models.
        max_waiting: Requests that may wait for one model.
    """

    def __init__(
        self,
        finding: Finding,
        launches: Launches,
        runtime: Runtime,
        gate: Gate,
        images: Images,
        *,
        max_waiting: int,
    ) -> None:
        self._finding = finding
        self._launches = launches
        self._runtime = runtime
        self._gate = gate
        self._images = images
        # A request that fills the queue by itself could never be done, however often it is sent again.
        self._prompts_at_once = min(AT_ONCE, max(1, max_waiting // 2))

    def chat(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """Answer a conversation."""
        return self._generate(request, Chats, lambda model, final: model.chat(final))

    def complete(self, request: CompletionRequest) -> AsyncIterator[Delta]:
        """Continue one or several prompts."""
        requests = one_by_one(request)
        if len(requests) == 1:
            return self._complete_one(requests[0])
        return complete_all(requests, self._complete_one, self._prompts_at_once)

    def _complete_one(self, request: CompletionRequest) -> AsyncIterator[Delta]:
        return self._generate(request, Completes, lambda model, final: model.complete(final))

    async def _generate(
        self,
        request: RequestT,
        capability: type[CapabilityT],
        call: Callable[[CapabilityT, RequestT], AsyncIterator[Delta]],
    ) -> AsyncIterator[Delta]:
        entry = await self._finding.to_run(request.model)
        launch = self._launches.of(entry)
        check_reach(request, launch.engine)
        async with self._lease(launch) as loaded:
            model = _able(loaded, capability, launch)
            local = launch.engine.runs_in == "worker"
            final = with_defaults(in_our_words(request) if local else request, entry.model)
            # A remote model's own server looks at images, and fetches them as it likes.
            if local and isinstance(final, ChatRequest):
                final = cast(RequestT, await self._images.ready(final, type(model)))
            async with Closing(call(model, final)) as deltas:
                async for delta in deltas:
                    yield delta

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        """Turn texts into vectors."""
        launch = await self._launch(request.model)
        final = vectors_in_our_words(request) if launch.engine.runs_in == "worker" else request
        async with self._lease(launch) as loaded:
            return await _able(loaded, Embeds, launch).embed(final)

    async def rerank(self, request: RerankRequest) -> RerankResult:
        """Score documents against a query."""
        launch = await self._launch(request.model)
        final = vectors_in_our_words(request) if launch.engine.runs_in == "worker" else request
        async with self._lease(launch) as loaded:
            return await _able(loaded, Reranks, launch).rerank(final)

    async def tokenize(self, model_id: str | None, text: str) -> list[int]:
        """The ids of a text's tokens."""
        launch = await self._launch(model_id)
        async with self._lease(launch) as loaded:
            return await _able(loaded, Tokenizes, launch).tokenize(text)

    async def detokenize(self, model_id: str | None, tokens: Sequence[int]) -> str:
        """The text of some tokens."""
        launch = await self._launch(model_id)
        async with self._lease(launch) as loaded:
            return await _able(loaded, Tokenizes, launch).detokenize(tokens)

    async def _launch(self, model_id: str | None) -> Launch:
        return self._launches.of(await self._finding.to_run(model_id))

    def _lease(self, launch: Launch) -> AbstractAsyncContextManager[LoadedModel]:
        self._gate.check()
        return self._runtime.lease(launch)


def _able(loaded: LoadedModel, capability: type[CapabilityT], launch: Launch) -> CapabilityT:
    """The model, if it can do what is asked."""
    # Its class is asked: for an object, a protocol looks for every method, which takes 8 us.
    if not issubclass(type(loaded), capability):
        raise unsupported(launch.model, capability, capabilities_of(loaded))
    return cast(CapabilityT, loaded)
