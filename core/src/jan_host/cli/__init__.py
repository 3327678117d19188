"""The command line: ``jan-host``."""

from jan_host.cli.app import main

__all__ = ["main"]
