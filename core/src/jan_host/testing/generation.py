"""What a generation has to look like, whoever makes it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from jan_host.contract.chat import ChatMessage, ChatRequest
from jan_host.contract.completion import CompletionRequest
from jan_host.contract.engine import Chats, Completes, LoadedModel
from jan_host.contract.errors import JanHostError
from jan_host.contract.generation import Delta, FinishReason, Usage


@dataclass(frozen=True)
class Answer:
    """A generation, put together."""

    texts: list[str]
    finish_reasons: list[FinishReason]
    usage: Usage
    deltas: list[Delta]

    @property
    def text(self) -> str:
        """The first choice's text."""
        return self.texts[0]


async def collect(stream: AsyncIterator[Delta]) -> list[Delta]:
    """All deltas of a generation."""
    return [delta async for delta in stream]


async def close(stream: AsyncIterator[Delta]) -> None:
    """Close a generation, which cancels it."""
    aclose = getattr(stream, "aclose", None)
    assert aclose is not None, f"{type(stream).__name__} has no aclose(): a generation must be closable"
    await aclose()


def put_together(deltas: Sequence[Delta], choices: int = 1) -> Answer:
    """The answer that `deltas` make, having checked every rule of `Delta`'s docstring."""
    assert deltas, "the generation yielded nothing: each choice must end with a finish_reason"
    finished: dict[int, FinishReason] = {}
    texts = [""] * choices
    for delta in deltas:
        assert isinstance(delta, Delta), f"{delta!r} is not a Delta"
        assert 0 <= delta.index < choices, f"index {delta.index} with n={choices}"
        assert delta.index not in finished, f"choice {delta.index} went on behind its finish_reason: {delta}"
        delta.text.encode()  # no half of a surrogate pair
        texts[delta.index] += delta.text
        if delta.finish_reason is not None:
            assert delta.finish_reason in get_args(FinishReason), f"finish_reason {delta.finish_reason!r}"
            finished[delta.index] = delta.finish_reason
    assert len(finished) == choices, f"only choices {sorted(finished)} of {choices} have a finish_reason"
    usage = _check_usage(deltas)
    return Answer(texts, [finished[index] for index in range(choices)], usage, list(deltas))


def _check_usage(deltas: Sequence[Delta]) -> Usage:
    early = [delta for delta in deltas[:-1] if delta.usage is not None]
    assert not early, f"usage belongs on the very last delta alone, and was also on {early[0]}"
    usage = deltas[-1].usage
    assert usage is not None, f"the very last delta must carry usage, and is {deltas[-1]}"
    assert usage.prompt_tokens >= 0, usage
    assert usage.completion_tokens >= 0, usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, usage
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else 0
    assert 0 <= cached <= usage.prompt_tokens, usage
    spoken = any(delta.text or delta.reasoning or delta.tool_calls for delta in deltas)
    assert usage.completion_tokens > 0 or not spoken, (
        f"there was an answer, and usage counts no token: {usage}"
    )
    return usage


def check_words(error: JanHostError) -> None:
    """An error of the contract is shown to users as it stands, so it says something."""
    assert str(error).strip(), f"{type(error).__name__} says nothing: tell what is wrong and what to do"


@dataclass
class Live:
    """The model that the tests of a class share; a test may have replaced it."""

    model_id: str
    loaded: LoadedModel


@dataclass(frozen=True)
class Ask:
    """Asks the live model in one way, so that one test checks both."""

    kind: str
    """``chat`` or ``complete``."""
    live: Live

    def stream(self, prompt: str, **options: Any) -> AsyncIterator[Delta]:
        """Begin a generation."""
        loaded = self.live.loaded
        if self.kind == "chat":
            assert isinstance(loaded, Chats)
            messages = [ChatMessage(role="user", content=prompt)]
            return loaded.chat(ChatRequest(model=self.live.model_id, messages=messages, **options))
        assert isinstance(loaded, Completes)
        return loaded.complete(CompletionRequest(model=self.live.model_id, prompt=prompt, **options))

    async def answer(self, prompt: str, **options: Any) -> Answer:
        """A whole generation, checked."""
        return put_together(await collect(self.stream(prompt, **options)), options.get("n") or 1)

    async def greedy(self, prompt: str, **options: Any) -> Answer:
        """A whole generation at temperature 0."""
        return await self.answer(prompt, temperature=0.0, **options)
