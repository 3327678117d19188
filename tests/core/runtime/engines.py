"""A real plugin with small engines in pure Python, which do right and wrong what native engines do."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

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
    ModelLoadError,
    Progress,
    RerankRequest,
    RerankResult,
    Usage,
    hookimpl,
)


class Settings(msgspec.Struct, kw_only=True):
    load: str = "well"
    """How the load goes: ``well``, or one of the ways of `_misload`."""
    gate: str = ""
    """A file; the load waits until it exists."""
    ctx_len: int = 128


class Scripted(LoadedModel):
    """Does what the prompt says: ``count 5``, ``crash``, ``hang``, ..."""

    def __init__(self) -> None:
        self.cancelled = 0

    async def complete(self, request: CompletionRequest) -> AsyncGenerator[Delta, None]:
        command, *words = str(request.prompt).split()
        if command == "count":
            for number in range(int(words[0])):
                yield Delta(text=f"{number} ")
                await asyncio.sleep(0)
            yield Delta(finish_reason="stop", usage=Usage(completion_tokens=int(words[0])))
        elif command == "burst":
            for _ in range(int(words[0])):
                yield Delta(text="a")
        elif command == "endless":
            try:
                yield Delta(text="on ")
                await asyncio.Event().wait()
            finally:
                self.cancelled += 1
        elif command == "cancelled":
            yield Delta(text=str(self.cancelled))
        elif command == "environment":
            yield Delta(text=os.environ.get(words[0], "-"))
        else:
            yield Delta(text="before ")
            await _misbehave(command)
            yield _nonsense(command)

    async def unload(self) -> None:
        print("unloaded")


class Chatty(Scripted):
    async def chat(self, request: ChatRequest) -> AsyncIterator[Delta]:
        yield Delta(text=request.messages[-1].text().upper(), finish_reason="stop")

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        if request.input == "numbers":
            return "not a result"  # type: ignore[return-value]  # an engine that breaks its contract
        return EmbeddingResult(embeddings=[[0.5, 1.0]], usage=Usage(prompt_tokens=2))

    async def rerank(self, request: RerankRequest) -> RerankResult:
        if not request.query:
            raise InvalidRequestError("An empty query can't be ranked.", param="query")
        return RerankResult(scores=[float(len(str(each))) for each in request.documents], usage=Usage())

    async def tokenize(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    async def detokenize(self, tokens: Sequence[int]) -> str:
        return "".join(map(chr, tokens))


async def _misbehave(command: str) -> None:
    match command:
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "exit":
            print("giving up now", file=sys.stderr, flush=True)
            os._exit(3)
        case "sys.exit":
            sys.exit("bye")
        case "hang":
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            time.sleep(3600)
        case "raise":
            raise ValueError("a foreign\nproblem")
        case "raise base":
            raise BaseException("very foreign")
        case "raise-base":
            raise BaseException("very foreign")
        case "cancel-itself":
            raise asyncio.CancelledError
        case "too-long":
            raise ContextLengthExceededError("128 tokens fit, and 200 came.", param="prompt")
        case "print":
            print("printed by Python", flush=True)
            os.write(1, b"\xff\xff\xff\xffprinted by native code")


def _nonsense(command: str) -> Any:
    match command:
        case "no-delta":
            return "text"
        case "no-text":
            return Delta(text=None)  # type: ignore[arg-type]  # an engine that breaks its contract
        case "surrogate":
            return Delta(text="\ud800")
        case _:
            return Delta(text="after", finish_reason="stop")


async def _misload(how: str) -> None:
    match how:
        case "raises":
            raise OSError("the file is truncated")
        case "says why":
            raise ModelLoadError("The file promises 3 tensors and holds 2. Download it again.")
        case "exits":
            print("out of luck", file=sys.stderr, flush=True)
            os._exit(7)
        case "sys.exits":
            sys.exit(1)
        case "raises base":
            raise BaseException("very foreign")
        case "blocks":
            time.sleep(1.0)
        case "forever":
            await asyncio.Event().wait()
        case "blocks forever":
            time.sleep(3600)


class ScriptedEngine(Engine):
    name = "scripted"
    formats = frozenset({"script"})
    Settings = Settings
    environment = {"SCRIPTED_ENGINE": "yes"}
    model: type[LoadedModel] = Scripted

    async def load(self, model: Model, folder: Path, settings: Settings, progress: Progress) -> LoadedModel:
        progress(0.5)
        while settings.gate and not Path(settings.gate).exists():
            await asyncio.sleep(0.01)
        await _misload(settings.load)
        progress(1.0)
        return self.model()


class ChattyEngine(ScriptedEngine):
    name = "chatty"
    model = Chatty


class HostEngine(ScriptedEngine):
    name = "hosted"
    runs_in = "host"


@hookimpl
def jan_engines() -> Iterable[Engine]:
    return [ScriptedEngine(), ChattyEngine(), HostEngine()]
