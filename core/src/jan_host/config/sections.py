"""The sections of config.toml: one Struct for each, with the defaults, units and bounds of every setting."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Port = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[int, Meta(ge=1, le=2**40)]
Bytes = Annotated[int, Meta(ge=0, le=2**60, extra={"unit": "bytes"})]
"""May be written as ``"8GB"`` or ``"1.5GiB"`` too."""
Seconds = Annotated[float, Meta(gt=0, le=1e7)]
Pause = Annotated[float, Meta(ge=0, le=1e7)]
Words = list[str]


class ServerConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``[server]``: where the host listens, who may call it, and how much a request may ask for."""

    host: str = "127.0.0.1"
    port: Port = 1337
    """0 takes a free port."""
    api_keys: Words = []
    """Any of these opens the API; write ``env:NAME`` or ``file:PATH`` in place of the key itself."""
    allow_unauthenticated: bool = False
    """Whether the host may listen beyond loopback without a key."""
    allowed_hosts: Words = []
    """Names that the Host header may have, beside the loopback ones and `host`."""
    cors_origins: Words = []
    """Origins of web pages that may call the API from a browser."""
    max_body_bytes: Positive = 32 * 1024 * 1024
    max_n: Positive = 16
    """The most choices that one request may ask for."""
    max_stops: Positive = 16
    """The most stop strings in a request."""
    max_stop_length: Positive = 1024
    """The most characters in a stop string."""
    max_tools: Positive = 128
    max_schema_bytes: Positive = 256 * 1024
    """The largest JSON schema, grammar or regular expression in a request."""
    max_inputs: Positive = 2048
    """The most texts that one request may have embedded or ranked: OpenAI's own number."""
    max_queue: Positive = 1024
    """The most requests at once, waiting ones included; more get 429."""
    body_timeout_seconds: Seconds = 30.0
    """How long a request's head and body may take to arrive."""
    drain_seconds: Pause = 30.0
    """How long running requests may go on after the host was told to end."""


class LibraryConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``[library]``: where models lie, beside ``models/``."""

    folders: Words = []
    """Folders of models that are used in place and never written to."""


class RuntimeConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``[runtime]``: how models start, are watched, and stop."""

    start_timeout_seconds: Seconds = 600.0
    ping_seconds: Seconds = 2.0
    """The time between two heartbeats of a worker."""
    hang_seconds: Seconds = 30.0
    """A worker that is silent for this long is ended."""
    stop_seconds: Pause = 10.0
    """How long the running requests of a model that is stopped may go on."""
    cooldown_seconds: Pause = 2.0
    """The pause after a failed start; it doubles with each further failure."""
    cooldown_max_seconds: Pause = 300.0
    max_waiting: Positive = 512
    """The most requests that wait for one model; more get 429."""
    memory_bytes: Bytes = 0
    """What all models together may take; 0: 80 % of the machine's memory, or of its container's."""
    device_memory_bytes: Bytes = 0
    """What all models together may take of the accelerators; 0: 80 % of theirs, where the system tells."""
    keep_alive_seconds: Annotated[float, Meta(ge=-1, le=1e7)] = 1800.0
    """How long a model that a request has started stays when idle; below 0: until its memory is needed.
    One that was started by hand stays in any case; a model's own ``keep_alive`` goes over this."""
    start_at_boot: Words = []
    """Ids of models that are started with the host."""


class DownloadsConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``[downloads]``: how models are fetched."""

    at_once: Positive = 2
    """Downloads (models) at the same time; the others wait in the order in which they were asked for."""
    files_at_once: Positive = 4
    """Files of one download at the same time."""
    connections: Positive = 8
    """Connections at the same time, over all downloads."""
    connections_per_host: Positive = 8
    connections_per_file: Positive = 4
    """A large file is fetched in parts over several connections when one alone takes more than a second."""
    max_bytes_per_second: Annotated[int, Meta(ge=0, le=2**40)] = 0
    """A limit for all downloads together; 0: none."""
    timeout_seconds: Seconds = 30.0
    """How long a server may be silent before its connection counts as broken."""
    tries: Positive = 6
    """How often a transfer is tried without anything new coming; whatever comes gives all tries back."""
    proxy: str = ""
    """The proxy's address, or ``env:NAME``; empty: HTTPS_PROXY and the like; ``none``: no proxy at all.
    What NO_PROXY names, and loopback, is asked directly."""
    private_hosts: Words = []
    """Hosts whose addresses may be private ones though a redirect or a public name leads there:
    names, addresses or networks such as ``10.0.0.0/8``; ``*`` is every host."""
    resume_at_start: bool = True
    """Whether downloads that ran or waited when the host ended go on when it starts again."""
    on_start: bool = False
    """Whether to start a model whose files are not here yet fetches them first."""
    local_paths: bool = False
    """Whether clients of other machines may name files of this machine as origins. Its own always may."""


class ImagesConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``[images]``: pictures in conversations with models on this machine."""

    remote: bool = False
    """Whether images may be fetched from the http and https addresses that requests name."""
    private_hosts: Words = []
    """Hosts inside this machine's own network that may be asked: names, addresses or networks."""
    timeout_seconds: Seconds = 10.0
    """How long fetching an image may take, redirects included."""
    max_per_request: Positive = 16
    """The most images of one request, those of earlier turns included."""
    max_bytes: Annotated[int, Meta(ge=1, le=2**25)] = 24 * 1024 * 1024
    """What the files of one request's images may take together."""
    max_pixels: Annotated[int, Meta(ge=1, le=2**28)] = 40_000_000
    """The most pixels of an image, width times height."""


class PluginsConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``[plugins]``, without the plugins' own tables: those are `Config.plugin_settings`."""

    disabled: Words = []
    """Names of plugins that are not loaded."""


class LoggingConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``[logging]``."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Config(msgspec.Struct, kw_only=True, frozen=True):
    """All settings of a host. `root` is absolute and holds everything that the host writes."""

    root: Path
    server: ServerConfig = ServerConfig()
    library: LibraryConfig = LibraryConfig()
    runtime: RuntimeConfig = RuntimeConfig()
    downloads: DownloadsConfig = DownloadsConfig()
    images: ImagesConfig = ImagesConfig()
    logging: LoggingConfig = LoggingConfig()
    plugins: PluginsConfig = PluginsConfig()
    plugin_settings: dict[str, dict[str, Any]] = {}
    """The ``[plugins.NAME]`` tables by name, as they were read."""

    @property
    def models_folder(self) -> Path:
        """Where the host's own models lie."""
        return self.root / "models"

    @property
    def library_folders(self) -> list[Path]:
        """The folders of ``[library] folders``, absolute; ``~`` is the home, the rest is below `root`."""
        return [self.root / Path(folder).expanduser() for folder in self.library.folders]

    @property
    def engines_folder(self) -> Path:
        """Where the base settings of each engine lie: ``<engine>/engine.json``."""
        return self.root / "engines"

    @property
    def downloads_folder(self) -> Path:
        """Where partial files lie while they are fetched."""
        return self.root / "downloads"

    @property
    def logs_folder(self) -> Path:
        """Where logs go."""
        return self.root / "logs"

    @property
    def plugin_data_folder(self) -> Path:
        """The folder that holds each plugin's data folder."""
        return self.root / "plugins"


SECTIONS: dict[str, type[msgspec.Struct]] = {
    "server": ServerConfig,
    "library": LibraryConfig,
    "runtime": RuntimeConfig,
    "downloads": DownloadsConfig,
    "images": ImagesConfig,
    "logging": LoggingConfig,
    "plugins": PluginsConfig,
}
"""Each table of config.toml and its Struct."""
