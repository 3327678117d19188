"""Checks of models that see."""

import pytest

from jan_host.contract.chat import ChatMessage, ChatRequest, ContentPart, ImagePart, ImageURL, TextPart
from jan_host.contract.engine import Chats, Sees
from jan_host.contract.errors import InvalidRequestError
from jan_host.testing.fixtures import EngineFixtures, require
from jan_host.testing.generation import Live
from jan_host.testing.running import Run
from jan_host.testing.samples import BROKEN_IMAGES, PIXEL


class VisionChecks(EngineFixtures):
    """Images in conversations."""

    @pytest.fixture(scope="class")
    @classmethod
    def viewer(cls, live: Live) -> "Viewer":
        """Shows the live model images."""
        require("vision", live)
        require("chat", live)
        return Viewer(live)

    def test_an_image_counts_as_many_tokens_as_the_model_says(self, run: Run, viewer: "Viewer") -> None:
        tokens = run(viewer.tokens(PIXEL))
        assert tokens > 0
        counts = [run(viewer.prompt_tokens(*[PIXEL] * images)) for images in range(3)]
        assert counts[2] - counts[1] == tokens, f"a second image took {counts[2] - counts[1]}, not {tokens}"

    @pytest.mark.parametrize("name", BROKEN_IMAGES)
    def test_a_broken_image_is_refused_and_the_model_works_on(
        self, run: Run, viewer: "Viewer", name: str
    ) -> None:
        before = run(viewer.prompt_tokens(PIXEL))
        with pytest.raises(InvalidRequestError):
            run(viewer.prompt_tokens(BROKEN_IMAGES[name]))
        with pytest.raises(InvalidRequestError):
            run(viewer.tokens(BROKEN_IMAGES[name]))
        assert run(viewer.prompt_tokens(PIXEL)) == before


class Viewer:
    """Shows a live model images."""

    def __init__(self, live: Live) -> None:
        self._live = live

    async def tokens(self, url: str) -> int:
        """How many tokens the model says that an image takes."""
        assert isinstance(self._live.loaded, Sees)
        return await self._live.loaded.image_tokens(url)

    async def prompt_tokens(self, *urls: str) -> int:
        """The tokens of the prompt of a short conversation with images."""
        assert isinstance(self._live.loaded, Chats)
        parts: list[ContentPart] = [TextPart(text="Look")]
        parts += [ImagePart(image_url=ImageURL(url=url)) for url in urls]
        messages = [ChatMessage(role="user", content=parts)]
        request = ChatRequest(model=self._live.model_id, messages=messages, max_tokens=1)
        usage = None
        async for delta in self._live.loaded.chat(request):
            usage = delta.usage or usage
        assert usage is not None, "no delta has the usage"
        return usage.prompt_tokens
