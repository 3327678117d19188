"""The tool calls of an upstream's answer."""

from typing import Any

import msgspec
from jan_host import FunctionCallDelta, ToolCallDelta
from msgspec import UNSET

from jan_host_openai.answers import as_list, as_object, beyond

_CALL = frozenset({"index", "id", "type", "function"})
_FUNCTION = frozenset({"name", "arguments"})


class Calls:
    """Those of one choice. Servers that leave out ``index`` tell a new call by its id or its name."""

    def __init__(self) -> None:
        self._ids: list[str | None] = []

    def read(self, calls: Any) -> list[ToolCallDelta]:
        """The calls of a message, or what a chunk adds to them.

        Raises:
            UpstreamError: They can't be read.
        """
        return [self._call(as_object(call, "a tool call")) for call in as_list(calls, "tool_calls")]

    def _call(self, call: dict[str, Any]) -> ToolCallDelta:
        given = call.get("id")
        ident = None if given is None or given == "" else str(given)
        kind = call.get("type")
        function = as_object(call.get("function") or {}, "function")
        index = call.get("index")
        if type(index) is not int:
            index = self._index(ident, begins=bool(function.get("name")))
        if not isinstance(kind, str) or kind == "function":
            kind = "function" if ident else None
        return ToolCallDelta(
            index=index,
            id=ident,
            type=kind,
            function=_function(function) if function else None,
            extra=beyond(call, _CALL) or UNSET,
        )

    def _index(self, ident: str | None, *, begins: bool) -> int:
        if ident is not None and ident in self._ids:
            return self._ids.index(ident)
        if ident is not None or begins or not self._ids:
            self._ids.append(ident)
        return len(self._ids) - 1


def _function(function: dict[str, Any]) -> FunctionCallDelta:
    name, arguments = function.get("name"), function.get("arguments")
    if arguments is not None and not isinstance(arguments, str):
        # Arguments are JSON as text; some servers send the object itself.
        arguments = msgspec.json.encode(arguments).decode()
    return FunctionCallDelta(
        name=None if name is None else str(name),
        arguments=arguments,
        extra=beyond(function, _FUNCTION) or UNSET,
    )
