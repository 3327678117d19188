"""Requests become prompts: token ids, in which only a template's own control tokens are control tokens."""

from collections.abc import Iterable

from jan_host import (
    ChatMessage,
    ChatRequest,
    CompletionRequest,
    ContextLengthExceededError,
    GenerationOptions,
    InvalidRequestError,
    TextFormat,
    UnsupportedError,
)
from jan_host.kit import ChatTemplate, Segment

from jan_host_llamacpp.vocab import Vocab

_STRIPS_LEFT = 1 << 7  # LLAMA_TOKEN_ATTR_LSTRIP
_STRIPS_RIGHT = 1 << 8  # LLAMA_TOKEN_ATTR_RSTRIP


async def chat_prompt(
    request: ChatRequest, template: ChatTemplate, vocab: Vocab, system_prompt: str | None
) -> list[int]:
    """The token ids of a conversation.

    Raises:
        UnsupportedError: The request asks for what this engine can't do.
        InvalidRequestError: The template refuses the conversation.
    """
    refuse_unsupported_chat(request)
    messages = request.messages
    if system_prompt and not any(message.role in ("system", "developer") for message in messages):
        messages = [ChatMessage(role="system", content=system_prompt), *messages]
    segments = await template.render(messages, variables=request.chat_template_kwargs)
    return with_start(segment_ids(segments, vocab), vocab)


def segment_ids(segments: Iterable[Segment], vocab: Vocab) -> list[int]:
    """Control segments become their token, texts are tokenized as text."""
    ids: list[int] = []
    before = 0
    pieces = list(segments)
    for index, segment in enumerate(pieces):
        if segment.control:
            token = vocab.control[segment.text]
            before = vocab.attributes(token)
            ids.append(token)
            continue
        text = segment.text.lstrip() if before & _STRIPS_RIGHT else segment.text
        after = pieces[index + 1] if index + 1 < len(pieces) else None
        if after is not None and vocab.attributes(vocab.control[after.text]) & _STRIPS_LEFT:
            text = text.rstrip()
        ids += vocab.tokenize(text)
        before = 0
    return ids


def with_start(ids: list[int], vocab: Vocab) -> list[int]:
    """The ids with the token that begins every text, if the model wants one and the template wrote none."""
    return [vocab.bos, *ids] if vocab.adds_bos and ids[:1] != [vocab.bos] else ids


def completion_prompt(request: CompletionRequest, vocab: Vocab) -> list[int]:
    """The token ids of a text, or the given ones.

    Raises:
        UnsupportedError: The request asks for what this engine can't do.
        InvalidRequestError: An id that the model does not have.
    """
    refuse_unsupported_completion(request)
    if isinstance(request.prompt, str):
        return vocab.tokenize(request.prompt, special=True) or _start(vocab)
    ids = [item for item in request.prompt if isinstance(item, int)]
    if len(ids) != len(request.prompt):
        raise InvalidRequestError("The engine takes one prompt at a time. Send one text.", param="prompt")
    vocab.check(ids, "prompt")
    return ids or _start(vocab)


def _start(vocab: Vocab) -> list[int]:
    """What an empty prompt becomes: generation needs one token to go on from."""
    token = vocab.bos if vocab.bos >= 0 else vocab.eos
    if token < 0:
        raise InvalidRequestError("This model can't go on from nothing. Send a prompt.", param="prompt")
    return [token]


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


def refuse_unsupported_chat(request: ChatRequest) -> None:
    """Raise for what this engine can't do yet: nothing is ignored in silence."""
    _refuse_unsupported(request)
    if request.tools and request.tool_choice != "none":
        _refuse("tools", "can't call tools", 'leave tools out, or set tool_choice to "none"')
    if request.response_format is not None and not isinstance(request.response_format, TextFormat):
        _refuse("response_format", "answers in plain text only", "leave response_format out")
    if request.logprobs or request.top_logprobs:
        _refuse("logprobs", "reports no log probabilities", "leave logprobs out")


def refuse_unsupported_completion(request: CompletionRequest) -> None:
    """Raise for what this engine can't do yet: nothing is ignored in silence."""
    _refuse_unsupported(request)
    if request.suffix:
        _refuse("suffix", "can't fill in the middle of a text", "leave suffix out")
    if request.logprobs is not None:
        _refuse("logprobs", "reports no log probabilities", "leave logprobs out")
    if request.best_of is not None and request.best_of != (request.n or 1):
        _refuse("best_of", "does not choose among answers", "leave best_of out and use n")


def _refuse_unsupported(request: GenerationOptions) -> None:
    if request.grammar is not None:
        _refuse("grammar", "can't hold to a grammar", "leave grammar out")
    if request.regex is not None:
        _refuse("regex", "can't hold to a regular expression", "leave regex out")


def _refuse(param: str, problem: str, cure: str) -> None:
    raise UnsupportedError(f"The llama.cpp engine {problem} in this version: {cure}.", param=param)
