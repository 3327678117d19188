"""What a model will need, by its engine's own estimate."""

import asyncio
import logging

import msgspec

from jan_host.contract.engine import Engine, Footprint
from jan_host.runtime.faults import describe_error
from jan_host.runtime.launch import Launch
from jan_host.runtime.loading import decode_settings

ESTIMATE_SECONDS = 30.0
"""An estimate reads headers of files; who takes longer is not waited for."""

WORKER_BYTES = 32_000_000
"""A worker before its engine loads anything: Python and this package (28 MB on Linux, Python 3.11)."""

logger = logging.getLogger(__name__)


async def footprint_of(launch: Launch) -> Footprint:
    """The memory that a launch will take: what its engine reckons, and the worker around it.

    Where the engine can't tell, it is the worker alone.

    Raises:
        ModelLoadError: A setting can't be used.
    """
    settings = decode_settings(launch.engine, launch.settings)
    try:
        async with asyncio.timeout(ESTIMATE_SECONDS):
            estimate = await asyncio.to_thread(launch.engine.estimate, launch.model, launch.folder, settings)
        ram, device = max(0, int(estimate.ram)), max(0, int(estimate.device))
    except Exception as error:  # a plugin may raise or return anything; the start itself will tell
        logger.warning("The memory that %s needs is not known: %s", launch.model.id, describe_error(error))
        ram = device = 0
    return with_worker(launch.engine, Footprint(ram=ram, device=device))


def with_worker(engine: Engine, footprint: Footprint) -> Footprint:
    """What an engine reckons for a model, and the process around it where it runs in one of its own."""
    if engine.runs_in == "host":
        return footprint
    return msgspec.structs.replace(footprint, ram=footprint.ram + WORKER_BYTES)
