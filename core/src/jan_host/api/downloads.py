"""``/v1/downloads``: what is being fetched."""

from typing import Literal

import msgspec
from litestar import delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from jan_host.api.operation import operation
from jan_host.contract.events import DownloadInfo
from jan_host.host import JanHost


class DownloadList(msgspec.Struct, kw_only=True):
    """The answer to ``GET /v1/downloads``."""

    object: Literal["list"] = "list"
    data: list[DownloadInfo]


def download_routes(host: JanHost) -> list[HTTPRouteHandler]:
    """The download routes over a host."""

    @get("/downloads", **operation("list_downloads", "List downloads", "Downloads"))
    async def list_downloads() -> DownloadList:
        """What is on its way or waits, what can be resumed, and what is done since the host began."""
        return DownloadList(data=list(host.downloads.list()))

    @get("/downloads/{download_id:str}", **operation("retrieve_download", "Retrieve a download", "Downloads"))
    async def retrieve_download(download_id: FromPath[str]) -> DownloadInfo:
        """How far a download is, file by file."""
        return host.downloads.get(download_id)

    @delete("/downloads/{download_id:str}", **operation("cancel_download", "Cancel a download", "Downloads"))
    async def cancel_download(download_id: FromPath[str], drop: FromQuery[bool] = False) -> DownloadInfo:
        """Ends a download. What was fetched stays for a resume, unless `drop` is true: then it is deleted."""
        return await host.downloads.cancel(download_id, drop=drop)

    @post(
        "/downloads/{download_id:str}/resume",
        **operation("resume_download", "Resume a download", "Downloads", status=202),
    )
    async def resume_download(download_id: FromPath[str]) -> DownloadInfo:
        """Goes on with a download that failed or was cancelled; what is here is not fetched again."""
        return await host.downloads.resume(download_id)

    return [list_downloads, retrieve_download, cancel_download, resume_download]
