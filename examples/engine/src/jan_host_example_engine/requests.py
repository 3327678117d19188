"""From a request in OpenAI's shape to a job of this engine; what it can't do is refused, never ignored."""

from typing import Any

import msgspec
from jan_host import ChatRequest, CompletionRequest, GenerationOptions, TextFormat, TextPart, UnsupportedError

from jan_host_example_engine.counts import Sampling
from jan_host_example_engine.vocabulary import Vocabulary

_DEFAULT_TOKENS = 128
_HONOURED = frozenset(
    {
        *("model", "messages", "prompt", "stream", "stream_options", "user", "extra"),
        *("n", "max_tokens", "max_completion_tokens", "min_tokens", "ignore_eos", "stop"),
        *("seed", "temperature", "top_p", "top_k"),
    }
)
_ASKS_NOTHING: dict[str, Any] = {
    "tool_choice": "none",
    "parallel_tool_calls": True,
    "add_generation_prompt": True,
    "response_format": TextFormat(),
    "typical_p": 1.0,
    "repeat_penalty": 1.0,
    "best_of": 1,
}
"""Values that clients send and that are the same as sending nothing; beside zero, false and empty ones."""


class Job(msgspec.Struct, kw_only=True, frozen=True):
    """One request, ready to be generated."""

    prompt: list[int]
    choices: int
    max_tokens: int
    min_tokens: int
    ignore_end: bool
    stops: list[str]
    seed: int | None
    sampling: Sampling


def read_job(request: ChatRequest | CompletionRequest, vocabulary: Vocabulary) -> Job:
    """What a request asks for.

    Raises:
        InvalidRequestError: The prompt has token ids that the vocabulary does not have.
        UnsupportedError: It asks for something that this engine can't do.
    """
    for name in request.__struct_fields__:
        value = getattr(request, name)
        if name not in _HONOURED and value and value != _ASKS_NOTHING.get(name):
            raise UnsupportedError(f"This model can't do {name}. Leave it out.", param=name)
    if isinstance(request, ChatRequest):
        return _job(request, _chat_prompt(request, vocabulary), request.token_limit())
    return _job(request, _completion_prompt(request, vocabulary), request.token_limit())


def _chat_prompt(request: ChatRequest, vocabulary: Vocabulary) -> list[int]:
    """The messages as one text, a line each, the last one open: n-grams know no roles."""
    parts = [part for message in request.messages if message.content for part in message.content]
    if not all(isinstance(part, str | TextPart) for part in parts):
        raise UnsupportedError(
            "This model reads text only. Leave out images, sound and files.", param="messages"
        )
    return vocabulary.encode("\n".join(message.text() for message in request.messages))


def _completion_prompt(request: CompletionRequest, vocabulary: Vocabulary) -> list[int]:
    if isinstance(request.prompt, str):
        return vocabulary.encode(request.prompt)
    prompt = msgspec.convert(request.prompt, list[int])
    vocabulary.decode(prompt)  # refuses ids that are not there
    return prompt


def _job(request: GenerationOptions, prompt: list[int], limit: int | None) -> Job:
    return Job(
        prompt=prompt,
        choices=request.n or 1,
        max_tokens=_DEFAULT_TOKENS if limit is None else limit,
        min_tokens=request.min_tokens or 0,
        ignore_end=bool(request.ignore_eos),
        stops=request.stops(),
        seed=None if request.seed is None or request.seed < 0 else request.seed,
        sampling=Sampling(
            temperature=1.0 if request.temperature is None else request.temperature,
            top_p=1.0 if request.top_p is None else request.top_p,
            top_k=request.top_k or 0,
        ),
    )
