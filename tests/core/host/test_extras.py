"""Extras begin and end with the host; one that can't costs itself alone."""

from collections.abc import Callable
from pathlib import Path

from jan_host import Extra, Host
from jan_host.config import load_config
from jan_host.host import JanHost
from jan_host.plugins import Plugins
from jan_host.plugins.discovery import Candidate
from jan_host.plugins.offers import Offers
from jan_host.plugins.registry import Plugin


def explode() -> None:
    raise OSError("the port is taken")


def services(tmp_path: Path, begins: dict[str, Callable[[], None]], ended: list[str]) -> Plugins:
    """A plugin for each name, whose extra begins so and notes that it ended."""

    def plugin(extra_name: str, begin: Callable[[], None]) -> Plugin:
        class Service(Extra):
            name = extra_name

            async def start(self, host: Host) -> None:
                begin()

            async def stop(self) -> None:
                ended.append(self.name)
                begin()

        candidate = Candidate(name=extra_name, value=extra_name, distribution=extra_name, version="1")
        offers = Offers(engines=(), importers=(), extras=(Service(),))
        return Plugin(candidate, {}, tmp_path / extra_name, offers=offers)

    return Plugins([plugin(name, begin) for name, begin in begins.items()])


async def test_one_that_does_not_start_or_stop_is_reported_and_the_others_go_on(tmp_path: Path) -> None:
    began: list[str] = []
    ended: list[str] = []
    begins = {"bad": explode, "good": lambda: began.append("good")}
    host = JanHost(load_config(tmp_path, {}), services(tmp_path, begins, ended))

    async with host:
        assert began == ["good"]
        bad, good = host.plugins.reports()

    assert (bad.status, good.status) == ("broken", "ok")
    assert bad.problem == "its extra did not start: OSError('the port is taken')"
    assert ended == ["bad", "good"]
