"""Models on disk: find them, read what describes them, write it, delete them."""

from jan_host.library.entries import Entry
from jan_host.library.library import Library

__all__ = ["Entry", "Library"]
