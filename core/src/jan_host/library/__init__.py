"""Models on disk: find them, read what describes them, write it, delete them."""

from jan_host.library.entries import Entry
from jan_host.library.library import Library
from jan_host.library.migration import Migration
from jan_host.library.validation import Problem

__all__ = ["Entry", "Library", "Migration", "Problem"]
