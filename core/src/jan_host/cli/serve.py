"""``jan-host serve``: the HTTP server, until Ctrl-C or SIGTERM."""

from collections.abc import Callable
from typing import Any

import click

from jan_host.cli.logs import log_to_stderr
from jan_host.cli.output import console
from jan_host.cli.session import Session, announce, shared_options
from jan_host.config import Config
from jan_host.host import JanHost


@click.command()
@click.option("--host", help="The address to listen at; beyond loopback, an API key is needed.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 0 takes a free one.")
@click.option("--log-level", help="debug, info, warning or error.")
@shared_options
@click.pass_obj
def serve(session: Session, host: str | None, port: int | None, log_level: str | None) -> None:
    """Serve the models over HTTP until Ctrl-C."""
    server = {name: value for name, value in {"host": host, "port": port}.items() if value is not None}
    logs = {"level": log_level} if log_level else {}
    config = session.config({"server": server, "logging": logs})
    log_to_stderr(config.logging.level)
    serve_until_stopped(config, lambda url: _greet(config, url))


def serve_until_stopped(config: Config, on_ready: Callable[[str], Any]) -> None:
    """Serve, and call `on_ready` with the server's address once it listens.

    Raises:
        ConfigError: The configuration asks for something unsafe.
        OSError: The port is taken.
    """
    from jan_host.api import run_server  # litestar and uvicorn are heavy

    config.root.mkdir(parents=True, exist_ok=True)
    announced = None

    def ready(url: str) -> None:
        nonlocal announced
        announced = announce(config, url)
        on_ready(url)

    try:
        run_server(JanHost(config), on_ready=ready)
    finally:
        if announced is not None:
            announced.unlink(missing_ok=True)


def _greet(config: Config, url: str) -> None:
    out = console(stderr=True)
    out.print(f"jan-host serves the models of {config.models_folder}")
    out.print(f"  OpenAI-compatible API  {url}/v1")
    out.print(f"  Documentation          {url}/docs")
