"""Images in conversations, before a model on this machine gets them: checked, and fetched where allowed.

Models get data URLs alone. What stands behind an address is fetched here, since workers have no business
in the network, and only when the operator's configuration says so.
"""

import asyncio
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from jan_host.config import Config
from jan_host.contract.chat import ChatRequest, ImagePart, ImageURL
from jan_host.contract.engine import Sees
from jan_host.contract.errors import DownloadError, InvalidRequestError, UnsupportedError
from jan_host.downloads.public import PublicFiles
from jan_host.kit.images import KINDS, ImageLimits, check_image, data_url, read_image

_SHORT = 1 << 16
"""Characters of a data URL that are read on the event loop, sooner than another thread could begin."""


class Shown(NamedTuple):
    """An image of a conversation."""

    message: int
    part: int
    url: str

    @property
    def param(self) -> str:
        """Where it stands in the request."""
        return f"messages[{self.message}].content[{self.part}].image_url"


class Images:
    """Makes the images of requests ready for models. Belongs to one event loop.

    Args:
        config: The limits, and whether addresses may be fetched.
        environ: Where ``env:NAME`` of the proxy's address is looked up.
    """

    def __init__(self, config: Config, environ: Mapping[str, str]) -> None:
        self._config = config.images
        self._limits = ImageLimits(max_bytes=config.images.max_bytes, max_pixels=config.images.max_pixels)
        self._files = PublicFiles(
            private_hosts=config.images.private_hosts,
            proxy=config.downloads.proxy,
            environ=environ,
            timeout_seconds=config.images.timeout_seconds,
        )

    async def ready(self, request: ChatRequest, model: type) -> ChatRequest:
        """The request with every image as a data URL that was checked; itself where it has none.

        Args:
            request: The request.
            model: The class of the model that is to see them.

        Raises:
            UnsupportedError: The model sees nothing.
            InvalidRequestError: There are too many images, or one is broken, too large, or not to be had.
        """
        found = list(_shown(request))
        if not found:
            return request
        if not issubclass(model, Sees):
            raise UnsupportedError(
                "This model reads text only, and the conversation has an image. Leave it out, or use a model"
                " that can see, one with a projector.",
                param=found[0].param,
            )
        if len(found) > self._config.max_per_request:
            raise InvalidRequestError(
                f"The conversation has {len(found)} images; {self._config.max_per_request} are the most here."
                " Send fewer.",
                param="messages",
            )
        urls = await self._ready(found)
        return request if urls == [each.url for each in found] else _with_urls(request, found, urls)

    def close(self) -> None:
        """Close the connections."""
        self._files.close()

    async def _ready(self, found: list[Shown]) -> list[str]:
        tasks = [asyncio.ensure_future(self._url(each)) for each in found]
        try:
            urls = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        size = sum(map(len, urls)) * 3 // 4
        if size > self._config.max_bytes:
            raise InvalidRequestError(
                f"The images take {size} bytes together; {self._config.max_bytes} are the most here. Send"
                " fewer or smaller ones.",
                param="messages",
            )
        return urls

    async def _url(self, image: Shown) -> str:
        if image.url[:8].lower().startswith(("http://", "https://")):
            return await self._fetched(image)
        if len(image.url) <= _SHORT:
            read_image(image.url, self._limits, param=image.param)
        else:
            await asyncio.to_thread(read_image, image.url, self._limits, param=image.param)
        return image.url

    async def _fetched(self, image: Shown) -> str:
        if not self._config.remote:
            raise UnsupportedError(
                "Images are not fetched from addresses here. Send the file's bytes as a data URL, or let the"
                " operator allow it: [images] remote = true.",
                param=image.param,
            )
        try:
            async with asyncio.timeout(self._config.timeout_seconds):
                file = await self._files.read(image.url, most=self._limits.max_bytes, kinds=KINDS)
        except DownloadError as error:
            raise InvalidRequestError(f"The image can't be fetched: {error}", param=image.param) from None
        except TimeoutError:
            raise InvalidRequestError(
                f"The image did not come within {self._config.timeout_seconds:g} seconds. Send it as a data"
                " URL.",
                param=image.param,
            ) from None
        checked = check_image(file.data, file.media_type, self._limits, param=image.param)
        return await asyncio.to_thread(data_url, checked)


def _shown(request: ChatRequest) -> Iterator[Shown]:
    for number, message in enumerate(request.messages):
        if isinstance(message.content, list):
            for place, part in enumerate(message.content):
                if isinstance(part, ImagePart):
                    yield Shown(number, place, part.image_url.url)


def _with_urls(request: ChatRequest, found: list[Shown], urls: list[str]) -> ChatRequest:
    """A copy of the request with other addresses of its images."""
    messages = list(request.messages)
    for each, url in zip(found, urls, strict=True):
        message = messages[each.message]
        content = list(message.content or [])
        content[each.part] = ImagePart(image_url=ImageURL(url=url))
        messages[each.message] = msgspec.structs.replace(message, content=content)
    return msgspec.structs.replace(request, messages=messages)
