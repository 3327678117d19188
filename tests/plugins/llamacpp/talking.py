"""Load SmolLM2 in this process and talk to it, for the tests of this folder."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from jan_host import (
    ChatMessage,
    ChatRequest,
    CompletionRequest,
    Delta,
    FinishReason,
    Model,
    Source,
    Timings,
    Usage,
)
from jan_host_llamacpp.engine import LlamaCpp
from jan_host_llamacpp.model import LlamaCppModel

CAPITAL = "What is the capital of France? Answer in one sentence."
STORY = "Tell me a long story about a river."


async def load(path: Path, *, parameters: dict[str, Any] | None = None, **settings: Any) -> LlamaCppModel:
    """The model at `path`, loaded as a host would; two sequences of 512 tokens when nothing else is said."""
    model = Model(
        id="smollm2",
        format="gguf",
        sources=[Source(filename=path.name)],
        parameters=parameters or {},
    )
    given = {"ctx_len": 512, "n_parallel": 2, **settings}
    engine = LlamaCpp()
    decoded = msgspec.convert(given, engine.Settings, strict=False)
    loaded = await engine.load(model, path.parent, decoded, lambda _: None)
    assert isinstance(loaded, LlamaCppModel)
    return loaded


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
        if delta.finish_reason is not None:
            answer.reasons[delta.index] = delta.finish_reason
        answer.usage = delta.usage or answer.usage
        answer.timings = delta.timings or answer.timings
    return answer
