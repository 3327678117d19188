"""Deltas put together to a whole chat answer."""

from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec import UNSET

from jan_host.api.answers import Heading, check_finished
from jan_host.api.version import FINGERPRINT
from jan_host.api.wire import AnswerMessage, ChatChoice, ChatCompletion, ChoiceLogprobs
from jan_host.contract.chat import FunctionCall, ToolCall
from jan_host.contract.generation import (
    Delta,
    FinishReason,
    Timings,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)


@dataclass(slots=True)
class _Call:
    """A tool call that is being put together."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    def add(self, piece: ToolCallDelta) -> None:
        self.id = piece.id or self.id
        if piece.function is not None:
            self.name += piece.function.name or ""
            self.arguments.append(piece.function.arguments or "")

    def result(self) -> ToolCall:
        return ToolCall(id=self.id, function=FunctionCall(name=self.name, arguments="".join(self.arguments)))


@dataclass(slots=True)
class _Choice:
    """An answer that is being put together."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    calls: dict[int, _Call] = field(default_factory=dict)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish_reason: FinishReason | None = None

    def add(self, delta: Delta) -> None:
        self.text.append(delta.text)
        self.reasoning.append(delta.reasoning)
        self.refusal.append(delta.refusal)
        self.logprobs += delta.logprobs
        self.finish_reason = delta.finish_reason or self.finish_reason
        for piece in delta.tool_calls:
            self.calls.setdefault(piece.index, _Call()).add(piece)

    def message(self) -> AnswerMessage:
        text, reasoning = "".join(self.text), "".join(self.reasoning)
        refusal = "".join(self.refusal) or None
        calls = [self.calls[index].result() for index in sorted(self.calls)]
        return AnswerMessage(
            content=text if text or not (calls or refusal) else None,
            refusal=refusal,
            reasoning_content=reasoning or UNSET,
            tool_calls=calls or UNSET,
        )


class ChatAnswer:
    """Takes in the deltas of one generation, and gives the whole.

    Args:
        logprobs: Whether the request asked for log probabilities.
        head: The heading; asked for at the end, when it is known which model answered.
    """

    def __init__(self, logprobs: bool, head: Callable[[], Heading]) -> None:
        self._logprobs = logprobs
        self._head = head
        self._choices: dict[int, _Choice] = {}
        self._usage: Usage | None = None
        self._timings: Timings | None = None

    def add(self, delta: Delta) -> None:
        """Take in the next delta."""
        self._choices.setdefault(delta.index, _Choice()).add(delta)
        self._usage = delta.usage or self._usage
        self._timings = delta.timings or self._timings

    def result(self) -> ChatCompletion:
        """The whole answer.

        Raises:
            EngineError: A choice was cut off.
        """
        check_finished(index for index, choice in self._choices.items() if choice.finish_reason is None)
        head = self._head()
        return ChatCompletion(
            id=head.id,
            created=head.created,
            model=head.model,
            system_fingerprint=FINGERPRINT,
            choices=[self._choice(index) for index in sorted(self._choices)],
            usage=self._usage,
            timings=self._timings or UNSET,
        )

    def _choice(self, index: int) -> ChatChoice:
        choice = self._choices[index]
        wanted = self._logprobs or choice.logprobs
        return ChatChoice(
            index=index,
            message=choice.message(),
            logprobs=ChoiceLogprobs(content=choice.logprobs) if wanted else None,
            finish_reason=choice.finish_reason or "stop",
        )
