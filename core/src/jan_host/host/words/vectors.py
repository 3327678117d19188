"""What clients of other servers ask of embeddings and rerank, beyond the fields of the contract.

A remote model's own server gets it as it came. What would change an answer must not be ignored silently.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from jan_host.contract.errors import UnsupportedError
from jan_host.contract.vectors import EmbeddingRequest, RerankRequest

RequestT = TypeVar("RequestT", EmbeddingRequest, RerankRequest)
Asks = tuple[Callable[[Any], bool], str]

WHOLE_LENGTH = -1
"""Cut to as many tokens as the model reads, where a number of tokens is asked for."""


def _is_set(value: Any) -> bool:
    return value is not None


_CUT: Mapping[str, Asks] = {
    "truncate_prompt_tokens": (
        lambda value: value not in (None, WHOLE_LENGTH),
        "Send truncate: true, which cuts to as many as the model reads.",
    ),
}
BEYOND_EMBEDDING: Mapping[str, Asks] = {
    **_CUT,
    "embd_normalize": (lambda value: value not in (None, 2), "Leave it out: vectors have length 1."),
    "normalize": (lambda value: value is False, "Leave it out."),
    "late_chunking": (bool, "Leave it out."),
    "embed_dtype": (lambda value: value not in (None, "float32"), "Leave it out, and round the numbers."),
    "endianness": (lambda value: value not in (None, "native", "little"), "Leave it out."),
}
BEYOND_RERANK: Mapping[str, Asks] = {
    **_CUT,
    "max_tokens_per_doc": (_is_set, "Send truncate: true, or shorter documents."),
    "max_chunks_per_doc": (_is_set, "Send the parts of long documents as documents."),
    "rank_fields": (_is_set, "Send one text for each document."),
    "use_activation": (lambda value: value is False, "Leave it out."),
    "raw_scores": (bool, "Leave it out."),
}
"""Fields that ask for another answer: when they do, and what to do about it."""


def vectors_in_our_words(request: RequestT) -> RequestT:
    """The request with a field of ours for what it says in another word.

    Raises:
        UnsupportedError: It asks for what no engine on this machine can do.
    """
    beyond = BEYOND_EMBEDDING if isinstance(request, EmbeddingRequest) else BEYOND_RERANK
    for name, (asks, cure) in beyond.items():
        if asks(request.extra.get(name)):
            raise UnsupportedError(f"Models on this machine can't do {name}. {cure}", param=name)
    if request.truncate is None and request.extra.get("truncate_prompt_tokens") == WHOLE_LENGTH:
        return msgspec.structs.replace(request, truncate=True)
    return request
