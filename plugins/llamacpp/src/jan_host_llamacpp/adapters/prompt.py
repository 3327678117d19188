"""Prompts of models with adapters."""

from dataclasses import dataclass, replace
from typing import Any

from jan_host.kit.generation import Prompt, Sequence

from jan_host_llamacpp.adapters.asked import Scales


@dataclass(frozen=True)
class AdaptedPrompt(Prompt):
    """A prompt that is computed with adapters."""

    scales: Scales = ()


def adapted(prompt: Prompt, scales: Scales) -> Prompt:
    """The prompt as it is computed with adapters; the same where the model has none."""
    if not scales:
        return prompt
    if isinstance(prompt, AdaptedPrompt):
        return replace(prompt, scales=scales)
    return AdaptedPrompt(prompt.ids, prompt.added, scales)


def scales_of(sequence: Sequence[Any]) -> Scales:
    """With how much of each adapter a sequence is computed."""
    given = sequence.job.given
    return given.scales if isinstance(given, AdaptedPrompt) else ()
