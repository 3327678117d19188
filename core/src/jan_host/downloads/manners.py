"""How transfers behave and what they share, and how that comes from the settings."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from jan_host.config import DownloadsConfig
from jan_host.downloads.dialing import Dialer
from jan_host.downloads.gate import Gate
from jan_host.downloads.proxies import Proxies
from jan_host.downloads.reach import Reach
from jan_host.downloads.retries import Retries
from jan_host.downloads.throttle import Throttle


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How transfers behave, and what they share."""

    dialer: Dialer
    gate: Gate
    throttle: Throttle = field(default_factory=Throttle)
    retries: Retries = field(default_factory=Retries)
    connections_per_file: int = 4
    widen_seconds: float = 1.0
    """After so long a file gets one more connection, and again after as long."""
    segment_bytes: int = 8 << 20
    """The shortest segment of a file that is fetched over several connections."""
    save_seconds: float = 2.0
    """At most what came in so long is fetched again after a crash."""


def make_manners(config: DownloadsConfig, environ: Mapping[str, str]) -> Manners:
    """What ``[downloads]`` asks for."""
    files = config.at_once * config.files_at_once
    # One for each connection, and three for each file: its hash, its way to the disk, and notes of both.
    executor = ThreadPoolExecutor(config.connections + 3 * files, "download")
    return Manners(
        dialer=Dialer(
            reach=Reach(config.private_hosts),
            proxies=Proxies(config.proxy, environ),
            executor=executor,
            timeout_seconds=config.timeout_seconds,
        ),
        gate=Gate(config.connections, config.connections_per_host),
        throttle=Throttle(config.max_bytes_per_second),
        retries=Retries(tries=config.tries),
        connections_per_file=config.connections_per_file,
    )
