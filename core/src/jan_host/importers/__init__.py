"""The importers that every jan-host has: files of this machine, and files at any address.

They come in through the same door as everyone's, the entry point group ``jan_host``, and are asked
last: a plugin that knows a place better goes before them.
"""

from collections.abc import Iterable

from jan_host.contract.importer import Importer
from jan_host.hooks import hookimpl
from jan_host.importers.file import FileImporter
from jan_host.importers.web import WebImporter


@hookimpl
def jan_importers() -> Iterable[Importer]:
    """The importers ``file`` and ``https``."""
    return [FileImporter(), WebImporter()]
