"""What the parts of a generation ask of a model's vocabulary."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from jan_host.kit.generation.logprobs import Spells


class Scored(Spells, Protocol):
    """A vocabulary for whose tokens a model gives scores."""

    @property
    def size(self) -> int:
        """How many tokens the model gives scores for."""
        ...

    @property
    def end_ids(self) -> npt.NDArray[np.int32]:
        """The tokens that end a generation, in ascending order."""
        ...


class ModelVocabulary(Scored, Protocol):
    """All that is asked of a model's vocabulary; its methods are thread-safe."""

    @property
    def ends(self) -> frozenset[int]:
        """The tokens that end a generation."""
        ...

    @property
    def control(self) -> Mapping[str, int]:
        """Control tokens by their text: what a template may write and a user's text may not."""
        ...

    def tokenize(self, text: str) -> list[int]:
        """The ids of a text, in which control tokens are text; nothing is added."""
        ...

    def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of tokens, control tokens written out.

        Raises:
            InvalidRequestError: An id that the vocabulary does not have.
        """
        ...
