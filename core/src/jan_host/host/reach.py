"""What no engine on this machine can do, told before a request reaches one.

Fields that `ChatRequest` does not have are kept for remote engines. Most of them change nothing in
an answer (``metadata``, ``store``, ``service_tier``); those that would must not be ignored silently,
and neither must a part, tool or format of an unknown kind.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from jan_host.contract.chat import ROLES, TOOL_CHOICES, ChatRequest
from jan_host.contract.completion import CompletionRequest
from jan_host.contract.engine import Engine
from jan_host.contract.errors import UnsupportedError, ValidationError
from jan_host.contract.options import GenerationOptions
from jan_host.contract.unknown import Unknown


def _at_least(number: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int | float) and value >= number


BEYOND: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "functions": (bool, "Send them as tools, which took their place."),
    "function_call": (
        lambda value: value not in (None, "none", "auto"),
        "Send tool_choice, which took its place.",
    ),
    "modalities": (lambda value: value not in (None, [], ["text"]), "Ask for text."),
    "audio": (lambda value: value is not None, "Ask for text."),
    "web_search_options": (lambda value: value is not None, "Leave it out."),
    "adaptive_target": (_at_least(0), "Leave it out, or send mirostat."),
    "allowed_token_ids": (bool, "Send a regex or a grammar."),
    "bad_words": (bool, "Send logit_bias with -100 for their tokens."),
    "chat_template": (
        lambda value: value is not None,
        "Send chat_template_kwargs, or set prompt_template in the model's model.json.",
    ),
    "documents": (bool, "Write them into a message."),
    "echo": (bool, "Put the text of the last message in front of the answer yourself."),
    "logprob_token_ids": (bool, "Ask for top_logprobs."),
    "min_keep": (_at_least(2), "Leave it out, or keep more with top_k, top_p and min_p."),
    "n_indent": (_at_least(1), "Send a regex or a grammar."),
    "post_sampling_probs": (bool, "Ask for logprobs, which tell what the model itself says."),
    "prompt_logprobs": (lambda value: value is not None, "Ask /v1/completions with echo and logprobs."),
    "reasoning_budget_tokens": (
        _at_least(0),
        "Send reasoning_effort, or max_completion_tokens for all of the answer.",
    ),
    "return_hidden_states": (bool, "Leave it out."),
    "return_token_ids": (bool, "Ask for logprobs: each token comes with its token_id."),
    "return_tokens_as_token_ids": (bool, "Ask for logprobs in chat: each token comes with its token_id."),
    "skip_special_tokens": (lambda value: value is False, "Leave it out."),
    "stop_regex": (bool, "Send stop."),
    "t_max_predict_ms": (_at_least(1), "Send max_tokens, or end the request when it takes too long."),
    "thinking_token_budget": (
        _at_least(0),
        "Send reasoning_effort, or max_completion_tokens for all of the answer.",
    ),
    "truncate_prompt_tokens": (lambda value: value is not None, "Send a shorter prompt."),
    "use_beam_search": (bool, "Ask for n choices."),
}
"""Fields of other servers that ask for another answer: when they do, and what to do about it."""


def check_reach(request: GenerationOptions, engine: Engine) -> None:
    """Refuse what would be ignored.

    An engine that runs in the host speaks for something elsewhere, and passes on what it does not
    know itself.

    Raises:
        UnsupportedError: The request asks for what only others offer.
        ValidationError: It has a word that stands for nothing here.
    """
    if engine.runs_in == "host":
        return
    for name in request.extra.keys() & BEYOND.keys():
        asks, cure = BEYOND[name]
        if asks(request.extra[name]):
            raise UnsupportedError(f"Models on this machine can't do {name}. {cure}", param=name)
    for place, word, known in _words(request):
        if word not in known:
            raise ValidationError(
                f"{place}: {word!r} is none of the words that it may be: {', '.join(known)}.", param=place
            )
    for place, value in _forms(request):
        if isinstance(value, Unknown):
            raise UnsupportedError(
                f"Models on this machine can't take the type {value.kind[:100]!r} of {place}. Leave it"
                " out, or use a model that can.",
                param=place,
            )


def _words(request: GenerationOptions) -> Iterator[tuple[str, str, Sequence[str]]]:
    """All words of a closed list, with the field that each stands in, and the list."""
    if not isinstance(request, ChatRequest):
        return
    for number, message in enumerate(request.messages):
        yield f"messages[{number}].role", message.role, ROLES
    if isinstance(request.tool_choice, str):
        yield "tool_choice", request.tool_choice, TOOL_CHOICES


def _forms(request: GenerationOptions) -> Iterator[tuple[str, object]]:
    """All that may be of an unknown kind, with the field that it stands in."""
    if isinstance(request, ChatRequest | CompletionRequest):
        yield "response_format", request.response_format
    if not isinstance(request, ChatRequest):
        return
    yield "tool_choice", request.tool_choice
    for place, tool in enumerate(request.tools or ()):
        yield f"tools[{place}]", tool
    for number, message in enumerate(request.messages):
        if isinstance(message.content, list):
            for place, part in enumerate(message.content):
                yield f"messages[{number}].content[{place}]", part
        for place, call in enumerate(message.tool_calls or ()):
            yield f"messages[{number}].tool_calls[{place}]", call
