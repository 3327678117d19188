"""What can be asked of a loaded model: each method's capability, and its types on the wire."""

from dataclasses import dataclass
from typing import Any

import msgspec

from jan_host.contract.chat import ChatRequest
from jan_host.contract.completion import CompletionRequest
from jan_host.contract.vectors import EmbeddingRequest, EmbeddingResult, RerankRequest, RerankResult


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a capability protocol. It generates deltas when it has no `result`."""

    capability: str
    body: "msgspec.msgpack.Decoder[Any]"
    result: "msgspec.msgpack.Decoder[Any] | None" = None


def _decoder(kind: Any) -> "msgspec.msgpack.Decoder[Any]":
    return msgspec.msgpack.Decoder(kind)


METHODS = {
    "chat": Method("chat", _decoder(ChatRequest)),
    "complete": Method("complete", _decoder(CompletionRequest)),
    "embed": Method("embed", _decoder(EmbeddingRequest), _decoder(EmbeddingResult)),
    "rerank": Method("rerank", _decoder(RerankRequest), _decoder(RerankResult)),
    "tokenize": Method("tokenize", _decoder(str), _decoder(list[int])),
    "detokenize": Method("tokenize", _decoder(list[int]), _decoder(str)),
    "image_tokens": Method("vision", _decoder(str), _decoder(int)),
}
"""Each method by its name, which is also the name of the method of the protocol."""
