"""The one place where what others raise becomes an error of the contract."""

import errno
import logging
from pathlib import Path

from jan_host.contract.errors import DownloadError, InsufficientDiskError, JanHostError

_log = logging.getLogger(__name__)
_FULL = (errno.ENOSPC, errno.EDQUOT)


def translate(error: Exception, *folders: Path) -> JanHostError:
    """What a failed download tells its user.

    Args:
        error: From the network, the disk, a callback; errors of the contract stay as they are.
        folders: Whose disk it may have been that became full.
    """
    import httpx

    if isinstance(error, JanHostError):
        return error
    if isinstance(error, OSError) and error.errno in _FULL:
        return InsufficientDiskError(
            f"The disk of {' or '.join(map(str, folders))} became full. Free some space, then resume the"
            " download: what has come is kept."
        )
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        return DownloadError(
            f"A file could not be written or read: {error.strerror or error}{where}. Check the folder and"
            " its permissions, then resume the download."
        )
    if isinstance(error, (httpx.HTTPError, httpx.InvalidURL)):
        return DownloadError(
            f"The origin's address or answer can't be used ({type(error).__name__}). Check the origin."
        )
    _log.error("A download failed in a way that nobody foresaw.", exc_info=error)
    return DownloadError(
        f"The download failed in a way that nobody foresaw ({type(error).__name__}); the log has more."
        " Resume it, and report this if it happens again."
    )
