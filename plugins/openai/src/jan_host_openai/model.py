"""A remote model: requests go to its upstreams, and their answers come back as deltas."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing

from jan_host import (
    ChatRequest,
    CompletionRequest,
    Delta,
    EmbeddingRequest,
    EmbeddingResult,
    GenerationOptions,
    LoadedModel,
    RerankRequest,
    RerankResult,
)

from jan_host_openai.answers import Fields, decode_answer
from jan_host_openai.deltas import Deltas
from jan_host_openai.faults import failure_in_stream, translated
from jan_host_openai.remote import Remote
from jan_host_openai.requests import chat_body, completion_body, embedding_body, rerank_body
from jan_host_openai.upstreams import Upstreams
from jan_host_openai.vectors import read_ranks, read_vectors

_DONE = b"[DONE]"

MakeBody = Callable[[Remote], GenerationOptions]


class RemoteModel(LoadedModel):
    """What all remote models have in common; `remote_model` makes one that can do something."""

    def __init__(self, upstreams: Upstreams) -> None:
        self.upstreams = upstreams

    async def unload(self) -> None:
        """Close all connections."""
        await self.upstreams.close()

    def generate(self, request: GenerationOptions, path: str, body: MakeBody) -> AsyncGenerator[Delta, None]:
        """A generation of one of the upstreams; closing it closes the upstream's request."""
        generate = _streamed if request.stream else _whole
        return self.upstreams.stream(lambda remote: generate(remote, path, body(remote)))


class Chatting(RemoteModel):
    """Answers conversations."""

    def chat(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """See `jan_host.Chats`."""

        def body(remote: Remote) -> GenerationOptions:
            return chat_body(request, remote.model, reasoning=remote.reasoning, usage=remote.stream_usage)

        return self.generate(request, "/chat/completions", body)


class Completing(RemoteModel):
    """Continues texts."""

    def complete(self, request: CompletionRequest) -> AsyncIterator[Delta]:
        """See `jan_host.Completes`."""

        def body(remote: Remote) -> GenerationOptions:
            return completion_body(request, remote.model, usage=remote.stream_usage)

        return self.generate(request, "/completions", body)


class Embedding(RemoteModel):
    """Turns texts into vectors."""

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        """One vector for each input."""

        async def ask(remote: Remote) -> EmbeddingResult:
            data = await remote.ask("/embeddings", embedding_body(request, remote.model))
            with translated(remote.name, remote.hide):
                return read_vectors(data)

        return await self.upstreams.call(ask)


class Ranking(RemoteModel):
    """Sorts documents."""

    async def rerank(self, request: RerankRequest) -> RerankResult:
        """One score for each document."""

        async def ask(remote: Remote) -> RerankResult:
            data = await remote.ask("/rerank", rerank_body(request, remote.model))
            with translated(remote.name, remote.hide):
                return read_ranks(data, len(request.documents), remote.name)

        return await self.upstreams.call(ask)


_ABLE: Mapping[str, type[RemoteModel]] = {
    "chat": Chatting,
    "complete": Completing,
    "embed": Embedding,
    "rerank": Ranking,
}


def remote_model(upstreams: Upstreams, capabilities: Iterable[str]) -> RemoteModel:
    """A model with the methods of these capabilities and no others."""
    bases = tuple(_ABLE[name] for name in dict.fromkeys(capabilities)) or (RemoteModel,)
    made: RemoteModel = type("RemoteModel", bases, {})(upstreams)
    return made


async def _whole(remote: Remote, path: str, body: GenerationOptions) -> AsyncGenerator[Delta, None]:
    data = await remote.ask(path, body)
    deltas = Deltas()
    with translated(remote.name, remote.hide):
        found = [*deltas.add(_sound(data, remote)), *deltas.end()]
    for delta in found:
        yield delta


async def _streamed(remote: Remote, path: str, body: GenerationOptions) -> AsyncGenerator[Delta, None]:
    deltas = Deltas()
    with translated(remote.name, remote.hide):
        async with aclosing(remote.listen(path, body)) as batches:
            async for events in batches:
                for event in events:
                    if event != _DONE:
                        for delta in deltas.add(_sound(event, remote)):
                            yield delta
        for delta in deltas.end():
            yield delta


def _sound(data: bytes, remote: Remote) -> Fields:
    """An answer, or a chunk of one, that is no error."""
    answer = decode_answer(data)
    if answer.get("error") is not None:
        raise failure_in_stream(answer["error"], remote.name, remote.hide)
    return answer
