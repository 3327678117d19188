"""A process that downloads, made to be killed.

    python -m tests.core.downloads.victim ROOT [--die-in-finish]

reads a plan as JSON from its standard input, takes up what lies in ROOT, and says ``done`` once the
plan is finished.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
from jan_host import ImportPlan
from jan_host.config import DownloadsConfig
from jan_host.downloads import Downloads
from jan_host.downloads.manners import Manners, make_manners


def busy_manners(config: DownloadsConfig, environ: Mapping[str, str]) -> Manners:
    """Several connections soon, and notes often, so that a short transfer sees all of it."""
    made = make_manners(config, environ)
    return replace(made, widen_seconds=0.1, segment_bytes=1 << 20, save_seconds=0.1)


async def main(root: Path, plan: ImportPlan, die: bool) -> None:
    async def finish(plan: ImportPlan) -> None:
        if die:
            os.kill(os.getpid(), signal.SIGKILL)

    downloads = Downloads(folder=root / "downloads", publish=lambda event: None, manners=busy_manners)
    await downloads.restore(finish)
    downloads.resume_all()
    info = downloads.begin(plan, root / "models" / "tiny", finish)
    await downloads.wait(info.id)
    await downloads.close()
    print("done", flush=True)


if __name__ == "__main__":
    given = msgspec.json.decode(sys.stdin.buffer.read(), type=ImportPlan)
    asyncio.run(main(Path(sys.argv[1]), given, "--die-in-finish" in sys.argv))
