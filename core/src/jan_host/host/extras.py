"""The extras' background work, which begins and ends with the host."""

import logging

from jan_host.contract.host import Host
from jan_host.plugins import Plugins

REPORT_IT = "Report it to its author, or disable the plugin."

logger = logging.getLogger("jan_host.host")


class Extras:
    """Starts and stops them; what one of them raises costs that plugin alone.

    Args:
        plugins: Whose extras, and who is told of broken ones.
    """

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins

    async def start(self, host: Host) -> None:
        """Let all begin."""
        for extra in self._plugins.extras():
            try:
                await extra.start(host)
            except Exception as error:  # a plugin may raise anything
                self._plugins.broken(extra.name, f"its extra did not start: {error!r}", REPORT_IT)

    async def stop(self) -> None:
        """Have all end."""
        for extra in self._plugins.extras():
            try:
                await extra.stop()
            except Exception:  # a plugin may raise anything; the others must still be stopped
                logger.exception("The extra %s did not stop cleanly", extra.name)
