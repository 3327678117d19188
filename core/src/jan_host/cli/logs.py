"""Where log lines go: to stderr, one line each."""

import logging

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

LEVELS = ("debug", "info", "warning", "error")

QUIET = ("httpx", "httpcore", "asyncio", "uvicorn.access")
"""Libraries that tell more than a user wants to know, below warnings."""


def log_to_stderr(level: str) -> None:
    """Begin to log at `level` (``debug``, ``info``, ``warning``, ``error``, ``critical``)."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    logging.basicConfig(level=number, format=FORMAT, datefmt="%H:%M:%S", force=True)
    if level != "debug":
        for name in QUIET:
            logging.getLogger(name).setLevel(logging.WARNING)
