"""What clients of other local servers say in other words than OpenAI's or ours.

A model of this machine would not hear them: they stand among the fields that no type names. A remote
model's own server gets them as they came. Where a request has both words, ours counts.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from jan_host.contract.chat import ChatRequest
from jan_host.contract.completion import CompletionRequest
from jan_host.contract.errors import ValidationError
from jan_host.contract.options import GenerationOptions
from jan_host.host.words.structures import KINDS, of_all, of_kind

RequestT = TypeVar("RequestT", bound=GenerationOptions)
Fields = dict[str, Any]
Read = Callable[[Any, type[GenerationOptions]], Fields]
"""From a value and the kind of request to the fields that say the same."""


def in_our_words(request: RequestT) -> RequestT:
    """A copy of `request` with fields of ours for what it says in words of others.

    Raises:
        ValidationError: One of them has a value that it can't have.
    """
    kind = type(request)
    changes: Fields = {}
    for name in request.extra.keys() & WORDS.keys():
        value = request.extra[name]
        if value is not None:
            found = _read(name, value, kind)
            changes |= {field: found[field] for field in found if getattr(request, field) is None}
    return msgspec.structs.replace(request, **changes) if changes else request


def _read(name: str, value: Any, kind: type[GenerationOptions]) -> Fields:
    """The fields for a word of others, with values that a request of that kind can have."""
    fields = WORDS[name](value, kind)
    try:
        checked = msgspec.convert({**_EMPTY[kind], **fields}, kind)
    except msgspec.ValidationError as error:
        problem = str(error).partition(" - at ")[0]
        raise ValidationError(f"{name}: {problem}.", param=name) from None
    return {field: getattr(checked, field) for field in fields}


_EMPTY: Mapping[type[GenerationOptions], Fields] = {
    ChatRequest: {"messages": [{"role": "user"}]},
    CompletionRequest: {"prompt": ""},
}
"""The least that a request of each kind consists of."""


def _renamed(field: str) -> Read:
    return lambda value, kind: {field: value}


def _scores(value: Any, kind: type[GenerationOptions]) -> Fields:
    """How many of the most probable tokens are told at each place; 0: nothing is told."""
    if value == 0:
        return {}
    return {"logprobs": True, "top_logprobs": value} if kind is ChatRequest else {"logprobs": value}


def _schema(value: Any, kind: type[GenerationOptions]) -> Fields:
    """A JSON schema by itself."""
    return {"response_format": {"type": "json_schema", "json_schema": {"schema": value}}}


def _guided(kind: str) -> Read:
    """A structure by itself."""
    return lambda value, _: of_kind(kind, value, f"guided_{kind}")


WORDS: Mapping[str, Read] = {
    "ebnf": _renamed("grammar"),
    **{f"guided_{kind}": _guided(kind) for kind in KINDS},
    "json_schema": _schema,
    "n_cmpl": _renamed("n"),
    "n_predict": _renamed("max_tokens"),
    "n_probs": _scores,
    "min_new_tokens": _renamed("min_tokens"),
    "no_stop_trim": _renamed("include_stop_str_in_output"),
    "repetition_penalty": _renamed("repeat_penalty"),
    "structured_outputs": lambda value, _: of_all(value, "structured_outputs"),
}
"""The words of other servers for local models."""
