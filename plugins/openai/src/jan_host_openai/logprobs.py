"""The log probabilities of an upstream's answer."""

from typing import Any

import msgspec
from jan_host import TokenLogprob, TopLogprob
from msgspec import UNSET

from jan_host_openai.answers import beyond

_TOKEN = frozenset(each.encode_name for each in msgspec.structs.fields(TokenLogprob))
_TOP = frozenset(each.encode_name for each in msgspec.structs.fields(TopLogprob))


class Logprobs(msgspec.Struct):
    """Log probabilities: `content` and `refusal` of chats, the others of completions."""

    content: list[TokenLogprob] | None = None
    refusal: list[TokenLogprob] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


def logprobs_of(found: Any) -> list[TokenLogprob]:
    """Those of a chat, or those of a completion in their older shape.

    Raises:
        msgspec.ValidationError: They have neither shape.
    """
    given = msgspec.convert(found, Logprobs)
    if given.content or given.refusal:
        return [*_kept(given.content, found.get("content")), *_kept(given.refusal, found.get("refusal"))]
    tokens, values = given.tokens or [], given.token_logprobs or []
    tops = given.top_logprobs or [None] * len(tokens)
    return [
        TokenLogprob(
            token=token,
            logprob=value,
            top_logprobs=[TopLogprob(token=each, logprob=other) for each, other in (top or {}).items()],
        )
        for token, value, top in zip(tokens, values, tops, strict=False)
    ]


def _kept(tokens: list[TokenLogprob] | None, found: Any) -> list[TokenLogprob]:
    """The tokens, with what nobody named of each and of its alternatives."""
    for token, fields in zip(tokens or (), found or (), strict=True):
        token.extra = beyond(fields, _TOKEN) or UNSET
        for top, others in zip(token.top_logprobs, fields.get("top_logprobs") or (), strict=True):
            top.extra = beyond(others, _TOP) or UNSET
    return tokens or []
