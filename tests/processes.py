"""Processes that tests look at."""

import psutil


def children_with(word: str) -> list[psutil.Process]:
    """The processes that this one started itself and whose command has that word."""
    return [child for child in psutil.Process().children() if word in _command(child)]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):  # it has ended, and nobody has waited for it yet
        return ""
