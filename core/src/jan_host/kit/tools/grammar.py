"""What a model must write where it must call a tool: a grammar in llguidance's Lark.

Its syntax is documented at https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from jan_host.kit.structure import Enclosed, Form, LazyForm
from jan_host.kit.structure.schemas import checked_schema
from jan_host.kit.tools.formats.base import Format, ToolDict
from jan_host.kit.tools.reasoning import Tags
from jan_host.kit.tools.wanted import WantedTools

_JSON: Final = {"item_separator": ", ", "key_separator": ": ", "whitespace_flexible": False}
"""As Python's ``json.dumps`` writes it, which models saw most."""
_TELLS_NOTHING: Final = frozenset({"type", "title", "description", "$schema", "$id"})
"""What tools without arguments have beside it."""
_MOST_CALLS: Final = 16
"""In one answer: a model that is held to calls may not know when to end."""
_NAMED: Final = re.compile(r"<[^<>\s\[\]]+>")


class Writer:
    """Writes the pieces of a grammar.

    Args:
        tools: The tools of which one must be called.
        control: The vocabulary's control tokens by their text: no text matches them.
        most: How many calls there may be.
    """

    def __init__(self, tools: Sequence[ToolDict], control: Mapping[str, int], most: int | None) -> None:
        self._tools = tools
        self._control = control
        self._most = most
        self._rules: list[str] = []
        self._count = 0

    @property
    def names(self) -> list[str]:
        """The names of the tools."""
        return [tool["function"]["name"] for tool in self._tools]

    def text(self, text: str) -> str:
        """This text, in which control tokens are such."""
        if not self._control:
            return json.dumps(text, ensure_ascii=False)
        there = sorted((token for token in self._control if token and token in text), key=len, reverse=True)
        if not there:
            return json.dumps(text, ensure_ascii=False)
        pieces = re.split("(" + "|".join(map(re.escape, there)) + ")", text)
        return " ".join(self._piece(piece) for piece in pieces if piece)

    def _piece(self, piece: str) -> str:
        token = self._control.get(piece)
        if token is None:
            return json.dumps(piece, ensure_ascii=False)
        return piece if _NAMED.fullmatch(piece) else f"<[{token}]>"

    def call(self, form: Callable[[str], tuple[str, str]]) -> str:
        """One call of any of the tools.

        Args:
            form: Gives what stands before and behind the arguments of a tool with this name.
        """
        ways = []
        for tool in self._tools:
            before, behind = form(tool["function"]["name"])
            ways.append(f"{self.text(before)} {self._arguments(tool)} {self.text(behind) if behind else ''}")
        return self.rule(" | ".join(ways))

    def calls(self, form: Callable[[str], tuple[str, str]], between: str = "") -> str:
        """One call or more, with `between` between them."""
        return self.repeated(self.call(form), between)

    def repeated(self, one: str, between: str = "") -> str:
        """One call or more of which each is `one`."""
        if self._most == 1:
            return one
        return f"{one} ({self.text(between) if between else ''} {one}){{0,{_MOST_CALLS - 1}}}"

    def rule(self, body: str) -> str:
        """A rule of its own."""
        name = self.forward()
        self.define(name, body)
        return name

    def forward(self) -> str:
        """The name of a rule that is to be defined."""
        self._count += 1
        return f"part{self._count}"

    def define(self, name: str, body: str) -> None:
        """Say what such a rule is."""
        self._rules.append(f"{name}: {body}")

    def lazy(self, pattern: str) -> str:
        """Text up to the first place where this regular expression ends."""
        name = self.forward()
        self._rules.append(f"{name}[lazy]: /{pattern}/")
        return name

    def until(self, text: str) -> str:
        """Any text up to this one, which is the last of it."""
        if text in self._control:
            return f"{self.rule('/(?s:.*)/')} {self._piece(text)}"
        return self.lazy(f"(?s:.*){re.escape(text).replace('/', chr(92) + '/')}")

    def whole(self, start: str) -> str:
        """The grammar that begins with `start`."""
        return "\n".join([f"start: {start}", *self._rules]) + "\n"

    def _arguments(self, tool: ToolDict) -> str:
        function = tool["function"]
        exact = bool(function.get("strict"))
        schema: dict[str, Any] = {"type": "object", **(function.get("parameters") or {})}
        if "properties" in schema or not schema.keys() - _TELLS_NOTHING:
            schema.setdefault("additionalProperties", False)  # a weak model invents no end of them
        checked = checked_schema(schema, "tools", exact=exact)
        options = {**_JSON, "lenient": not exact}
        return self.rule("%json " + json.dumps({**_as_object(checked), "x-guidance": options}))


def _as_object(schema: dict[str, Any] | bool) -> dict[str, Any]:
    return schema if isinstance(schema, dict) else {"type": "object"}


class Calling:
    """Forms for answers that call tools.

    Args:
        form: How the model calls tools.
        wanted: Those that it may call.
        control: The vocabulary's control tokens by their text.
        tags: What may stand around reasoning before the calls.
        inside: The tags that the prompt has opened.

    Raises:
        InvalidRequestError: The schema of a tool is nested too deeply.
    """

    def __init__(
        self,
        form: Format,
        wanted: WantedTools,
        control: Mapping[str, int],
        *,
        tags: Sequence[Tags],
        inside: Tags | None,
    ) -> None:
        self._form = form
        self._wanted = wanted
        self._control = control
        self._tags = tags
        self._inside = inside

    def must_call(self) -> Form:
        """What an answer that must call a tool matches."""
        writer = self._writer()
        calls = writer.rule(self._form.grammar(writer))
        space = r"/[ \n]{0,4}/"
        if self._inside is not None:
            start = f"{writer.until(self._inside.closing)} {space} {calls}"
        elif self._tags and not self._form.structured:
            ways = (
                f"{writer.text(each.opening)} {writer.until(each.closing)} {space}" for each in self._tags
            )
            start = f"({' | '.join(ways)})? {calls}"
        else:
            start = calls
        return Form(kind="lark", text=writer.whole(start), param="tools")

    def may_call(self) -> LazyForm:
        """What the calls match of an answer that may have some.

        Behind a call the answer is free again: the grammar ends with any text, so that a token may end the
        call and begin what comes next.
        """
        writer = self._writer()
        calls = writer.rule(self._form.calls(writer))
        text = writer.whole(f"{calls} {writer.rule('/(?s:.+)/')}?")
        return LazyForm(
            form=Form(kind="lark", text=text, param="tools"),
            triggers=tuple(self._form.triggers(writer.names)),
            enclosed=tuple(Enclosed(*each) for each in self._tags),
            inside=None if self._inside is None else Enclosed(*self._inside),
            strict=any(tool["function"].get("strict") for tool in self._wanted.tools),
        )

    def _writer(self) -> Writer:
        return Writer(self._wanted.tools, self._control, self._wanted.most)
