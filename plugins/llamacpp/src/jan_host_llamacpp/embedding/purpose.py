"""What a model is for: to chat, to embed, to rank, or the first two."""

from dataclasses import dataclass
from typing import Any, Final

import llama_cpp.llama_cpp as lib
from jan_host import ModelLoadError

from jan_host_llamacpp.header import Header
from jan_host_llamacpp.inspection import EMBEDDING_ARCHITECTURES
from jan_host_llamacpp.settings import Settings

_POOLINGS: Final[dict[str, int]] = {
    "mean": lib.LLAMA_POOLING_TYPE_MEAN,
    "cls": lib.LLAMA_POOLING_TYPE_CLS,
    "last": lib.LLAMA_POOLING_TYPE_LAST,
    "rank": lib.LLAMA_POOLING_TYPE_RANK,
}
_HEADS: Final = frozenset({"cls.weight", "cls.output.weight"})
"""The tensors of which llama.cpp makes scores; without one of them it ends the process."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a loaded model offers."""

    chats: bool
    embeds: bool
    pooling: int
    """How the vectors of tokens become one: llama.cpp's number."""
    encodes: bool
    """Whether it is an encoder: all tokens of a text see each other, and there is no next one."""

    @property
    def ranks(self) -> bool:
        """Whether it gives scores instead of vectors."""
        return self.pooling == lib.LLAMA_POOLING_TYPE_RANK


def purpose_of(header: Header, settings: Settings) -> Purpose:
    """What the model in a file is for.

    An encoder embeds, and so does a decoder whose file says how to pool. A decoder of another kind chats,
    and embeds as well when the setting `embedding` says so. A file that names no pooling gets the mean.

    Raises:
        ModelLoadError: It is to rank, and has no head that gives scores.
    """
    encodes = header.architecture in EMBEDDING_ARCHITECTURES
    named = header.integer(header.own("pooling_type"))
    trained = named if named in _POOLINGS.values() else None
    pooling = _POOLINGS[settings.pooling] if settings.pooling else trained or lib.LLAMA_POOLING_TYPE_MEAN
    if pooling == lib.LLAMA_POOLING_TYPE_RANK:
        _check_head(header)
        return Purpose(chats=False, embeds=False, pooling=pooling, encodes=encodes)
    made_to_embed = encodes or (trained is not None and settings.embedding is not False)
    return Purpose(
        chats=not made_to_embed,
        embeds=made_to_embed or bool(settings.embedding),
        pooling=pooling,
        encodes=encodes,
    )


def _check_head(header: Header) -> None:
    whole = (header.integer("split.count") or 1) == 1
    if whole and not any(tensor.name in _HEADS for tensor in header.tensors):
        raise ModelLoadError(
            "The model has no head that gives scores, so that it can't rank documents. Use a reranker, or set"
            " pooling to mean, cls or last.",
            param="settings.pooling",
        )


def score_place(model: Any) -> int:
    """Which of the numbers that a reranker gives is the score.

    Raises:
        ModelLoadError: It sorts into classes of which none means "relevant".
    """
    count: int = lib.llama_model_n_cls_out(model)
    labels = [(lib.llama_model_cls_label(model, index) or b"").lower() for index in range(count)]
    if count == 1:
        return 0
    if b"yes" not in labels:
        raise ModelLoadError(
            f"The model sorts texts into {count} classes; a reranker gives one score, or has a class yes."
        )
    return labels.index(b"yes")
