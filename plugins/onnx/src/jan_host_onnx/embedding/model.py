"""An embedding model in memory."""

import asyncio
from collections.abc import Mapping
from typing import Final

import numpy as np
from jan_host import (
    EmbeddingRequest,
    EmbeddingResult,
    EngineError,
    InvalidRequestError,
    LoadedModel,
    Progress,
    Usage,
    split_prompts,
)
from jan_host.kit.vectors import Vectors, cut, scale

from jan_host_onnx.embedding.output import Output, find_output
from jan_host_onnx.embedding.pooling import pool
from jan_host_onnx.encoder import Encoder, Run
from jan_host_onnx.layouts import Layout, check_tokenizer
from jan_host_onnx.reading import ReadingModel
from jan_host_onnx.settings import OnnxSettings
from jan_host_onnx.texts import TextReader, longest_text
from jan_host_onnx.tokenizer import TextTokenizer

_PURPOSES: Final[Mapping[str, tuple[str, ...]]] = {
    "query": ("query", "search_query", "retrieval.query"),
    "document": ("document", "passage", "search_document", "retrieval.passage"),
}
"""Other words for the two purposes that most models distinguish."""


async def load_embedder(layout: Layout, settings: OnnxSettings, progress: Progress) -> LoadedModel:
    """Bring an embedding model into memory.

    Raises:
        ModelLoadError: It can't be loaded; says why.
    """

    def load() -> EmbeddingModel:
        output = find_output(layout, settings)
        tokenizer = TextTokenizer(check_tokenizer(layout))
        progress(0.3)
        encoder = Encoder(layout, settings, output.name, fills_left=output.fills_left)
        length = longest_text(layout.max_length, layout.positions, settings.ctx_len)
        prompts = {**layout.sentence.prompts, **settings.prompts}
        prefix = layout.sentence.prefix if settings.prefix is None else settings.prefix
        return EmbeddingModel(encoder, output, TextReader(tokenizer, length), prompts, prefix)

    model = await asyncio.to_thread(load)
    progress(1.0)
    return model


class EmbeddingModel(ReadingModel[Vectors]):
    """Embeds and tokenizes.

    Args:
        encoder: The graph.
        output: What to do with its output.
        reader: The tokenizer and the longest text.
        prompts: What is written before a text, by purpose.
        prefix: What is written before a text when no purpose is named.
    """

    def __init__(
        self, encoder: Encoder, output: Output, reader: TextReader, prompts: Mapping[str, str], prefix: str
    ) -> None:
        self._output = output
        self._prompts = prompts
        self._prefix = prefix
        super().__init__(encoder, reader)

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        """One vector for each input; see `jan_host.Embeds`."""
        prefix = self._prefix_of(request)
        texts = [
            prefix + text if isinstance(text, str) else text for text in split_prompts(request.input, "input")
        ]
        tokens = await self._reader.read(texts, cut=bool(request.truncate))
        vectors = await self._batcher.run(tokens)
        count = sum(len(text.ids) for text in tokens)
        wanted = (
            cut(np.stack(vectors), request.dimensions, normalize=self._output.normalize) if vectors else None
        )
        return EmbeddingResult(
            embeddings=wanted.tolist() if wanted is not None else [],
            usage=Usage(prompt_tokens=count, total_tokens=count),
        )

    def _read(self, run: Run) -> list[Vectors]:
        vectors = pool(run, self._output.pooling)
        if not np.isfinite(vectors).all():
            raise EngineError(
                "The graph gave numbers that are not finite for this input. Choose a variant of more bits."
            )
        return list(scale(vectors) if self._output.normalize else vectors)

    def _prefix_of(self, request: EmbeddingRequest) -> str:
        """What a request wants before its texts: by ``prompt_name``, or by ``input_type`` where that has one.

        Raises:
            InvalidRequestError: The model has no prompt of that name.
        """
        name = request.extra.get("prompt_name")
        if name is not None:
            if not isinstance(name, str) or name not in self._prompts:
                offered = ", ".join(self._prompts) or "none"
                raise InvalidRequestError(
                    f"The model has no prompt {name!r}. It has: {offered}.", param="prompt_name"
                )
            return self._prompts[name]
        wanted = request.extra.get("input_type")
        words = next((words for words in _PURPOSES.values() if wanted in words), (str(wanted),))
        return next((self._prompts[word] for word in words if word in self._prompts), self._prefix)
