"""What is asked of a chat template, and what becomes of it around the template's own work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jan_host.contract.chat import ChatMessage, Tool
from jan_host.contract.errors import InvalidRequestError
from jan_host.kit.conversation import Message
from jan_host.kit.segments import Segment, with_images

Messages = Sequence[ChatMessage | Mapping[str, Any]]
Tools = Sequence[Tool | Mapping[str, Any]] | None
Variables = Mapping[str, Any] | None

QUICK_CHARACTERS = 1 << 16
_RESERVED = frozenset(("messages", "tools", "documents", "bos_token", "eos_token", "add_generation_prompt"))


@dataclass(frozen=True, slots=True)
class Asked:
    """The arguments of `ChatTemplate.render`."""

    messages: Messages
    tools: Tools
    add_generation_prompt: bool
    continue_final: bool
    variables: Variables
    images: bool

    def is_short(self) -> bool:
        """Whether it is small enough for the event loop, by a quick look."""
        if self.tools is not None and len(self.tools) > 16:
            return False
        size = 0
        for message in self.messages:
            content = message.content if isinstance(message, ChatMessage) else message.get("content")
            size += 256 + (len(content) if isinstance(content, str) else QUICK_CHARACTERS if content else 0)
        return size <= QUICK_CHARACTERS


def checked(variables: Variables) -> Mapping[str, Any]:
    """The variables of a request.

    Raises:
        InvalidRequestError: One of them is the host's to set.
    """
    taken = _RESERVED.intersection(variables or ())
    if taken:
        raise InvalidRequestError(
            f"The template variable {min(taken)} is set by the host. Leave it out of chat_template_kwargs.",
            param="chat_template_kwargs",
        )
    return variables or {}


def left_open(messages: Sequence[Message], end: str) -> list[Message]:
    """The messages with a mark at which the prompt ends, so that the answer goes on there.

    Raises:
        InvalidRequestError: The last one is no answer.
    """
    *before, last = messages
    if last["role"] != "assistant":
        raise InvalidRequestError(
            "Only an answer can be continued, and the last message is not the assistant's.", param="messages"
        )
    return [*before, {**last, "content": last["content"] + end}]


def shown_images(segments: list[Segment], image: str, count: int) -> list[Segment]:
    """The segments with one for each place of an image.

    Raises:
        InvalidRequestError: The template does not show all `count` of them once.
    """
    found = with_images(segments, image)
    if sum(segment.image for segment in found) != count:
        raise InvalidRequestError(
            "The model's chat template does not show every image once. Send images in messages of the user,"
            " or give the model another prompt_template in its model.json.",
            param="messages",
        )
    return found


def cut(written: str, end: str) -> str:
    """What was written before the mark of `left_open`.

    Raises:
        InvalidRequestError: The template did not write it.
    """
    position = written.rfind(end)
    if position < 0:
        raise InvalidRequestError(
            "The model's chat template changes the assistant's last message, so that it can't be continued."
            " End the conversation with a message of the user.",
            param="messages",
        )
    return written[:position].replace(end, "")
