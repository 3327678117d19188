"""Text completion: the request, in the shape of OpenAI's completions."""

from typing import Annotated

from msgspec import Meta

from jan_host.contract.chat import ResponseFormat
from jan_host.contract.errors import ValidationError
from jan_host.contract.options import GenerationOptions, TokenId

TokenIds = Annotated[list[TokenId], Meta(min_length=1)]
Prompts = str | Annotated[list[str | TokenId | TokenIds], Meta(min_length=1, max_length=1_000_000)]
"""OpenAI's four forms of one or many texts: a string, strings, token ids, lists of token ids."""


def split_prompts(prompts: Prompts, param: str) -> list[str | list[int]]:
    """Each text of `prompts` on its own: a string, or a list of token ids.

    Args:
        prompts: What the client sent.
        param: The field's name, for the error.

    Raises:
        ValidationError: Texts and token ids are mixed.
    """
    if isinstance(prompts, str):
        return [prompts]
    ids = [item for item in prompts if isinstance(item, int)]
    if not ids:
        return [item for item in prompts if not isinstance(item, int)]
    if len(ids) != len(prompts):
        raise ValidationError(
            f"{param} mixes token ids with texts or lists. Send strings, one list of token ids,"
            " or a list of such lists.",
            param=param,
        )
    return [ids]


class CompletionRequest(GenerationOptions, kw_only=True, omit_defaults=True):
    """The body of ``POST /v1/completions``.

    A client may send several prompts; the host splits them, so that an engine always sees
    one prompt: a string, or a list of token ids.
    """

    prompt: Prompts
    suffix: str | None = None
    echo: bool | None = None
    logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    best_of: Annotated[int, Meta(ge=1, le=128)] | None = None
    response_format: ResponseFormat | None = None
    """As for chat, which OpenAI's API has alone."""

    def token_limit(self) -> int | None:
        """How many tokens may be generated, or ``None`` for the engine's default."""
        return self.max_tokens
