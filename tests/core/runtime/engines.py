"""A real plugin with small engines in pure Python, which do right and wrong what native engines do."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn

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


class ScriptedSettings(msgspec.Struct, kw_only=True):
    """Settings of all engines here."""

    misload: str = ""
    """A name in `MISLOADS`."""
    gate: str = ""
    """A named pipe; the load waits until somebody writes to it."""
    ctx_len: int = 128
    told: str = ""
    """A named pipe into which `Sharing` writes the cores that it is told to use."""


def throw(error: BaseException) -> NoReturn:
    raise error


def say_and_exit(words: str, code: int) -> NoReturn:
    print(words, file=sys.stderr, flush=True)
    os._exit(code)


def hang() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    time.sleep(3600)


def print_everywhere() -> None:
    print("printed by Python")
    os.write(1, b"\xff\xff\xff\xffprinted by native code\n")
    subprocess.run(["echo", "printed by a child"], check=True)


def leave_a_child() -> None:
    """A process that holds the worker's stderr, and outlives it for a while."""
    subprocess.Popen(["sleep", "30"], stdout=None, stderr=None)


MISDEEDS: dict[str, Callable[[], Any]] = {
    "segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "exit": lambda: say_and_exit("giving up now", 3),
    "sys.exit": lambda: sys.exit("bye"),
    "hang": hang,
    "raise": lambda: throw(ValueError("a foreign\nproblem")),
    "raise-base": lambda: throw(BaseException("very foreign")),
    "cancel-itself": lambda: throw(asyncio.CancelledError()),
    "too-long": lambda: throw(ContextLengthExceededError("128 tokens fit, and 200 came.", param="prompt")),
    "print": print_everywhere,
    "leave-a-child": leave_a_child,
}
NONSENSE: dict[str, Any] = {
    "no-delta": "text",
    "no-text": Delta(text=None),  # type: ignore[arg-type]  # an engine that breaks its contract
    "surrogate": Delta(text="\ud800"),
}
MISLOADS: dict[str, Callable[[], Any]] = {
    "raises": lambda: throw(OSError("the file is\ntruncated")),
    "says why": lambda: throw(ModelLoadError("The file promises 3 tensors and holds 2. Download it again.")),
    "exits": lambda: say_and_exit("out of luck", 7),
    "sys.exits": lambda: sys.exit(1),
    "raises base": lambda: throw(BaseException("very foreign")),
    "cancels itself": lambda: throw(asyncio.CancelledError()),
    "blocks": lambda: time.sleep(1.0),
    "blocks forever": hang,
}


class Scripted(LoadedModel):
    """Does what the prompt says: ``count 5``, ``endless``, ``segfault``, ..."""

    def __init__(self) -> None:
        self.cancelled = 0

    async def complete(self, request: CompletionRequest) -> AsyncGenerator[Delta, None]:
        command, _, word = str(request.prompt).partition(" ")
        match command:
            case "count":
                for number in range(int(word)):
                    yield Delta(text=f"{number} ")
                    await asyncio.sleep(0)
                yield Delta(finish_reason="stop", usage=Usage(completion_tokens=int(word)))
            case "burst":
                for _ in range(int(word)):
                    yield Delta(text="a")
            case "endless":
                try:
                    yield Delta(text="on ")
                    await asyncio.Event().wait()
                finally:
                    self.cancelled += 1
            case "stubborn":
                while True:
                    yield Delta(text="on ")
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.Event().wait()
            case "cancelled":
                yield Delta(text=str(self.cancelled))
            case "environment":
                yield Delta(text=os.environ.get(word, "-"))
            case _:
                yield Delta(text="before ")
                await asyncio.sleep(0)  # the delta is on its way when the rest happens
                MISDEEDS.get(command, str)()
                yield NONSENSE.get(command, Delta(text="after", finish_reason="stop"))

    async def unload(self) -> None:
        print("unloaded")


class Chatty(Scripted):
    """Can do everything."""

    async def chat(self, request: ChatRequest) -> AsyncIterator[Delta]:
        yield Delta(text=request.messages[-1].text().upper(), finish_reason="stop")

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        if request.input == "nonsense":
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


class ScriptedEngine(Engine):
    """Completes, in a worker."""

    name = "scripted"
    formats = frozenset({"script"})
    Settings = ScriptedSettings
    environment: ClassVar[Mapping[str, str]] = {"SCRIPTED_ENGINE": "yes"}
    loads: ClassVar[type[LoadedModel]] = Scripted

    async def load(self, model: Model, folder: Path, settings: Any, progress: Progress) -> LoadedModel:
        progress(0.5)
        if settings.gate:
            await asyncio.to_thread(Path(settings.gate).read_bytes)
        MISLOADS.get(settings.misload, str)()
        progress(1.0)
        return self._loaded(settings)

    def _loaded(self, settings: ScriptedSettings) -> LoadedModel:
        return self.loads()


class ChattyEngine(ScriptedEngine):
    """Does everything, in a worker."""

    name = "chatty"
    loads = Chatty


class Sharing(Scripted):
    """Says through a pipe on how many cores it is told to compute."""

    def __init__(self, told: str) -> None:
        super().__init__()
        self._told = told

    def use_cores(self, count: int | None) -> None:
        pipe = os.open(self._told, os.O_RDWR)  # does not wait for a reader: the test may be over
        os.write(pipe, f"{count}\n".encode())
        os.close(pipe)


class SharingEngine(ScriptedEngine):
    """Completes, in a worker, on as many cores as it is told."""

    name = "sharing"

    def _loaded(self, settings: ScriptedSettings) -> LoadedModel:
        return Sharing(settings.told)


class HostEngine(ScriptedEngine):
    """Does everything, in the host."""

    name = "hosted"
    runs_in = "host"
    loads = Chatty


@hookimpl
def jan_engines() -> Iterable[Engine]:
    return [ScriptedEngine(), ChattyEngine(), SharingEngine(), HostEngine()]
