"""Requests become prompts and limits: what every local engine checks before it computes."""

from collections.abc import Sequence
from typing import Never

from jan_host.contract.completion import CompletionRequest
from jan_host.contract.errors import ContextLengthExceededError, InvalidRequestError, UnsupportedError


def prompt_ids(prompt: Sequence[object]) -> list[int]:
    """The token ids of a prompt that is no text.

    Raises:
        InvalidRequestError: It is several prompts.
    """
    ids = [item for item in prompt if isinstance(item, int)]
    if len(ids) != len(prompt):
        raise InvalidRequestError("The engine takes one prompt at a time. Send one text.", param="prompt")
    return ids


def token_limit(asked: int | None, default: int | None, prompt: int, context: int, *, chat: bool) -> int:
    """How many tokens may be generated.

    Args:
        asked: ``max_tokens`` of the request, in which the model's own default is merged already.
        default: The model's own default: a wish, which gives way where the context ends earlier.
        prompt: Tokens of the prompt.
        context: Tokens that prompt and answer may use together.
        chat: Whether the prompt is a conversation, for the message.

    Raises:
        ContextLengthExceededError: Both do not fit; in OpenAI's words.
    """
    room = context - prompt
    if room >= 1 and (asked is None or asked == default):
        return room if asked is None else min(asked, room)
    wanted = 1 if asked is None or asked == default else asked
    if wanted <= room:
        return wanted
    where = "messages" if chat else "prompt"
    raise ContextLengthExceededError(
        f"This model's maximum context length is {context} tokens. However, you requested"
        f" {prompt + wanted} tokens ({prompt} in the {where}, {wanted} in the completion). Please reduce"
        f" the length of the {where} or completion.",
        param=where,
    )


def refuse_best_of(request: CompletionRequest, engine: str) -> None:
    """Raise for what no local engine can do yet: nothing is ignored in silence.

    Raises:
        UnsupportedError: The request wants the best of several answers.
    """
    if request.best_of not in (None, request.n or 1):
        refuse(engine, "best_of", "does not choose among answers", "leave best_of out and use n")


def refuse(engine: str, param: str, problem: str, cure: str) -> Never:
    """Raise for one option.

    Raises:
        UnsupportedError: Always.
    """
    raise UnsupportedError(f"The {engine} engine {problem} in this version: {cure}.", param=param)
