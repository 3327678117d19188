"""A plan becomes files: fetched with resume, verified, unpacked, and moved into place."""

from jan_host.downloads.addresses import shown
from jan_host.downloads.downloads import Downloads

__all__ = ["Downloads", "shown"]
