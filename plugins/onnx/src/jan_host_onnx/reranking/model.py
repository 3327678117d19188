"""A reranker in memory."""

import asyncio

from jan_host import LoadedModel, Progress, RerankRequest, RerankResult, Usage
from jan_host.kit.vectors import document_text

from jan_host_onnx.encoder import Encoder, Run
from jan_host_onnx.layouts import Layout, check_tokenizer
from jan_host_onnx.reading import ReadingModel
from jan_host_onnx.reranking.scores import Score, output_of, scores_of
from jan_host_onnx.settings import OnnxSettings
from jan_host_onnx.texts import TextReader, longest_text
from jan_host_onnx.tokenizer import TextTokenizer


async def load_reranker(layout: Layout, settings: OnnxSettings, progress: Progress) -> LoadedModel:
    """Bring a reranker into memory.

    Raises:
        ModelLoadError: It can't be loaded; says why.
    """

    def load() -> RerankModel:
        output = output_of(layout.graph)
        tokenizer = TextTokenizer(check_tokenizer(layout))
        progress(0.3)
        encoder = Encoder(layout, settings, output)
        length = longest_text(layout.max_length, layout.positions, settings.ctx_len)
        return RerankModel(encoder, TextReader(tokenizer, length), settings.score)

    model = await asyncio.to_thread(load)
    progress(1.0)
    return model


class RerankModel(ReadingModel[float]):
    """Scores documents and tokenizes.

    Args:
        encoder: The graph.
        reader: The tokenizer and the longest pair.
        score: What the graph's numbers become; ``None`` for what suits its output.
    """

    def __init__(self, encoder: Encoder, reader: TextReader, score: Score | None) -> None:
        self._score = score
        super().__init__(encoder, reader)

    async def rerank(self, request: RerankRequest) -> RerankResult:
        """One score for each document; see `jan_host.Reranks`."""
        documents = [document_text(document, index) for index, document in enumerate(request.documents)]
        pairs = await self._reader.read_pairs(request.query, documents, cut=bool(request.truncate))
        count = sum(len(pair.ids) for pair in pairs)
        return RerankResult(
            scores=await self._batcher.run(pairs), usage=Usage(prompt_tokens=count, total_tokens=count)
        )

    def _read(self, run: Run) -> list[float]:
        return scores_of(run, self._score)
