"""Models that chat about images."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from functools import cached_property
from typing import ClassVar, cast

import llama_cpp.llama_cpp as lib
from jan_host import ChatRequest, Delta, ImagePart
from jan_host.kit.generation import Prompt
from jan_host.kit.tools import Asked

from jan_host_llamacpp.embedding.models import ChatEmbeddingModel
from jan_host_llamacpp.model import LlamaCppModel
from jan_host_llamacpp.vision.assembling import assemble
from jan_host_llamacpp.vision.eye import Eye

_AHEAD = 2
"""Requests whose images are encoded while all sequences are busy: encoded images take much memory."""


class SeeingModel(LlamaCppModel):
    """A model with a projector; see `LlamaCppModel`."""

    sees: ClassVar = True

    def chat(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """Answer a conversation; see `jan_host.Chats`."""
        return self._chat_in_turn(request) if _has_images(request) else super().chat(request)

    async def image_tokens(self, url: str) -> int:
        """How many tokens of a prompt an image takes; see `jan_host.Sees`."""
        return await self._eye.measure(url)

    async def read_chat(self, request: ChatRequest, asked: Asked) -> Prompt:
        """The prompt of a conversation, its images encoded; see `GeneratingModel`."""
        if not asked.images:
            return await super().read_chat(request, asked)
        pictures = await self._eye.look(asked.images)
        prompt = await asyncio.to_thread(assemble, asked.segments, pictures, self._vocab)
        return self.adapted(request, prompt)

    async def free(self) -> None:
        """End the thread that looks at images, then free all."""
        await self._eye.close()
        await super().free()

    async def _chat_in_turn(self, request: ChatRequest) -> AsyncIterator[Delta]:
        answering = cast("AsyncGenerator[Delta]", super().chat(request))
        async with self._turns, aclosing(answering) as deltas:
            async for delta in deltas:
                yield delta

    @cached_property
    def _turns(self) -> asyncio.Semaphore:
        return asyncio.Semaphore(self._opened.kv.sequences + _AHEAD)

    @cached_property
    def _eye(self) -> Eye:
        projector = self._opened.projector
        assert projector is not None  # else `offering` takes another class
        return Eye(
            projector,
            context_length=self.context_length,
            batch_size=lib.llama_n_ubatch(self._opened.context.pointer),
        )


class SeeingEmbeddingModel(SeeingModel, ChatEmbeddingModel):
    """A model with a projector that embeds too; see `ChatEmbeddingModel`."""


def _has_images(request: ChatRequest) -> bool:
    return any(
        isinstance(part, ImagePart)
        for message in request.messages
        if isinstance(message.content, list)
        for part in message.content
    )
