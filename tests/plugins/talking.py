"""Requests to models that generate, and their answers put together: for the tests of every local engine."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from jan_host import (
    ChatMessage,
    ChatRequest,
    CompletionRequest,
    Delta,
    FinishReason,
    Timings,
    TokenLogprob,
    Usage,
)

CAPITAL = "What is the capital of France? Answer in one sentence."
STORY = "Tell me a long story about a river."


def chat(text: str = CAPITAL, **options: Any) -> ChatRequest:
    """A greedy request with one message of the user."""
    messages = [ChatMessage(role="user", content=text)]
    return ChatRequest(messages=messages, **{"temperature": 0.0, "max_tokens": 32, **options})


def completion(prompt: str | list[int], **options: Any) -> CompletionRequest:
    """A greedy request that continues `prompt`."""
    return CompletionRequest(prompt=prompt, **{"temperature": 0.0, "max_tokens": 16, **options})  # type: ignore[arg-type]  # list is invariant


@dataclass
class Answer:
    """A generation put together."""

    texts: dict[int, str] = field(default_factory=dict)
    reasons: dict[int, FinishReason] = field(default_factory=dict)
    deltas: list[Delta] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    timings: Timings = field(default_factory=Timings)

    @property
    def text(self) -> str:
        """The text of the only choice."""
        return self.texts[0]

    @property
    def reason(self) -> FinishReason:
        """Why the only choice ended."""
        return self.reasons[0]


async def collect(deltas: AsyncIterator[Delta]) -> Answer:
    """Everything that a generation yields."""
    answer = Answer()
    async for delta in deltas:
        answer.deltas.append(delta)
        answer.texts[delta.index] = answer.texts.get(delta.index, "") + delta.text
        answer.logprobs += delta.logprobs
        if delta.finish_reason is not None:
            answer.reasons[delta.index] = delta.finish_reason
        answer.usage = delta.usage or answer.usage
        answer.timings = delta.timings or answer.timings
    return answer
