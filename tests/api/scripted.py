"""A real plugin whose engine does what the prompt says, and whose extras are sound and unsound."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Sequence
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
    Extra,
    FunctionCallDelta,
    Host,
    LoadedModel,
    Model,
    ModelLoadError,
    Progress,
    Reply,
    RerankRequest,
    RerankResult,
    Route,
    Source,
    Timings,
    TokenLogprob,
    ToolCallDelta,
    TopLogprob,
    Usage,
    hookimpl,
)


def tell(fifo: str, word: str) -> None:
    """Tell a test that waits at a named pipe, without waiting for it."""
    handle = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    os.write(handle, f"{word}\n".encode())
    os.close(handle)


def logprob(token: str) -> TokenLogprob:
    return TokenLogprob(
        token=token,
        logprob=-0.5,
        bytes=list(token.encode()),
        top_logprobs=[TopLogprob(token=token, logprob=-0.5), TopLogprob(token="other", logprob=-1.5)],
    )


def usage(tokens: int) -> Usage:
    return Usage(prompt_tokens=3, completion_tokens=tokens, total_tokens=3 + tokens)


class Scripted(LoadedModel):
    """Does what the last message, or the prompt, says: ``count 5``, ``endless PIPE``, ``crash``, ..."""

    def chat(self, request: ChatRequest) -> AsyncIterator[Delta]:
        return self._run(request, request.messages[-1].text())

    def complete(self, request: CompletionRequest) -> AsyncIterator[Delta]:
        return self._run(request, str(request.prompt))

    async def _run(self, request: ChatRequest | CompletionRequest, prompt: str) -> AsyncIterator[Delta]:
        command, _, word = prompt.partition(" ")
        script = getattr(self, f"do_{command}")
        async for delta in script(request, word):
            yield delta

    async def do_count(self, request: Any, word: str) -> AsyncIterator[Delta]:
        choices, number = request.n or 1, int(word)
        for step in range(number):
            for index in range(choices):
                logprobs = [logprob(f"{step} ")] if request.logprobs else []
                yield Delta(index=index, text=f"{step} ", logprobs=logprobs)
            await asyncio.sleep(0)
        for index in range(choices):
            last = index == choices - 1
            yield Delta(
                index=index,
                finish_reason="stop",
                usage=usage(number * choices) if last else None,
                timings=Timings(predicted_n=number) if last else None,
            )

    async def do_grow(self, request: Any, word: str) -> AsyncIterator[Delta]:
        """Tells the usage all along."""
        for step in range(1, int(word) + 1):
            yield Delta(text=f"{step} ", usage=usage(step))
        yield Delta(finish_reason="stop", usage=usage(int(word)))

    async def do_surprise(self, request: Any, word: str) -> AsyncIterator[Delta]:
        """The chosen token is none of the most probable."""
        top = [TopLogprob(token="other", logprob=-0.1)]
        yield Delta(text="odd", logprobs=[TokenLogprob(token="odd", logprob=-4.0, top_logprobs=top)])
        yield Delta(text="alone", logprobs=[TokenLogprob(token="alone", logprob=-1.0)])
        yield Delta(finish_reason="stop", usage=usage(2))

    async def do_endless(self, request: Any, word: str) -> AsyncIterator[Delta]:
        try:
            yield Delta(text="begun")
            tell(word, "begun")
            await asyncio.Event().wait()
        finally:
            tell(word, "cancelled")

    async def do_silent(self, request: Any, word: str) -> AsyncIterator[Delta]:
        try:
            tell(word, "begun")
            await asyncio.Event().wait()
            yield Delta()
        finally:
            tell(word, "cancelled")

    async def do_flood(self, request: Any, word: str) -> AsyncIterator[Delta]:
        """More than any socket's buffer takes."""
        tell(word, "begun")
        try:
            while True:
                yield Delta(text="x" * 10_000)
                await asyncio.sleep(0)
        finally:
            tell(word, "cancelled")

    async def do_until(self, request: Any, word: str) -> AsyncIterator[Delta]:
        """One delta, and the end once somebody writes to the pipe ``WORD.go``."""
        yield Delta(text="waited ")
        tell(word, "begun")
        await asyncio.to_thread(Path(f"{word}.go").read_bytes)
        yield Delta(text="well", finish_reason="stop", usage=usage(2))

    async def do_refuse(self, request: Any, word: str) -> AsyncIterator[Delta]:
        raise ContextLengthExceededError("200 tokens came, and 128 fit.", param="messages")
        yield Delta()

    async def do_break(self, request: Any, word: str) -> AsyncIterator[Delta]:
        yield Delta(text="so far ")
        raise ContextLengthExceededError("The answer grew beyond 128 tokens.")

    async def do_crash(self, request: Any, word: str) -> AsyncIterator[Delta]:
        yield Delta(text="so far ")
        await asyncio.sleep(0)
        os._exit(9)

    async def do_cut(self, request: Any, word: str) -> AsyncIterator[Delta]:
        yield Delta(text="no finish reason")

    async def do_echo(self, request: Any, word: str) -> AsyncIterator[Delta]:
        yield Delta(text=msgspec.json.encode(request).decode(), finish_reason="stop", usage=usage(1))

    async def do_think(self, request: Any, word: str) -> AsyncIterator[Delta]:
        yield Delta(reasoning="Let me ")
        yield Delta(reasoning="think.")
        yield Delta(text="Done.")
        yield Delta(finish_reason="stop", usage=usage(3))

    async def do_decline(self, request: Any, word: str) -> AsyncIterator[Delta]:
        yield Delta(refusal="I'd rather ")
        yield Delta(refusal="not.", finish_reason="stop", usage=usage(2))

    async def do_call(self, request: Any, word: str) -> AsyncIterator[Delta]:
        for index, name in enumerate(["look", "listen"]):
            head = FunctionCallDelta(name=name, arguments="")
            yield Delta(
                tool_calls=[ToolCallDelta(index=index, id=f"call_{index}", type="function", function=head)]
            )
            for piece in ('{"at":', f" {index}}}"):
                yield Delta(
                    tool_calls=[ToolCallDelta(index=index, function=FunctionCallDelta(arguments=piece))]
                )
        yield Delta(finish_reason="tool_calls", usage=usage(4))

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        texts = [request.input] if isinstance(request.input, str) else request.input
        vectors = [[float(len(str(text))), 0.25, -1.5] for text in texts]
        return EmbeddingResult(embeddings=vectors, usage=Usage(prompt_tokens=len(texts)))

    async def rerank(self, request: RerankRequest) -> RerankResult:
        scores = [float(str(document).count(request.query)) for document in request.documents]
        return RerankResult(scores=scores, usage=Usage(total_tokens=len(scores)))

    async def image_tokens(self, url: str) -> int:
        return 4

    async def tokenize(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    async def detokenize(self, tokens: Sequence[int]) -> str:
        return "".join(map(chr, tokens))

    async def unload(self) -> None:
        pass


class Settings(msgspec.Struct, kw_only=True):
    """`fails` is why a load fails; `gate` is a named pipe that a load waits at."""

    fails: str = ""
    gate: str = ""
    ctx_len: int = 128


class ScriptedEngine(Engine):
    """Runs files named ``*.script``, in a worker."""

    name = "scripted"
    aliases = frozenset({"by-the-book"})
    formats = frozenset({"script"})
    Settings = Settings

    def inspect(self, files: Sequence[Path]) -> Sequence[Model]:
        return [
            Model(id=path.stem, format="script", engine=self.name, sources=[Source(filename=path.name)])
            for path in files
            if path.suffix == ".script"
        ]

    async def load(self, model: Model, folder: Path, settings: Any, progress: Progress) -> LoadedModel:
        if settings.fails:
            raise ModelLoadError(settings.fails)
        if settings.gate:
            tell(settings.gate, "loading")
            await asyncio.to_thread(Path(f"{settings.gate}.go").read_bytes)
        progress(1.0)
        return Scripted()


class Note(msgspec.Struct, kw_only=True):
    """What ``POST /notes`` takes."""

    text: str
    times: int = 1


class Notes(Extra):
    """Sound routes of every kind."""

    name = "notes"

    def routes(self, host: Host) -> Sequence[Route]:
        async def write(data: Note, shout: bool = False) -> Note:
            """Answers a note."""
            return Note(text=data.text.upper() if shout else data.text, times=data.times)

        async def search(query: str, headers: int = 0) -> dict[str, Any]:
            return {"query": query, "headers": headers}

        async def read(number: int) -> Reply:
            return Reply(
                content=f"note {number}".encode(), media_type="text/plain", headers={"x-note": "yes"}
            )

        async def follow() -> Reply:
            return Reply(content=self._events(), media_type="text/event-stream")

        async def fail() -> None:
            raise ValueError("a secret that no client may see")

        async def models() -> list[str]:
            return [model.id for model in host.models()]

        return [
            Route(method="POST", path="/notes", handler=write, operation_id="write_note"),
            Route(method="GET", path="/notes/search", handler=search),
            Route(method="GET", path="/notes/{number:int}", handler=read),
            Route(method="GET", path="/notes/follow", handler=follow),
            Route(method="GET", path="/notes/fail", handler=fail),
            Route(method="GET", path="/notes/models", handler=models),
        ]

    async def _events(self) -> AsyncIterator[bytes]:
        yield b"data: one\n\n"
        yield b"data: two\n\n"


class Raising(Extra):
    """Its routes raise."""

    name = "raising"

    def routes(self, host: Host) -> Sequence[Route]:
        raise RuntimeError("no routes today")


class Placed(Extra):
    """One route at a place that is taken or not there to be taken."""

    def __init__(self, name: str, path: str) -> None:
        self.name = name  # type: ignore[misc]  # one class stands for several extras here
        self._path = path

    def routes(self, host: Host) -> Sequence[Route]:
        async def handler() -> str:
            return self.name

        return [Route(method="GET", path=self._path, handler=handler)]


@hookimpl
def jan_engines() -> Iterable[Engine]:
    return [ScriptedEngine()]


@hookimpl
def jan_extras() -> Iterable[Extra]:
    return [
        Notes(),
        Raising(),
        Placed("intruder", "/v1/models/mine"),
        Placed("squatter", "/Health/too"),
        Placed("twin", "/notes/{other:int}"),
        Placed("crooked", "no-slash"),
        Placed("untyped", "/untyped/{thing:nothing}"),
        Placed("late", "/late"),
    ]
