"""What models that read texts, and generate none, have in common."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

from jan_host import LoadedModel
from jan_host.kit.batching import Batcher
from jan_host.kit.generation import off_loop

from jan_host_onnx.encoder import Encoder, Run
from jan_host_onnx.texts import TextReader

Result = TypeVar("Result")


class ReadingModel(LoadedModel, Generic[Result]):
    """Tokenizes, and computes texts of all requests in batches.

    Args:
        encoder: The graph; belongs to this object from now on.
        reader: The tokenizer and the longest text.
    """

    def __init__(self, encoder: Encoder, reader: TextReader) -> None:
        self._encoder = encoder
        self._reader = reader
        self._batcher: Batcher[Result] = Batcher(encoder.lanes(self._read), encoder.limits)

    async def tokenize(self, text: str) -> list[int]:
        """The ids of a text, in which control tokens are text."""
        return await off_loop(self._reader.tokenizer.tokenize, text, len(text))

    async def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of tokens, control tokens written out."""
        return await off_loop(self._reader.tokenizer.detokenize, tokens, len(tokens))

    def use_cores(self, count: int | None) -> None:
        """See `jan_host.SharesCores`: there are fewer runs at once; a session's threads can't change."""
        self._batcher.use_lanes(None if count is None else self._encoder.lanes_on(count))

    async def unload(self) -> None:
        """End the compute threads, then free the graph."""
        await self._batcher.close()
        self._encoder.close()

    @abstractmethod
    def _read(self, run: Run) -> list[Result]:
        """The result of each text of a run, on a compute thread."""
