"""The engine: which files are its models, and how one comes into memory."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
from jan_host import (
    Engine,
    Footprint,
    LoadedModel,
    Model,
    ModelBrokenError,
    ModelLoadError,
    Progress,
    Source,
)
from msgspec import Meta

from jan_host_example_engine.counts import Counts
from jan_host_example_engine.loaded import NgramModel
from jan_host_example_engine.vocabulary import Vocabulary

SUFFIX = ".ngram.txt"
_BYTES_PER_BYTE = 10
"""Times the order squared. Measured on English prose of 11 to 36 kB: a text needs 30, 80 and 250 bytes of
memory for each of its own at orders 2, 3 and 5, and less the longer it is."""


class NgramSettings(msgspec.Struct, kw_only=True):
    """What may stand under ``settings`` in a model.json of this engine."""

    order: Annotated[int, Meta(ge=1, le=8)] = 3
    """Length of the longest n-gram, in tokens: the next token depends on the ``order - 1`` before it."""
    ctx_len: Annotated[int, Meta(ge=16, le=1_000_000)] = 4096
    """Tokens that prompt and answer of one request may have together."""


class NgramEngine(Engine):
    """Runs n-gram models: UTF-8 texts named ``*.ngram.txt``, counted while they are loaded."""

    name: ClassVar[str] = "example-ngram"
    formats: ClassVar[frozenset[str]] = frozenset({"ngram"})
    Settings: ClassVar[type[msgspec.Struct]] = NgramSettings

    def inspect(self, files: Sequence[Path]) -> Sequence[Model]:
        """Every file named ``*.ngram.txt`` is a model."""
        return [self._model(path) for path in files if path.name.endswith(SUFFIX)]

    def _model(self, path: Path) -> Model:
        text = read_text(path)
        name = path.name.removesuffix(SUFFIX)
        return Model(
            id=name,
            name=name,
            format="ngram",
            engine=self.name,
            sources=[Source(filename=path.name)],
            metadata={"size": path.stat().st_size, "words": len(text.split())},
        )

    def estimate(self, model: Model, folder: Path | None, settings: Any) -> Footprint:
        """The counts are far larger than the text."""
        size = super().estimate(model, folder, settings).ram
        return Footprint(ram=size * _BYTES_PER_BYTE * settings.order**2)

    async def load(self, model: Model, folder: Path, settings: Any, progress: Progress) -> LoadedModel:
        """Read the text and count, in a thread, so that the event loop stays free."""
        try:
            texts = [read_text(path) for path in model.files(folder)]
        except ModelBrokenError as error:
            raise ModelLoadError(str(error)) from error
        return await asyncio.to_thread(_build, "\n\n".join(texts), settings, progress)


def _build(text: str, settings: NgramSettings, progress: Progress) -> NgramModel:
    vocabulary = Vocabulary(text)
    counts = Counts(text, vocabulary, settings.order, progress)
    return NgramModel(vocabulary, counts, settings.ctx_len)


def read_text(path: Path) -> str:
    """The text of a model file.

    Raises:
        ModelBrokenError: It is missing, is not UTF-8, or has no words.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ModelBrokenError(f"{path.name} can't be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ModelBrokenError(
            f"{path.name} is not UTF-8 text: byte {error.start} can't be read. Save it as UTF-8."
        ) from error
    if not text.strip():
        raise ModelBrokenError(f"{path.name} has no words. Put a text into it.")
    return text
