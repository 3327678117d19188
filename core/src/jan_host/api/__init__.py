"""The HTTP API: OpenAI's routes and the host's own, over one `JanHost`."""

from jan_host.api.app import create_app
from jan_host.api.serving import run_server, serve

__all__ = ["create_app", "run_server", "serve"]
