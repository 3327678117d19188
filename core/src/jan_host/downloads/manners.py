"""From the settings to what transfers share."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from jan_host.config import DownloadsConfig
from jan_host.downloads.dialing import Dialer
from jan_host.downloads.fetch import Manners
from jan_host.downloads.gate import Gate
from jan_host.downloads.proxies import Proxies
from jan_host.downloads.reach import Reach
from jan_host.downloads.retries import Retries
from jan_host.downloads.throttle import Throttle

_OTHER_THREADS = 8
"""For notes and hashes, beside one for each connection."""


def make_manners(config: DownloadsConfig, environ: Mapping[str, str]) -> Manners:
    """What ``[downloads]`` asks for."""
    executor = ThreadPoolExecutor(config.connections + _OTHER_THREADS, "download")
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
