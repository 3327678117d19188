"""What the tests of downloads share: a server, a `Downloads`, and plans."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from jan_host.config import DownloadsConfig
from jan_host.contract.events import DownloadEvent, DownloadInfo, Event
from jan_host.contract.importer import Asset, ImportPlan
from jan_host.contract.model import Model
from jan_host.downloads import Downloads
from jan_host.downloads.downloads import MakeManners
from jan_host.downloads.manners import Manners, make_manners
from jan_host.downloads.retries import Retries

from tests.core.downloads.server import FileServer, file_server

QUICK = Retries(tries=3, first_seconds=0.01, most_seconds=0.05)


def quick_manners(config: DownloadsConfig, environ: Mapping[str, str]) -> Manners:
    """As in earnest, and without long pauses."""
    return replace(make_manners(config, environ), retries=QUICK)


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def plan_of(*assets: Asset, model: str = "tiny") -> ImportPlan:
    return ImportPlan(origin="test:tiny", importer="test", model=Model(id=model), assets=list(assets))


@dataclass
class Bench:
    """A `Downloads` with its folders, all that it published, and the plans that it finished."""

    root: Path
    environ: dict[str, str] = field(default_factory=dict)
    config: DownloadsConfig = field(default_factory=DownloadsConfig)
    manners: MakeManners = quick_manners
    events: list[DownloadInfo] = field(default_factory=list)
    finished: list[ImportPlan] = field(default_factory=list)
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.downloads = self.new_downloads()

    def new_downloads(self) -> Downloads:
        """As after a restart of the process: nothing but the files is known."""
        return Downloads(
            folder=self.root / "downloads",
            publish=self.publish,
            config=self.config,
            environ=self.environ,
            manners=self.manners,
        )

    def publish(self, event: Event) -> None:
        assert isinstance(event, DownloadEvent)
        self.events.append(event.download)
        self.woken.set()

    @property
    def target(self) -> Path:
        return self.root / "models" / "tiny"

    async def finish(self, plan: ImportPlan) -> None:
        self.finished.append(plan)

    def begin(self, plan: ImportPlan) -> DownloadInfo:
        return self.downloads.begin(plan, self.target, self.finish)

    async def bring(self, plan: ImportPlan) -> DownloadInfo:
        return await self.downloads.wait(self.begin(plan).id)

    async def until(self, condition: Callable[[DownloadInfo], bool], download_id: str) -> DownloadInfo:
        """Wait for an event of this download that meets the condition."""
        async with asyncio.timeout(60):
            while True:
                info = self.downloads.get(download_id)
                if condition(info):
                    return info
                self.woken.clear()
                await self.woken.wait()

    def partials(self) -> list[Path]:
        """Partial and complete files that lie in the downloads folder, without locks and notes."""
        found = (self.root / "downloads").rglob("*")
        return sorted(path for path in found if path.is_file() and path.suffix not in (".json", ""))


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as running:
        yield running


@pytest.fixture
def other_server() -> Iterator[FileServer]:
    """Another origin: another port."""
    with file_server() as running:
        yield running


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    yield made
    await made.downloads.close()
