"""``jan-host run``: ask a model in the terminal, or chat with it."""

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

import click
import msgspec

from jan_host.cli.client import Server
from jan_host.cli.output import say
from jan_host.cli.session import Session, shared_options
from jan_host.contract.chat import ChatRequest
from jan_host.contract.errors import InvalidRequestError, JanHostError
from jan_host.host import JanHost

Messages = list[dict[str, Any]]
ResultT = TypeVar("ResultT")

MOST_TYPED_BYTES = 64 * 1024


@click.command()
@click.argument("model")
@click.argument("prompt", nargs=-1)
@click.option("--system", help="A system message to begin with.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="The most tokens of an answer.")
@click.option("--temperature", type=click.FloatRange(min=0), help="0: the most probable answer.")
@shared_options
@click.pass_obj
def run(session: Session, /, model: str, prompt: tuple[str, ...], system: str | None, **options: Any) -> None:
    """Ask MODEL; without a PROMPT, chat with it until an empty line or Ctrl-D.

    A prompt may also come through standard input.
    """
    messages: Messages = [{"role": "system", "content": system}] if system else []
    given = {name: value for name, value in options.items() if value is not None}
    asked = " ".join(prompt)
    if not asked and not sys.stdin.isatty():
        asked = sys.stdin.read().strip()
        if not asked:
            raise InvalidRequestError("There is nothing to ask: the standard input is empty.")
    asyncio.run(_run(session, model, messages, asked, given))


async def _run(
    session: Session, model: str, messages: Messages, prompt: str, options: dict[str, Any]
) -> None:
    server = Server.find(session)
    if server:
        await _converse(_Asker(server, model, options), messages, prompt)
        return
    async with JanHost(session.config()) as host:
        await _converse(_Asker(host, model, options), messages, prompt)


class _Asker:
    """Sends a conversation to a server, or to a host in this process."""

    def __init__(self, to: Server | JanHost, model: str, options: dict[str, Any]) -> None:
        self._to = to
        self._model = model
        self._options = options

    def ask(self, messages: Messages) -> AsyncIterator[str]:
        if isinstance(self._to, Server):
            return self._to.chat(self._model, messages, **self._options)
        return self._ask_host(self._to, messages)

    async def _ask_host(self, host: JanHost, messages: Messages) -> AsyncIterator[str]:
        body = {"model": self._model, "messages": messages, **self._options}
        async for delta in host.chat(msgspec.convert(body, ChatRequest)):
            yield delta.text


async def _converse(asker: _Asker, messages: Messages, prompt: str) -> None:
    if prompt:
        await _answer(asker, [*messages, {"role": "user", "content": prompt}], [])
        return
    say("Type a message. Ctrl-C ends an answer; an empty line or Ctrl-D ends the chat.", stderr=True)
    while said := await _unless_interrupted(_read_line()):
        messages.append({"role": "user", "content": said})
        pieces: list[str] = []
        try:
            await _unless_interrupted(_answer(asker, messages, pieces))
            messages.append({"role": "assistant", "content": "".join(pieces)})
        except JanHostError as error:
            # The conversation is not lost: the message that failed is taken back.
            messages.pop()
            say(f"jan-host: {error.message}", stderr=True)


async def _unless_interrupted(work: Coroutine[Any, Any, ResultT]) -> ResultT | None:
    """Do something; Ctrl-C ends it, and gives ``None``."""
    doing = asyncio.create_task(work)
    loop = asyncio.get_running_loop()
    handler = signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(doing.cancel))
    try:
        await asyncio.wait([doing])
    finally:
        signal.signal(signal.SIGINT, handler)
    if doing.cancelled():
        print()
        return None
    return doing.result()


async def _read_line() -> str:
    """A line of the user's; empty at the end of the input, where a new line is begun."""
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        # Not `input`, nor sys.stdin: a thread inside of these can't be left behind at the end.
        typed = os.read(sys.stdin.fileno(), MOST_TYPED_BYTES)
        with contextlib.suppress(RuntimeError):  # the loop is closed: the chat was ended meanwhile
            loop.call_soon_threadsafe(_settle, line, typed.decode(errors="replace").strip())

    print("> ", end="", flush=True)
    # A thread of ours, not asyncio's: nothing waits for it when Ctrl-C ends the chat at the prompt.
    threading.Thread(target=read, daemon=True).start()
    said = await line
    if not said:
        print()
    return said


def _settle(line: asyncio.Future[str], said: str) -> None:
    if not line.done():
        line.set_result(said)


async def _answer(asker: _Asker, messages: Messages, pieces: list[str]) -> None:
    """Ask, print the answer as it comes, and keep its `pieces`."""
    async with aclosing(asker.ask(messages)) as answer:  # type: ignore[type-var]  # both are generators
        async for piece in answer:
            pieces.append(piece)
            sys.stdout.write(piece)
            sys.stdout.flush()
    sys.stdout.write("\n")
