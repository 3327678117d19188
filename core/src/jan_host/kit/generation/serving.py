"""How a model serves, whatever computes it: the settings and parameters that local engines share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


class ServingSettings(Protocol):
    """Load settings with the names that model.json files use."""

    @property
    def max_queue(self) -> int:
        """Requests that may wait beside those that are worked on."""
        ...

    @property
    def system_prompt(self) -> str | None:
        """A system message for conversations that have none."""
        ...

    @property
    def chat_template_kwargs(self) -> Mapping[str, Any]:
        """Variables for the chat template; those of a request go over them."""
        ...

    @property
    def reasoning_format(self) -> str:
        """``auto``: reasoning is told apart from the answer; ``none``: it stays in the text."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """How a model serves."""

    max_queue: int
    """Requests that may wait beside those that are worked on."""
    system_prompt: str | None = None
    """For conversations without a system message."""
    template_variables: Mapping[str, Any] = field(default_factory=dict)
    """For the chat template."""
    reasoning: bool = True
    """Whether reasoning is told apart from the answer."""
    default_limit: int | None = None
    """``max_tokens`` of the model's own parameters."""

    @classmethod
    def of(cls, settings: ServingSettings, parameters: Mapping[str, Any]) -> "Serving":
        """As a model's settings and its own parameters say."""
        return cls(
            max_queue=settings.max_queue,
            system_prompt=settings.system_prompt,
            template_variables=settings.chat_template_kwargs,
            reasoning=settings.reasoning_format == "auto",
            default_limit=_whole_number(parameters.get("max_tokens")),
        )


def _whole_number(value: object) -> int | None:
    """A number of the model's parameters, which may be written as text."""
    try:
        return int(str(value))
    except ValueError:
        return None
