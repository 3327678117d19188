"""Requests become prompts: token ids, in which only a template's own control tokens are control tokens."""

from collections.abc import Iterable

from jan_host import CompletionRequest, InvalidRequestError, UnsupportedError
from jan_host.kit import Segment
from jan_host.kit.generation import Prompt, prompt_ids, refuse

from jan_host_llamacpp.vocab import Vocab

_ENGINE = "llama.cpp"
_STRIPS_LEFT = 1 << 7  # LLAMA_TOKEN_ATTR_LSTRIP
_STRIPS_RIGHT = 1 << 8  # LLAMA_TOKEN_ATTR_RSTRIP


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


def completion_prompt(request: CompletionRequest, vocab: Vocab) -> Prompt:
    """The token ids of a text, or the given ones; around a gap where there is a suffix.

    Raises:
        UnsupportedError: The request asks for what this engine or model can't do.
        InvalidRequestError: An id that the model does not have.
    """
    if request.suffix:
        return Prompt(_with_gap(request, request.suffix, vocab))
    if isinstance(request.prompt, str):
        ids = vocab.tokenize(request.prompt, special=True) or _start(vocab)
        return Prompt(ids, 1 if vocab.adds_bos or not request.prompt else 0)
    ids = prompt_ids(request.prompt, vocab.size)
    return Prompt(ids) if ids else Prompt(_start(vocab), 1)


def _with_gap(request: CompletionRequest, suffix: str, vocab: Vocab) -> list[int]:
    """Beginning and end of a text as models see them that were trained to fill the gap between.

    In the order prefix, suffix, middle, as llama.cpp's server (``format_prompt_infill``).
    """
    if vocab.filling is None:
        raise UnsupportedError(
            "This model was not trained to fill a gap in a text: it has no tokens for that. Leave suffix"
            " out, or use a model that has them.",
            param="suffix",
        )
    if request.echo and request.logprobs is not None:
        refuse(_ENGINE, "logprobs", "tells nothing of a prompt with a gap", "leave echo or suffix out")
    if isinstance(request.prompt, str):
        before = vocab.tokenize(request.prompt)
    else:
        before = prompt_ids(request.prompt, vocab.size)
    start = [vocab.bos] if vocab.adds_bos else []
    tokens = vocab.filling
    after = vocab.tokenize(suffix)
    return [*start, tokens.prefix, *before, tokens.suffix, *after, tokens.middle]


def _start(vocab: Vocab) -> list[int]:
    """What an empty prompt becomes: generation needs one token to go on from."""
    token = vocab.bos if vocab.bos >= 0 else vocab.eos
    if token < 0:
        raise InvalidRequestError("This model can't go on from nothing. Send a prompt.", param="prompt")
    return [token]
