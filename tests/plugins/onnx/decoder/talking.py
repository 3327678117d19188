"""Load SmolLM2 in ONNX in this process and talk to it, for the tests of this folder."""

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
    TokenLogprob,
    Usage,
)
from jan_host_onnx.engine import OnnxEngine
from jan_host_onnx.generation.model import DecoderModel

CAPITAL = "What is the capital of France? Answer in one sentence."
STORY = "Tell me a long story about a river."


def described(folder: Path) -> Model:
    """The model in `folder`, as a model.json would describe it."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return Model(id="smollm2-onnx", format="onnx", sources=[Source(filename=name) for name in names])


async def load(folder: Path, **settings: Any) -> DecoderModel:
    """The model in `folder`, as a host loads it; four sequences of 512 tokens when nothing else is said."""
    engine = OnnxEngine()
    given = {"ctx_len": 512, "n_parallel": 4, **settings}
    decoded = msgspec.convert(given, engine.Settings, strict=False)
    loaded = await engine.load(described(folder), folder, decoded, lambda _: None)
    assert isinstance(loaded, DecoderModel)
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
