"""What the OpenAPI document says of a route, said where the route is."""

from typing import Any, TypedDict

ANSWER = "answer"
"""In a handler's `opt`: the type of its JSON answer, where its annotation does not tell."""
EVENTS = "events"
"""In a handler's `opt`: the type of the data in the events that it may stream."""


class Operation(TypedDict):
    """The keyword arguments of Litestar's route decorators that `operation` fills in."""

    operation_id: str
    summary: str
    tags: list[str]
    status_code: int
    opt: dict[str, Any]


def operation(
    operation_id: str, summary: str, tag: str, *, status: int = 200, answer: Any = None, events: Any = None
) -> Operation:
    """The description of a route, for its decorator.

    Args:
        operation_id: Unique in the document; the seeds' name where they have one.
        summary: A few words.
        tag: One of the document's tags.
        status: The status of success.
        answer: The type of the JSON answer, where the handler's annotation does not tell.
        events: The type of the data in the server-sent events that the route may answer with.
    """
    opt = {name: kind for name, kind in ((ANSWER, answer), (EVENTS, events)) if kind is not None}
    return Operation(operation_id=operation_id, summary=summary, tags=[tag], status_code=status, opt=opt)
