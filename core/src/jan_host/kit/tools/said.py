"""What has become known of an answer, and who collects it: text, reasoning, calls of tools."""

import re
import secrets
import string
from collections.abc import Callable, Collection, Sequence
from typing import Final

import msgspec

from jan_host.contract.generation import FunctionCallDelta, ToolCallDelta
from jan_host.kit.stream import TextStream

NewId = Callable[[], str]

_SHORT: Final = 9
_LETTERS: Final = string.ascii_letters + string.digits


class Said(msgspec.Struct):
    """The next piece of an answer, by its parts."""

    text: str = ""
    reasoning: str = ""
    tool_calls: list[ToolCallDelta] = []

    def __bool__(self) -> bool:
        return bool(self.text or self.reasoning or self.tool_calls)

    def __add__(self, other: "Said") -> "Said":
        return Said(
            self.text + other.text,
            self.reasoning + other.reasoning,
            _joined(self.tool_calls, other.tool_calls),
        )


def _joined(pieces: Sequence[ToolCallDelta], more: Sequence[ToolCallDelta]) -> list[ToolCallDelta]:
    """The pieces of calls, one of each call: clients take the first that they see as a call for each."""
    if not pieces or not more or pieces[-1].index != more[0].index:
        return [*pieces, *more]
    last, function, rest = pieces[-1], pieces[-1].function, more[0].function
    if function is not None and rest is not None:
        arguments = (function.arguments or "") + (rest.arguments or "")
        last = msgspec.structs.replace(last, function=msgspec.structs.replace(function, arguments=arguments))
    return [*pieces[:-1], last, *more[1:]]


def long_id() -> str:
    """A new id of a call, as OpenAI's look."""
    return f"call_{secrets.token_hex(12)}"


def short_id() -> str:
    """A new id of a call of nine letters and digits, which Mistral's templates ask for."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_SHORT))


def is_short_id(text: str) -> bool:
    """Whether it is an id as `short_id` makes them."""
    return re.fullmatch(r"[a-zA-Z0-9]{9}", text) is not None


class Sink:
    """Collects what a parser finds.

    White space between reasoning, calls and content belongs to the form of the answer and is left out; what
    stands inside the content is never touched.

    Args:
        names: The tools that may be called.
        speaks: Whether there is content at all; else what is no call is left out.
        most: How many calls there may be; ``None`` for any number.
        stops: Stop strings; they are looked for in the content alone, and do not reach over a call.
        shown: Those of them that the content ends with, instead of before them.
        new_id: Makes ids of calls.
    """

    def __init__(
        self,
        names: Sequence[str] = (),
        *,
        speaks: bool = True,
        most: int | None = None,
        stops: Sequence[str] = (),
        shown: Collection[str] = (),
        new_id: NewId = long_id,
    ) -> None:
        self.names = frozenset(names)
        self.calls = 0
        """How many there were until now."""
        self.ended = False
        """Whether a stop string came, or something behind the last wanted call: the rest is left out."""
        self.is_reasoning = False
        self._speaks = speaks
        self._most = most
        self._new_id = new_id
        self._ids: set[str] = set()
        self._said = Said(tool_calls=[])
        self._stops = TextStream(stops, shown=shown)
        self._content = _Trimmed(holds=bool(names))
        self._reasoning = _Trimmed(holds=True)
        self._reasoning.skip()

    def take(self) -> Said:
        """What was said since the last time."""
        said, self._said = self._said, Said(tool_calls=[])
        return said

    def content(self, text: str) -> None:
        """Text of the answer."""
        if self._has_all and text.strip():
            self.ended = True
        if self.ended or self._has_all or not self._speaks:
            return
        self._said.text += self._stops.push_text(self._content.push(text))
        self.ended = self._stops.stopped is not None

    def reasoning(self, text: str) -> None:
        """Text of the reasoning."""
        if not self.ended:
            self._said.reasoning += self._reasoning.push(text)

    def reasoned(self) -> None:
        """A part of the reasoning is over: the white space around it goes."""
        self._reasoning.skip(between="\n")
        self._content.skip()

    def may_call(self, name: str) -> bool:
        """Whether `name` is a tool and another call is wanted."""
        if name in self.names and self._has_all:
            self.ended = True
        return name in self.names and not self.ended

    @property
    def _has_all(self) -> bool:
        return self._most is not None and self.calls >= self._most

    def call(self, name: str, wanted_id: str = "") -> None:
        """A call of a tool begins, which `may_call` allowed."""
        self._content.skip()
        self._said.text += self._stops.flush()
        made = wanted_id if wanted_id and wanted_id not in self._ids else self._new_id()
        self._ids.add(made)
        function = FunctionCallDelta(name=name, arguments="")
        self._said.tool_calls.append(
            ToolCallDelta(index=self.calls, id=made, type="function", function=function)
        )
        self.calls += 1

    def arguments(self, text: str) -> None:
        """The next part of the arguments of the last call, as JSON."""
        index = self.calls - 1
        pieces = self._said.tool_calls
        last = pieces[-1].function if pieces and pieces[-1].index == index else None
        if last is not None:
            last.arguments = (last.arguments or "") + text
        elif text:
            pieces.append(ToolCallDelta(index=index, function=FunctionCallDelta(arguments=text)))

    def end(self) -> None:
        """The model begins what is not its own to say: nothing more belongs to the answer."""
        self.ended = True

    def finish(self) -> None:
        """The answer is over."""
        if self.ended:
            return
        if not self.calls:
            self._said.text += self._stops.push_text(self._content.rest())
        self._said.text += self._stops.flush()


class _Trimmed:
    """Text whose white space at the end is held until more comes."""

    def __init__(self, *, holds: bool) -> None:
        self._holds = holds
        self._held = ""
        self._skips = False
        self._between = ""
        self._begun = False

    def push(self, text: str) -> str:
        if self._skips:
            text = text.lstrip()
            if not text:
                return ""
            self._skips = False
            text = (self._between if self._begun else "") + text
        self._begun = True
        if not self._holds:
            return text
        seen = self._held + text
        certain = seen.rstrip()
        self._held = seen[len(certain) :]
        return certain

    def skip(self, between: str = "") -> None:
        """White space here is left out; put `between` before what comes next."""
        self._held = ""
        self._skips = True
        self._between = between

    def rest(self) -> str:
        rest, self._held = self._held, ""
        return rest
