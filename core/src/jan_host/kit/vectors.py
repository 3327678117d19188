"""For authors of engines that embed or rerank: vectors as they are asked for, texts that are too long."""

from typing import Final

import numpy as np
import numpy.typing as npt

from jan_host.contract.errors import ContextLengthExceededError, InvalidRequestError

Vectors = npt.NDArray[np.float32]

_LEAST: Final = 1e-12
"""What a vector is divided by at least: one without a direction stays zero."""


def scale(vectors: Vectors) -> Vectors:
    """The vectors (``[texts, numbers]``) with length 1."""
    lengths = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
    scaled: Vectors = np.divide(vectors, np.maximum(lengths, _LEAST), dtype=np.float32)
    return scaled


def cut(vectors: Vectors, dimensions: int | None, *, normalize: bool) -> Vectors:
    """The first numbers of each vector, as models trained for that (Matryoshka) are meant to be cut.

    Args:
        vectors: ``[texts, numbers]``.
        dimensions: How many numbers are wanted; ``None`` for all.
        normalize: Scale what is left to length 1 again.

    Raises:
        InvalidRequestError: There are fewer.
    """
    if dimensions is None or dimensions == vectors.shape[1]:
        return vectors
    if dimensions > vectors.shape[1]:
        raise InvalidRequestError(
            f"dimensions is {dimensions}, and the model's vectors have {vectors.shape[1]}. Ask for fewer.",
            param="dimensions",
        )
    return scale(vectors[:, :dimensions]) if normalize else vectors[:, :dimensions]


def relevance(scores: npt.NDArray[np.float64]) -> list[float]:
    """A reranker's numbers (logits) as relevance from 0 to 1: their sigmoid."""
    found: list[float] = (1 / (1 + np.exp(-np.clip(scores, -700, 700)))).tolist()
    return found


def document_text(document: str | dict[str, str], index: int) -> str:
    """The text of a document to rank.

    Raises:
        InvalidRequestError: It is an object without one.
    """
    if isinstance(document, str):
        return document
    if "text" not in document:
        raise InvalidRequestError(
            f"Document {index} has no field text. Send strings, or objects with a field text.",
            param=f"documents[{index}].text",
        )
    return document["text"]


def check_size(size: int, most: int, param: str, what: str) -> None:
    """Refuse a text that the model can't read.

    Args:
        size: Its tokens.
        most: Tokens that the model reads.
        param: The field of the request.
        what: The text, as the beginning of a sentence.

    Raises:
        InvalidRequestError: It has no token.
        ContextLengthExceededError: It has too many; says both numbers.
    """
    if not size:
        raise InvalidRequestError(f"{what} is empty. Send a text with at least one token.", param=param)
    if size > most:
        raise ContextLengthExceededError(
            f"{what} has {size} tokens, and the model reads {most} at most. Send less, or set truncate to"
            " true to have its end cut off.",
            param=param,
        )
