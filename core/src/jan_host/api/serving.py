"""The server process: listen, answer, and end in order when asked to."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import uvicorn

from jan_host.api.app import JanApp, create_app
from jan_host.api.connection import connection_class
from jan_host.api.errors import shutting_down
from jan_host.config import ServerConfig
from jan_host.contract.errors import ConfigError
from jan_host.host import JanHost

BACKLOG = 1024
LAST_WORDS_SECONDS = 2.0
"""How long streams may take to say that they end, once the drain is over."""
IDLE_SECONDS = 30
"""How long a connection may stay open between two requests."""
UNSENT_SECONDS = 60
"""How long the peer of a connection may take nothing, before the system gives it up."""
YOUNG_OBJECTS = 10_000
"""How many new objects may gather before the garbage collector looks at them."""
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Addresses that mean all of the machine's, and one of them that a client can call."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)

logger = logging.getLogger("jan_host.api")


def run_server(host: JanHost, *, on_ready: Callable[[str], object] | None = None) -> None:
    """Open a host, serve it until a signal ends it, and close it. Needs the main thread.

    Args:
        host: A host that is not open yet.
        on_ready: As of `serve`.

    Raises:
        ConfigError: As `serve`.
    """

    def ready(url: str) -> None:
        _calm_collector()
        if on_ready is not None:
            on_ready(url)

    async def main() -> None:
        async with host:
            await serve(host, on_ready=ready)

    # Ctrl-C before or after serving ends the host as well, and is no error.
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main())


async def serve(host: JanHost, *, on_ready: Callable[[str], object] | None = None) -> None:
    """Serve an open host until SIGTERM or SIGINT, or until this is cancelled.

    The first signal begins the drain: ``/ready`` and new work get 503, running requests have
    ``drain_seconds``, streams that are not done then end with an error event. A second signal
    ends the drain at once. The host itself is left open; its owner closes it.

    Args:
        host: An open host.
        on_ready: Called once, when connections are accepted, with the base URL for a client on
            this machine; its port is the real one, also when the configuration says 0.

    Raises:
        ConfigError: The address can't be listened on, or must not be without a key.
    """
    config = host.config.server
    app = create_app(host)
    listener = _listen(config)
    url = _url_of(listener)
    host.begin()  # not when it opens: each local command opens one
    server = _Server(_uvicorn_config(app, config), lambda: on_ready and on_ready(url))
    life = _Life(host, app, server)
    with life.signals():
        ending = asyncio.create_task(life.run())
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            life.end_at_once()
            await serving
            raise
        finally:
            ending.cancel()
            listener.close()


class _Server(uvicorn.Server):
    """uvicorn's server, without its own ideas about signals."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], object]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Life:
    """How a server comes to its end."""

    def __init__(self, host: JanHost, app: JanApp, server: _Server) -> None:
        self._host = host
        self._exchanges = app.door.exchanges
        self._server = server
        self._asked = asyncio.Event()
        self._urged = asyncio.Event()

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Listen to signals; what handled them before does so again afterwards."""
        loop = asyncio.get_running_loop()
        try:
            before = {number: signal.getsignal(number) for number in SIGNALS}
            for number in SIGNALS:
                # Not loop.add_signal_handler: this works on Windows too.
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(self._on_signal))
        except ValueError:
            yield  # not the main thread: whoever owns that ends us by cancelling
            return
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def end_at_once(self) -> None:
        """Begin to end, without a drain."""
        self._asked.set()
        self._urged.set()

    def _on_signal(self) -> None:
        (self._urged if self._asked.is_set() else self._asked).set()

    async def run(self) -> None:
        """Wait to be asked to end, drain, and end the server."""
        await self._asked.wait()
        drain = self._host.config.server.drain_seconds
        if len(self._exchanges):
            logger.info("Ending: running requests have %g seconds. Ask again to end at once.", drain)
        self._host.begin_drain()
        self._exchanges.end(shutting_down(), lasting_only=True)
        await _first_of(self._exchanges.idle(), self._urged.wait(), seconds=drain)
        self._exchanges.end(shutting_down())
        await _first_of(self._exchanges.empty(), seconds=LAST_WORDS_SECONDS)
        self._server.should_exit = True


async def _first_of(*waits: Coroutine[Any, Any, object], seconds: float) -> None:
    """Wait until one of `waits` is over, or the time is."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _uvicorn_config(app: JanApp, config: ServerConfig) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=connection_class(config.body_timeout_seconds),
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=1,
    )


def _listen(config: ServerConfig) -> socket.socket:
    """A socket that is bound but not yet listening.

    Raises:
        ConfigError: The name is unknown or the port is taken.
    """
    try:
        found = socket.getaddrinfo(
            config.host.strip("[]"), config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        # A name may stand for addresses of both kinds; more clients try the older kind of localhost.
        family, kind, protocol, _, place = min(found, key=lambda info: info[0] != socket.AF_INET)
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"[server] host {config.host!r} is no address of this machine: {error}.") from None
    try:
        _set_options(listener)
        listener.bind(place)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"The host can't listen on {config.host} port {config.port}: {error.strerror}. Choose another"
            " with --port, or [server] port (0 takes a free one)."
        ) from None
    return listener


def _url_of(listener: socket.socket) -> str:
    name, port = listener.getsockname()[:2]
    name = EVERYWHERE.get(name, name)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return None
    return uvloop.new_event_loop


def _calm_collector() -> None:
    """Keep the garbage collector from holding up all streams at once.

    What is there when a server is ready stays to its end, and is never looked at again: a look at all of
    it takes 0.1 s. Answers leave next to no cycles behind, so the collector may wait for more of them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])


def _set_options(listener: socket.socket) -> None:
    """Options that the accepted connections inherit, so that peers which vanished are found out."""
    if sys.platform != "win32":  # there, it would let two programs share a port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNSENT_SECONDS * 1000)
