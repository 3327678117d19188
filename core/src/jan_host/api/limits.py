"""Caps and combinations that a request's types can't express: checked before any work begins."""

from typing import TypeVar

import msgspec

from jan_host.config import ServerConfig
from jan_host.contract.chat import (
    ChatRequest,
    JsonObjectFormat,
    JsonSchemaFormat,
    NamedToolChoice,
    ResponseFormat,
    Tool,
)
from jan_host.contract.completion import CompletionRequest, split_prompts
from jan_host.contract.errors import InvalidRequestError, UnsupportedError
from jan_host.contract.options import GenerationOptions
from jan_host.host.words import in_our_words

RequestT = TypeVar("RequestT", bound=GenerationOptions)


def check_chat(request: ChatRequest, config: ServerConfig) -> None:
    """Hold a chat request against the operator's limits.

    Raises:
        InvalidRequestError: It asks for too much, or for things that don't go together.
    """
    request = _understood(request)
    _check_options(request, config)
    if request.top_logprobs and not request.logprobs:
        raise InvalidRequestError("top_logprobs needs logprobs: true.", param="top_logprobs")
    _check_tools(request, config)
    _check_format(request.response_format, config)


def check_completion(request: CompletionRequest, config: ServerConfig) -> None:
    """Hold a completion request against the operator's limits.

    Raises:
        InvalidRequestError: As `check_chat`.
    """
    request = _understood(request)
    _check_options(request, config)
    _check_format(request.response_format, config)
    choices = len(split_prompts(request.prompt, "prompt")) * (request.n or 1)
    if choices > config.max_queue:
        raise InvalidRequestError(
            f"The prompts ask for {choices} choices at once; {config.max_queue} are the most. Send fewer.",
            param="prompt",
        )
    if request.best_of is not None and request.best_of != (request.n or 1):
        raise UnsupportedError(
            "best_of other than n is not offered. Ask for n choices and pick one of them.", param="best_of"
        )


def check_inputs(count: int, config: ServerConfig, param: str) -> None:
    """Hold a number of texts against the operator's limit.

    Raises:
        InvalidRequestError: They are too many for one request.
    """
    if count > config.max_inputs:
        raise InvalidRequestError(
            f"There are {count} texts in {param}; {config.max_inputs} are the most in one request. Send"
            " several requests.",
            param=param,
        )


def _understood(request: RequestT) -> RequestT:
    """The request with what it says in words of others, whose size counts too.

    What can't be understood may be for a remote model, whose own server knows it.
    """
    try:
        return in_our_words(request)
    except InvalidRequestError:
        return request


def _check_options(request: GenerationOptions, config: ServerConfig) -> None:
    if request.n is not None and request.n > config.max_n:
        raise InvalidRequestError(f"n is {request.n}; {config.max_n} is the most here.", param="n")
    stops = request.stops()
    if len(stops) > config.max_stops:
        raise InvalidRequestError(
            f"There are {len(stops)} stop strings; {config.max_stops} are the most here.", param="stop"
        )
    if any(len(stop) > config.max_stop_length for stop in stops):
        raise InvalidRequestError(
            f"A stop string is longer than {config.max_stop_length} characters.", param="stop"
        )
    if request.grammar is not None:
        _check_size(request.grammar, config, "grammar")
    if request.regex is not None:
        _check_size(request.regex, config, "regex")


def _check_tools(request: ChatRequest, config: ServerConfig) -> None:
    tools = request.tools or []
    if len(tools) > config.max_tools:
        raise InvalidRequestError(
            f"There are {len(tools)} tools; {config.max_tools} are the most here.", param="tools"
        )
    if tools:
        _check_size(tools, config, "tools")
    choice = request.tool_choice
    if choice is None or choice in ("none", "auto"):  # clients say the latter also where they have no tools
        return
    if not tools:
        raise InvalidRequestError("tool_choice needs tools to choose from.", param="tool_choice")
    if isinstance(choice, NamedToolChoice) and choice.function.name not in {
        tool.function.name for tool in tools if isinstance(tool, Tool)
    }:
        raise InvalidRequestError(
            f"tool_choice names {choice.function.name!r}, which is none of the tools.", param="tool_choice"
        )


def _check_format(wanted: ResponseFormat | None, config: ServerConfig) -> None:
    if isinstance(wanted, JsonSchemaFormat | JsonObjectFormat):
        given = wanted.json_schema if isinstance(wanted, JsonSchemaFormat) else None
        _check_size([wanted.schema, given and given.schema], config, "response_format")


def _check_size(value: object, config: ServerConfig, param: str) -> None:
    size = len(msgspec.json.encode(value))
    if size > config.max_schema_bytes:
        raise InvalidRequestError(
            f"{param} takes {size} bytes; {config.max_schema_bytes} are the most here.", param=param
        )
