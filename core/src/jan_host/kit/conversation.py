"""Conversations as chat templates expect them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from jan_host.contract.chat import ChatMessage, ImagePart, Tool
from jan_host.contract.errors import InvalidRequestError, UnsupportedError
from jan_host.contract.unknown import as_plain

Message = dict[str, Any]

IMAGE = "image_url"
"""The type of a part that is an image."""
_ROLES = {"developer": "system", "function": "tool"}


@dataclass(frozen=True, slots=True)
class Habits:
    """What a template expects beyond OpenAI's shape; `template` finds it out by trying."""

    parts: bool = False
    """A content is a list of parts, never a text."""
    system: bool = True
    """There may be a system message."""
    arguments: bool = True
    """The arguments of a tool call are an object, not JSON as text."""
    null_content: bool = False
    """A message that calls tools and says nothing has no content, not an empty one."""


def conversation(
    messages: Sequence[ChatMessage | Mapping[str, Any]], habits: Habits, image: str | None = None
) -> list[Message]:
    """The messages as plain dicts: OpenAI's newer roles by their older names, and each content a text.

    Arguments of tool calls become what a template with these `habits` wants.

    Args:
        messages: In OpenAI's shape.
        habits: The template's.
        image: What stands for an image in the text; ``None``: images are refused.

    Raises:
        UnsupportedError: A content has a part that is not text.
        InvalidRequestError: A message is no message.
    """
    return [_message(message, index, habits, image) for index, message in enumerate(messages)]


def _message(
    given: ChatMessage | Mapping[str, Any], index: int, habits: Habits, image: str | None
) -> Message:
    fields = as_plain(given, unknown=False) if isinstance(given, msgspec.Struct) else given
    message = {key: value for key, value in fields.items() if value is not None}
    role = message.get("role")
    if not isinstance(role, str):
        raise InvalidRequestError(
            f"Message {index} has no role. Give it one, such as user.", param=f"messages[{index}].role"
        )
    message["role"] = _ROLES.get(role, role)
    message["content"] = _text(message.get("content", ""), index, image) or message.pop("refusal", "")
    if habits.arguments and message.get("tool_calls"):
        message["tool_calls"] = [_with_arguments(call) for call in message["tool_calls"]]
    return message


def _text(content: Any, index: int, image: str | None) -> str:
    if isinstance(content, str):
        return content
    found = []
    for place, part in enumerate(content):
        kind = part if isinstance(part, str) else part.get("type", "text")
        if image is not None and kind == IMAGE and part != IMAGE:
            found.append(image)
            continue
        text = part if isinstance(part, str) else part.get("text", part.get("refusal"))
        if not isinstance(text, str):
            raise UnsupportedError(
                f"This model reads text only, and the message has a part of type {kind}. Leave it out,"
                " or use a model that can read it.",
                param=f"messages[{index}].content[{place}]",
            )
        found.append(text)
    return "".join(found)


def image_urls(messages: Sequence[ChatMessage]) -> list[str]:
    """Where the images of a conversation are, in their order."""
    return [
        part.image_url.url
        for message in messages
        if isinstance(message.content, list)
        for part in message.content
        if isinstance(part, ImagePart)
    ]


def plain_tools(tools: Sequence[Tool | Mapping[str, Any]] | None) -> list[dict[str, Any]] | None:
    """The tools as plain dicts, and ``None`` when there are none."""
    return [as_plain(tool, unknown=False) for tool in tools] if tools else None


def shaped(messages: Sequence[Message], habits: Habits) -> Sequence[Message]:
    """The conversation with system messages and contents as a template with these `habits` wants them."""
    if not habits.system and has_system(messages):
        messages = folded(messages)
    if habits.null_content:
        messages = [
            {**m, "content": None} if m.get("tool_calls") and not m["content"] else m for m in messages
        ]
    if not habits.parts:
        return messages
    return [{**message, "content": [{"type": "text", "text": message["content"]}]} for message in messages]


def has_system(messages: Sequence[Message]) -> bool:
    """Whether there is a system message."""
    return any(message["role"] == "system" for message in messages)


def folded(messages: Sequence[Message]) -> list[Message]:
    """Each system message put at the head of the user's next one, for templates that know no system."""
    found: list[Message] = []
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "system":
            waiting.append(message["content"])
        elif message["role"] == "user" and waiting:
            found.append({**message, "content": "\n\n".join([*waiting, message["content"]])})
            waiting = []
        else:
            found.append(message)
    return [*found, {"role": "user", "content": "\n\n".join(waiting)}] if waiting else found


def _with_arguments(call: Mapping[str, Any]) -> dict[str, Any]:
    """The tool call with its arguments as an object, where they are one."""
    function = call.get("function")
    if not isinstance(function, Mapping) or not isinstance(function.get("arguments"), str):
        return dict(call)
    try:
        arguments = json.loads(function["arguments"])
    except (ValueError, RecursionError):
        return dict(call)
    return (
        {**call, "function": {**function, "arguments": arguments}}
        if isinstance(arguments, dict)
        else dict(call)
    )
