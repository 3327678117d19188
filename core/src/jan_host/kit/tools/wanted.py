"""Which tools a request brings, and whether they may or must be called."""

from dataclasses import dataclass
from typing import Any

from jan_host.contract.chat import ChatRequest, NamedToolChoice, Tool
from jan_host.contract.errors import InvalidRequestError, UnsupportedError
from jan_host.contract.unknown import as_plain

_NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}


@dataclass(frozen=True, slots=True)
class WantedTools:
    """The tools that the model sees."""

    tools: tuple[dict[str, Any], ...] = ()
    """In OpenAI's shape, complete: templates ask for a description and parameters of each."""
    must: bool = False
    """Whether one must be called."""
    most: int | None = None
    """How many calls there may be."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tools."""
        return tuple(tool["function"]["name"] for tool in self.tools)


def wanted_tools(request: ChatRequest) -> WantedTools:
    """The tools of a request; none with ``tool_choice`` "none", and one where the choice names it.

    Raises:
        InvalidRequestError: A name stands twice, or the choice names no tool.
        UnsupportedError: A tool or choice of a type that local models don't know.
    """
    choice = request.tool_choice
    tools = [_plain(tool, index) for index, tool in enumerate(request.tools or [])]
    _check_names(tools)
    if choice == "none":
        return WantedTools()
    if isinstance(choice, NamedToolChoice):
        tools = [tool for tool in tools if tool["function"]["name"] == choice.function.name]
        if not tools:
            raise InvalidRequestError(
                f"tool_choice names {choice.function.name!r}, which is none of the tools.",
                param="tool_choice",
            )
    elif choice not in (None, "auto", "required"):
        raise UnsupportedError(
            'tool_choice is "none", "auto", "required" or names a function.', param="tool_choice"
        )
    must = choice not in (None, "auto")
    if must and not tools:
        raise InvalidRequestError("tool_choice needs tools to choose from.", param="tool_choice")
    single = request.parallel_tool_calls is False or isinstance(choice, NamedToolChoice)
    return WantedTools(tuple(tools), must, 1 if single else None)


def _plain(tool: object, index: int) -> dict[str, Any]:
    if not isinstance(tool, Tool):
        raise UnsupportedError(
            "Local models can call tools of type function only. Leave the others out.",
            param=f"tools[{index}].type",
        )
    plain: dict[str, Any] = as_plain(tool, unknown=False)
    function = {"description": "", "parameters": _NO_PARAMETERS, **plain["function"]}
    return {"type": "function", "function": function}


def _check_names(tools: list[dict[str, Any]]) -> None:
    seen: set[str] = set()
    for index, tool in enumerate(tools):
        name = tool["function"]["name"]
        if name in seen:
            raise InvalidRequestError(
                f"Two tools have the name {name!r}. Give each its own.",
                param=f"tools[{index}].function.name",
            )
        seen.add(name)
