"""Requests become prompts and limits: what every local engine checks before it computes."""

from collections.abc import Iterable, Sequence
from typing import Final, Never

from jan_host.contract.completion import CompletionRequest
from jan_host.contract.errors import ContextLengthExceededError, InvalidRequestError, UnsupportedError

MOST_CHARACTERS: Final = 4 * 1024 * 1024
"""Of a text that is turned into tokens: about a million tokens. Of a text without gaps, tokenizers take a
hundred times as many bytes."""


def check_text(text: str) -> None:
    """Refuse a text that would take too much memory to be turned into tokens.

    Raises:
        InvalidRequestError: Says how long it may be.
    """
    if len(text) > MOST_CHARACTERS:
        raise InvalidRequestError(
            f"The text has {len(text)} characters; {MOST_CHARACTERS} can be turned into tokens at once. Send"
            " it in parts."
        )


def prompt_ids(prompt: Sequence[object], size: int) -> list[int]:
    """The token ids of a prompt that is no text.

    Args:
        prompt: As the request has it.
        size: Of the vocabulary, in tokens.

    Raises:
        InvalidRequestError: It is several prompts, or one of the ids is of no token.
    """
    ids = [item for item in prompt if isinstance(item, int)]
    if len(ids) != len(prompt):
        raise InvalidRequestError("The engine takes one prompt at a time. Send one text.", param="prompt")
    check_ids(ids, size, "prompt")
    return ids


def check_ids(tokens: Iterable[int], size: int, param: str) -> None:
    """Refuse ids that a vocabulary does not have, which native code would not survive.

    Args:
        tokens: The ids.
        size: Of the vocabulary, in tokens.
        param: The field of the request that they came in, for the error.

    Raises:
        InvalidRequestError: Names the first such id.
    """
    for token in tokens:
        if not 0 <= token < size:
            raise InvalidRequestError(
                f"{token} is not a token id of this model. Use ids from 0 to {size - 1}.", param=param
            )


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


def refuse_hopeless(size: int, longest: int, context: int, *, chat: bool) -> None:
    """Refuse a text that can't fit, whatever its tokens are: they need not be known for that.

    Args:
        size: Of the text, in characters.
        longest: The bytes of the longest token.
        context: Tokens that prompt and answer may use together.
        chat: Whether the text is a conversation, for the message.

    Raises:
        ContextLengthExceededError: It does not fit.
    """
    fewest = -(-size // longest)
    if fewest < context:
        return
    where = "messages" if chat else "prompt"
    raise ContextLengthExceededError(
        f"This model's maximum context length is {context} tokens. However, you sent {size} characters in the"
        f" {where}: {fewest} tokens at least. Please reduce the length of the {where}.",
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
