"""``POST /v1/chat/completions``."""

from collections.abc import AsyncIterator

import msgspec
from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody
from litestar.types import ASGIApp

from jan_host.api.answers import Heading, heading, model_name, plain_id
from jan_host.api.chat_answer import ChatAnswer
from jan_host.api.chat_chunks import ChatChunks
from jan_host.api.limits import check_chat
from jan_host.api.operation import operation
from jan_host.api.replies import JsonStruct
from jan_host.api.sse import EventStream
from jan_host.api.wire import ChatCompletion, ChatCompletionChunk
from jan_host.contract.chat import ChatRequest
from jan_host.contract.generation import Delta
from jan_host.host import JanHost
from jan_host.host.closing import Closing


def chat_routes(host: JanHost) -> list[HTTPRouteHandler]:
    """The chat route over a host."""
    config = host.config.server

    @post(
        "/chat/completions",
        **operation(
            "create_chat_completion",
            "Create chat completion",
            "Chat",
            answer=ChatCompletion,
            events=ChatCompletionChunk,
        ),
    )
    async def create_chat_completion(data: JSONBody[ChatRequest]) -> ASGIApp:
        """Answer a conversation, in one piece or as a stream of chunks.

        Only the request's own `stream` decides which: a default in the model's parameters does
        not, since a client that did not ask for a stream could not read one.
        """
        check_chat(data, config)
        request = msgspec.structs.replace(data, model=plain_id(data.model))

        def head() -> Heading:
            return heading("chatcmpl", model_name(host, request.model))

        deltas = host.chat(request)
        if not request.stream:
            return JsonStruct(await _whole(deltas, ChatAnswer(bool(request.logprobs), head)))
        chunks = ChatChunks(head, request.stream_options)
        return EventStream(deltas, write=chunks.add, tail=chunks.end)

    return [create_chat_completion]


async def _whole(deltas: AsyncIterator[Delta], answer: ChatAnswer) -> ChatCompletion:
    async with Closing(deltas) as source:
        async for delta in source:
            answer.add(delta)
    return answer.result()
