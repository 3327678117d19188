"""What the host gets of models that embed or rank."""

import asyncio
from collections.abc import Sequence

import numpy as np
from jan_host import (
    EmbeddingRequest,
    EmbeddingResult,
    LoadedModel,
    RerankRequest,
    RerankResult,
    Usage,
    split_prompts,
)
from jan_host.kit.batching import Batcher, Lane, Tokens
from jan_host.kit.generation import Serving
from jan_host.kit.vectors import Vectors, cut, document_text, relevance, scale

from jan_host_llamacpp.embedding.encoder import Encoder, score_place
from jan_host_llamacpp.embedding.texts import TextReader
from jan_host_llamacpp.loading import Opened, OpenedEncoder
from jan_host_llamacpp.model import LlamaCppModel
from jan_host_llamacpp.settings import Settings


class Embedder:
    """Turns texts into vectors. Made on the event loop that will call it.

    Args:
        encoder: The context.
        reader: The tokenizer and the longest text.
        normalize: Scale vectors to length 1.
    """

    def __init__(self, encoder: Encoder, reader: TextReader, *, normalize: bool) -> None:
        self._encoder = encoder
        self._reader = reader
        self._normalize = normalize
        self._batcher: Batcher[Vectors] = Batcher([Lane(self._compute, encoder.interrupt)], encoder.limits)

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        """One vector for each input; see `jan_host.Embeds`."""
        texts = await self._reader.read(split_prompts(request.input, "input"), cut=bool(request.truncate))
        vectors = np.stack(await self._batcher.run(texts))
        count = sum(len(text.ids) for text in texts)
        return EmbeddingResult(
            embeddings=cut(vectors, request.dimensions, normalize=self._normalize).tolist(),
            usage=Usage(prompt_tokens=count, total_tokens=count),
        )

    async def end(self) -> None:
        """End the thread; the context is nobody's then."""
        await self._batcher.close()

    def _compute(self, texts: Sequence[Tokens]) -> list[Vectors]:
        vectors = self._encoder.run(texts)
        return list(scale(vectors) if self._normalize else vectors)


class _Reading(LoadedModel):
    """What models that generate nothing have in common.

    Args:
        opened: What `loading` brought into memory; belongs to this object from now on.
    """

    def __init__(self, opened: OpenedEncoder) -> None:
        self._opened = opened

    async def tokenize(self, text: str) -> list[int]:
        """The ids of a text, in which control tokens are text."""
        return await asyncio.to_thread(self._opened.vocab.tokenize, text)

    async def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of tokens, control tokens written out."""
        return self._opened.vocab.detokenize(tokens)

    def use_cores(self, count: int | None) -> None:
        """See `jan_host.SharesCores`."""
        self._opened.model.cores = count


class EmbeddingModel(_Reading):
    """Embeds and tokenizes.

    Args:
        opened: See `_Reading`.
        normalize: Scale vectors to length 1.
    """

    def __init__(self, opened: OpenedEncoder, *, normalize: bool) -> None:
        super().__init__(opened)
        reader = TextReader(opened.vocab, opened.context_length)
        self._embedder = Embedder(opened.encoder, reader, normalize=normalize)

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        """One vector for each input; see `jan_host.Embeds`."""
        return await self._embedder.embed(request)

    async def unload(self) -> None:
        """End the compute thread, then free context and weights."""
        await self._embedder.end()
        await asyncio.to_thread(self._opened.close)


class RerankModel(_Reading):
    """Scores documents and tokenizes.

    Args:
        opened: See `_Reading`.

    Raises:
        ModelLoadError: None of the numbers that the model gives is a score.
    """

    def __init__(self, opened: OpenedEncoder) -> None:
        super().__init__(opened)
        self._place = score_place(opened.model.pointer)
        self._single = opened.encoder.width == 1
        template = opened.model.template("rerank")
        self._reader = TextReader(opened.vocab, opened.context_length, template)
        encoder = opened.encoder
        self._batcher: Batcher[float] = Batcher([Lane(self._compute, encoder.interrupt)], encoder.limits)

    async def rerank(self, request: RerankRequest) -> RerankResult:
        """One score for each document; see `jan_host.Reranks`."""
        documents = [document_text(document, index) for index, document in enumerate(request.documents)]
        pairs = await self._reader.read_pairs(request.query, documents, cut=bool(request.truncate))
        count = sum(len(pair.ids) for pair in pairs)
        return RerankResult(
            scores=await self._batcher.run(pairs), usage=Usage(prompt_tokens=count, total_tokens=count)
        )

    async def unload(self) -> None:
        """End the compute thread, then free context and weights."""
        await self._batcher.close()
        await asyncio.to_thread(self._opened.close)

    def _compute(self, pairs: Sequence[Tokens]) -> list[float]:
        scores = self._opened.encoder.run(pairs)[:, self._place].astype(np.float64)
        # Several numbers are the probabilities of classes already.
        return relevance(scores) if self._single else scores.tolist()


class ChatEmbeddingModel(LlamaCppModel):
    """A model that chats, and embeds too: in a second context, which is made for the first text.

    Args:
        opened: See `LlamaCppModel`.
        settings: See `Settings`.
        serving: See `LlamaCppModel`.
    """

    def __init__(self, opened: Opened, settings: Settings, serving: Serving) -> None:
        super().__init__(opened, serving)
        self._settings = settings
        self._making: asyncio.Task[tuple[Encoder, Embedder]] | None = None

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        """One vector for each input; see `jan_host.Embeds`."""
        if self._making is None or (self._making.done() and self._making.exception() is not None):
            self._making = asyncio.create_task(self._make())
        _, embedder = await asyncio.shield(self._making)
        return await embedder.embed(request)

    async def unload(self) -> None:
        """End both compute threads, then free contexts and weights."""
        if self._making is not None:
            made = await asyncio.gather(self._making, return_exceptions=True)
            for encoder, embedder in (pair for pair in made if isinstance(pair, tuple)):
                await embedder.end()
                encoder.close()
        await super().unload()

    async def _make(self) -> tuple[Encoder, Embedder]:
        opened, settings = self._opened, self._settings
        encoder = await asyncio.to_thread(
            Encoder, opened.model, settings, opened.purpose, opened.context_length
        )
        reader = TextReader(opened.vocab, opened.context_length)
        return encoder, Embedder(encoder, reader, normalize=settings.normalize)
