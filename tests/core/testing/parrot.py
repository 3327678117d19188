"""A small engine that keeps the whole contract with every capability: what the wrong ones differ from."""

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import msgspec
from jan_host import (
    ChatRequest,
    CompletionRequest,
    ContextLengthExceededError,
    Delta,
    EmbeddingRequest,
    EmbeddingResult,
    Engine,
    InvalidRequestError,
    LoadedModel,
    Model,
    ModelBrokenError,
    ModelLoadError,
    Progress,
    RerankRequest,
    RerankResult,
    Source,
    UnsupportedError,
    Usage,
    split_prompts,
)
from jan_host.kit import TextStream

MARK = b"PARROT "
REFUSED = (
    *("response_format", "tools", "logprobs", "top_logprobs", "logit_bias", "grammar", "regex", "samplers"),
    *("presence_penalty", "frequency_penalty", "repeat_penalty", "dry_multiplier", "mirostat", "min_p"),
    *("typical_p", "top_n_sigma", "xtc_probability", "dynatemp_range", "echo", "suffix", "best_of"),
    *("min_tokens", "stop_token_ids", "include_stop_str_in_output", "add_generation_prompt"),
)
DIMENSIONS = 8
CONTEXT = 4096


class Parrot(LoadedModel):
    """Says again what it heard, letter by letter; at a temperature above 0 it mixes the letters up."""

    async def unload(self) -> None:
        pass

    def use_cores(self, count: int | None) -> None:
        pass

    def chat(self, request: ChatRequest) -> AsyncIterator[Delta]:
        return self.generate(request)

    def complete(self, request: CompletionRequest) -> AsyncIterator[Delta]:
        return self.generate(request)

    async def tokenize(self, text: str) -> list[int]:
        return list(text.encode())

    async def detokenize(self, tokens: Sequence[int]) -> str:
        if any(not 0 <= token < 256 for token in tokens):
            raise InvalidRequestError(f"Not all of {tokens} are bytes; ids go from 0 to 255.")
        return bytes(tokens).decode(errors="replace")

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        texts = [bytes(await self.prompt_bytes(each)) for each in split_prompts(request.input, "input")]
        if request.dimensions is not None:
            raise UnsupportedError(f"The vectors have {DIMENSIONS} dimensions; leave dimensions out.")
        used = sum(len(text) for text in texts)
        usage = Usage(prompt_tokens=used, total_tokens=used)
        return EmbeddingResult(embeddings=[vector_of(text) for text in texts], usage=usage)

    async def rerank(self, request: RerankRequest) -> RerankResult:
        documents = [each if isinstance(each, str) else each["text"] for each in request.documents]
        scores = [math.dist(vector_of(request.query.encode()), vector_of(d.encode())) for d in documents]
        return RerankResult(scores=scores, usage=Usage())

    async def prompt_bytes(self, prompt: str | list[int]) -> list[int]:
        if isinstance(prompt, str):
            return list(prompt.encode())
        await self.detokenize(prompt)
        return prompt

    async def heard(self, request: ChatRequest | CompletionRequest) -> list[int]:
        if isinstance(request, CompletionRequest):
            return await self.prompt_bytes(msgspec.convert(request.prompt, str | list[int]))
        return await self.prompt_bytes("\n".join(message.text() for message in request.messages))

    def refuse(self, request: ChatRequest | CompletionRequest) -> None:
        for name in REFUSED:
            if getattr(request, name, None):
                raise UnsupportedError(f"A parrot can't do {name}.", param=name)

    async def generate(self, request: ChatRequest | CompletionRequest) -> AsyncIterator[Delta]:
        self.refuse(request)
        heard = await self.heard(request)
        limit = request.token_limit()
        limit = 64 if limit is None else limit
        if len(heard) + limit > CONTEXT:
            raise ContextLengthExceededError(f"{len(heard) + limit} tokens are more than {CONTEXT}.")
        usage = Usage(prompt_tokens=len(heard))
        choices = request.n or 1
        for index in range(choices):
            stream = TextStream(request.stops())
            random = Random(request.seed)
            for position in range(limit):
                await asyncio.sleep(0)
                usage.completion_tokens += 1
                text = stream.push(bytes([self.letter(heard, position, request, random)]))
                if stream.stopped:
                    break
                if text:
                    yield Delta(index=index, text=text)
            else:
                text = stream.flush()
            last = Delta(index=index, text=text if stream.stopped or limit else "")
            last.finish_reason = "stop" if stream.stopped else "length"
            if index == choices - 1:
                usage.total_tokens = usage.prompt_tokens + usage.completion_tokens
                last.usage = usage
            yield last

    def letter(
        self, heard: list[int], position: int, request: ChatRequest | CompletionRequest, random: Random
    ) -> int:
        letters = heard or [ord("?")]
        return random.choice(letters) if request.temperature else letters[position % len(letters)]


def vector_of(text: bytes) -> list[float]:
    """A direction that belongs to the text alone."""
    return [byte - 127.5 for byte in hashlib.sha256(text).digest()[:DIMENSIONS]]


class ParrotSettings(msgspec.Struct, kw_only=True):
    """The settings of `ParrotEngine`."""

    loudness: int = 1


class ParrotEngine(Engine):
    """Loads files that begin with `MARK`."""

    name: ClassVar[str] = "parrot"
    formats: ClassVar[frozenset[str]] = frozenset({"parrot"})
    Settings: ClassVar[type[msgspec.Struct]] = ParrotSettings
    loaded: ClassVar[type[Parrot]] = Parrot

    def inspect(self, files: Sequence[Path]) -> Sequence[Model]:
        return [self.inspected(path) for path in files if path.suffix == ".parrot"]

    def inspected(self, path: Path) -> Model:
        if not path.read_bytes().startswith(MARK):
            raise ModelBrokenError(f"{path.name} is no parrot.")
        return Model(id=path.stem, format="parrot", engine="parrot", sources=[Source(filename=path.name)])

    async def load(self, model: Model, folder: Path, settings: Any, progress: Progress) -> LoadedModel:
        progress(0.5)
        try:
            if not all(path.read_bytes().startswith(MARK) for path in model.files(folder)):
                raise ModelLoadError(f"{model.id} is no parrot.")
        except OSError as error:
            raise ModelLoadError(f"{model.id} can't be read: {error.strerror}.") from error
        progress(1.0)
        return self.loaded()
