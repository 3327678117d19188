"""``POST /v1/completions``."""

from collections.abc import AsyncIterator

import msgspec
from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody
from litestar.types import ASGIApp

from jan_host.api.answers import Heading, heading, model_name, plain_id
from jan_host.api.completion_pieces import CompletionPieces
from jan_host.api.limits import check_completion
from jan_host.api.operation import operation
from jan_host.api.replies import JsonStruct
from jan_host.api.sse import EventStream
from jan_host.api.wire import Completion
from jan_host.contract.completion import CompletionRequest
from jan_host.contract.generation import Delta
from jan_host.host import JanHost
from jan_host.host.closing import Closing


def completion_routes(host: JanHost) -> list[HTTPRouteHandler]:
    """The completion route over a host."""
    config = host.config.server

    @post(
        "/completions",
        **operation(
            "create_completion", "Create completion", "Completions", answer=Completion, events=Completion
        ),
    )
    async def create_completion(data: JSONBody[CompletionRequest]) -> ASGIApp:
        """Continue one or several prompts, in one piece or as a stream.

        Choice `i` of prompt `p` has the index `p * n + i`.
        """
        check_completion(data, config)
        request = msgspec.structs.replace(data, model=plain_id(data.model))

        def head() -> Heading:
            return heading("cmpl", model_name(host, request.model))

        pieces = CompletionPieces(head, request.stream_options)
        deltas = host.complete(request)
        if not request.stream:
            return JsonStruct(await _whole(deltas, pieces))
        return EventStream(deltas, write=pieces.add, tail=pieces.end)

    return [create_completion]


async def _whole(deltas: AsyncIterator[Delta], pieces: CompletionPieces) -> Completion:
    async with Closing(deltas) as source:
        async for delta in source:
            pieces.keep(delta)
    return pieces.whole()
