"""What a model is for: to chat, to embed, to rank, or the first two. Loads no native code."""

from dataclasses import dataclass
from typing import Final

from jan_host import ModelLoadError

from jan_host_llamacpp.header import Header
from jan_host_llamacpp.inspection import EMBEDDING_ARCHITECTURES
from jan_host_llamacpp.settings import Settings

MEAN, CLS, LAST, RANK = 1, 2, 3, 4
"""``enum llama_pooling_type`` in llama.h."""
_POOLINGS: Final[dict[str, int]] = {"mean": MEAN, "cls": CLS, "last": LAST, "rank": RANK}
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
        return self.pooling == RANK


def purpose_of(header: Header, settings: Settings) -> Purpose:
    """What the model in a file is for.

    An encoder embeds, and so does a decoder whose file says how to pool. A decoder of another kind chats,
    and embeds as well when the setting `embedding` says so. A file that names no pooling gets the mean.

    Raises:
        ModelLoadError: It is to rank, and has no head that gives scores.
    """
    named = header.integer(header.own("pooling_type"))
    trained = named if named in _POOLINGS.values() else None
    sees_all = trained is not None and header.metadata.get(header.own("attention.causal")) is False
    encodes = sees_all or header.architecture in EMBEDDING_ARCHITECTURES
    pooling = _POOLINGS[settings.pooling] if settings.pooling else trained or MEAN
    if pooling == RANK:
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
