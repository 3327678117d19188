"""``jan-host run``: ask a model in the terminal, or chat with it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import click
import msgspec

from jan_host.cli.client import Server
from jan_host.cli.output import console
from jan_host.cli.session import Session, shared_options
from jan_host.contract.chat import ChatRequest
from jan_host.contract.errors import JanHostError
from jan_host.host import JanHost

Messages = list[dict[str, Any]]


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
        await _answer(asker, [*messages, {"role": "user", "content": prompt}])
        return
    console(stderr=True).print("Type a message; an empty line or Ctrl-D ends the chat.")
    while said := await asyncio.to_thread(_read_line):
        messages.append({"role": "user", "content": said})
        try:
            messages.append({"role": "assistant", "content": await _answer(asker, messages)})
        except JanHostError as error:
            # The conversation is not lost: the message that failed is taken back.
            messages.pop()
            console(stderr=True).print(f"jan-host: {error.message}")


def _read_line() -> str:
    try:
        return input("> ").strip()
    except EOFError:
        return ""


async def _answer(asker: _Asker, messages: Messages) -> str:
    pieces = []
    async with aclosing(asker.ask(messages)) as answer:  # type: ignore[type-var]  # both are generators
        async for piece in answer:
            pieces.append(piece)
            sys.stdout.write(piece)
            sys.stdout.flush()
    sys.stdout.write("\n")
    return "".join(pieces)
