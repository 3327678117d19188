"""``jan-host serve``: the HTTP server, until Ctrl-C or SIGTERM."""

from collections.abc import Callable
from typing import Any

import click

from jan_host.cli.announcement import announcing
from jan_host.cli.logs import LEVELS, log_to_stderr
from jan_host.cli.output import say
from jan_host.cli.session import Session, shared_options
from jan_host.config import Config
from jan_host.host import JanHost


@click.command()
@click.option("--host", help="The address to listen at; beyond loopback, an API key is needed.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 0 takes a free one.")
@click.option("--log-level", type=click.Choice(LEVELS), help="How much the log tells.")
@shared_options
@click.pass_obj
def serve(session: Session, host: str | None, port: int | None, log_level: str | None) -> None:
    """Serve the models over HTTP until Ctrl-C."""
    server = {name: value for name, value in {"host": host, "port": port}.items() if value is not None}
    logs = {"level": log_level} if log_level else {}
    log_to_stderr(log_level or "warning")  # a misspelt variable is told of while the configuration is read
    config = session.config({"server": server, "logging": logs})
    log_to_stderr(config.logging.level)
    serve_until_stopped(config, lambda url: greet(config, url))


def serve_until_stopped(config: Config, on_ready: Callable[[str], Any]) -> None:
    """Serve, and call `on_ready` with the server's address once it listens.

    Raises:
        ConfigError: The configuration asks for something unsafe, or the port is taken.
    """
    from jan_host.api import run_server  # litestar and uvicorn are heavy

    with announcing(config) as announce:

        def ready(url: str) -> None:
            announce(url)
            on_ready(url)

        run_server(JanHost(config), on_ready=ready)


def greet(config: Config, url: str) -> None:
    """Say where the server is."""
    lines = [
        f"jan-host serves the models of {config.models_folder}",
        f"  OpenAI-compatible API  {url}/v1",
        f"  Documentation          {url}/docs",
    ]
    say("\n".join(lines), stderr=True)
