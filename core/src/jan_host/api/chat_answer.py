"""Deltas put together to a whole chat answer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from msgspec import UNSET

from jan_host.api.answers import Heading
from jan_host.api.frame import Frame
from jan_host.api.wire import AnswerMessage, ChatChoice, ChatCompletion, ChoiceLogprobs
from jan_host.contract.chat import FunctionCall, ToolCall
from jan_host.contract.generation import Delta, FinishReason, TokenLogprob, ToolCallDelta
from jan_host.contract.unknown import Unknown


@dataclass(slots=True)
class _Call:
    """A tool call that is being put together."""

    id: str = ""
    type: str = "function"
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    function_extra: dict[str, Any] = field(default_factory=dict)

    def add(self, piece: ToolCallDelta) -> None:
        self.id = piece.id or self.id
        self.type = piece.type or self.type
        self.extra |= piece.extra or {}
        if piece.function is not None:
            self.name += piece.function.name or ""
            self.arguments.append(piece.function.arguments or "")
            self.function_extra |= piece.function.extra or {}

    def result(self) -> ToolCall | Unknown:
        if self.type != "function":
            return Unknown(extra={"id": self.id, "type": self.type, **self.extra})
        arguments, extra = "".join(self.arguments), self.function_extra or UNSET
        function = FunctionCall(name=self.name, arguments=arguments, extra=extra)
        return ToolCall(id=self.id, function=function, extra=self.extra or UNSET)


@dataclass(slots=True)
class _Choice:
    """An answer that is being put together."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    calls: dict[int, _Call] = field(default_factory=dict)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish_reason: FinishReason | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    message_extra: dict[str, Any] = field(default_factory=dict)

    def add(self, delta: Delta) -> None:
        self.text.append(delta.text)
        self.reasoning.append(delta.reasoning)
        self.refusal.append(delta.refusal)
        self.logprobs += delta.logprobs
        self.finish_reason = delta.finish_reason or self.finish_reason
        for piece in delta.tool_calls:
            self.calls.setdefault(piece.index, _Call()).add(piece)
        if delta.extra:
            self.extra |= delta.extra.choice
            self.message_extra |= delta.extra.message

    def message(self) -> AnswerMessage:
        text, reasoning = "".join(self.text), "".join(self.reasoning)
        refusal = "".join(self.refusal) or None
        calls = [self.calls[index].result() for index in sorted(self.calls)]
        return AnswerMessage(
            content=text if text or not (calls or refusal) else None,
            refusal=refusal,
            reasoning_content=reasoning or UNSET,
            tool_calls=calls or UNSET,
            extra=self.message_extra or UNSET,
        )


class ChatAnswer:
    """Takes in the deltas of one generation, and gives the whole.

    Args:
        logprobs: Whether the request asked for log probabilities.
        head: See `Frame`.
    """

    def __init__(self, logprobs: bool, head: Callable[[], Heading]) -> None:
        self._logprobs = logprobs
        self._frame = Frame(ChatCompletion, head)
        self._choices: dict[int, _Choice] = {}

    def add(self, delta: Delta) -> None:
        """Take in the next delta."""
        self._frame.note(delta)
        self._choices.setdefault(delta.index, _Choice()).add(delta)

    def result(self) -> ChatCompletion:
        """The whole answer.

        Raises:
            EngineError: A choice was cut off.
        """
        return self._frame.whole([self._choice(index) for index in sorted(self._choices)])

    def _choice(self, index: int) -> ChatChoice:
        choice = self._choices[index]
        wanted = self._logprobs or choice.logprobs
        return ChatChoice(
            index=index,
            message=choice.message(),
            logprobs=ChoiceLogprobs(content=choice.logprobs) if wanted else None,
            finish_reason=choice.finish_reason or "stop",
            extra=choice.extra or UNSET,
        )
