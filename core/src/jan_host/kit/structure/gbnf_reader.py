"""Reads GBNF; see `gbnf`."""

import re
from dataclasses import dataclass
from typing import Final, Never

from jan_host.contract.errors import InvalidRequestError

_DEEPEST: Final = 32
"""Groups inside each other."""
_MOST: Final = 100_000
"""Repetitions of one thing."""
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_SPACE: Final = re.compile(r"(?:[ \t]|#[^\n]*)*")
_LINES: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_COUNTS: Final = re.compile(r"\{[ \t]*(\d{0,9})[ \t]*(?:(,)[ \t]*(\d{0,9})[ \t]*)?\}")
_HEX: Final = {"x": 2, "u": 4, "U": 8}
_ESCAPES: Final = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "\\": "\\",
    '"': '"',
    "[": "[",
    "]": "]",
    "-": "-",
    "^": "^",
}


@dataclass(frozen=True, slots=True)
class Char:
    """One character of a class, as a regular expression."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Rule:
    """What another rule matches."""

    name: str


@dataclass(frozen=True, slots=True)
class Repeat:
    """A thing several times; `suffix` as Lark writes it."""

    node: "Node"
    suffix: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several things."""

    nodes: list["Node"]


@dataclass(frozen=True, slots=True)
class Row:
    """Several things, one behind the other."""

    nodes: list["Node"]


Node = str | Char | Rule | Repeat | Choice | Row
"""A piece of a grammar; a ``str`` is a literal."""


class Reader:
    """Reads a grammar from its beginning to its end.

    Args:
        text: The grammar.
        param: The field of the request, for errors.
    """

    def __init__(self, text: str, param: str) -> None:
        self._text = text
        self._param = param
        self._at = 0
        self.mentioned: set[str] = set()
        """The names of rules that stand in rules."""

    def rules(self) -> dict[str, Node]:
        """All rules, by name.

        Raises:
            InvalidRequestError: Something is wrong; says where.
        """
        found: dict[str, Node] = {}
        self._skip(_LINES)
        while self._at < len(self._text):
            name = self._name()
            self._skip(_SPACE)
            self._expect("::=")
            self._skip(_LINES)
            found[name] = self._choice(0)
            if self._at < len(self._text) and self._peek() not in "\r\n":
                self._fail("this belongs to no rule")
            self._skip(_LINES)
        return found

    def _choice(self, depth: int) -> Node:
        """Alternatives; inside of a group (`depth` above 0) they may stand on several lines."""
        if depth > _DEEPEST:
            self._fail(f"more than {_DEEPEST} groups inside each other")
        nodes = [self._row(depth)]
        while self._peek() == "|":
            self._at += 1
            self._skip(_LINES)
            nodes.append(self._row(depth))
        return nodes[0] if len(nodes) == 1 else Choice(nodes)

    def _row(self, depth: int) -> Node:
        space = _LINES if depth else _SPACE
        nodes: list[Node] = []
        while (node := self._item(depth)) is not None:
            nodes.append(self._repeated(node))
            self._skip(space)
            # A rule goes on in the next line where that begins with another alternative.
            if not depth and self._peek() and self._peek() in "\r\n":
                self._skip_to_alternative()
        return nodes[0] if len(nodes) == 1 else Row(nodes)

    def _item(self, depth: int) -> Node | None:
        sign = self._peek()
        if sign == '"':
            return self._literal()
        if sign == "[":
            return self._class()
        if sign == ".":
            self._at += 1
            return Char("(?s:.)")
        if sign == "(":
            self._at += 1
            self._skip(_LINES)
            inner = self._choice(depth + 1)
            self._expect(")")
            return inner
        if _NAME.match(sign):
            name = self._name()
            self.mentioned.add(name)
            return Rule(name)
        return None

    def _repeated(self, node: Node) -> Node:
        while (sign := self._peek()) and sign in "*+?{":
            if sign == "{":
                node = Repeat(node, self._counts())
            else:
                self._at += 1
                node = Repeat(node, sign)
            if isinstance(node.node, Repeat) and isinstance(node.node.node, Repeat):
                self._fail("repetitions of repetitions of repetitions")
        return node

    def _counts(self) -> str:
        found = _COUNTS.match(self._text, self._at)
        if found is None:
            self._fail("a repetition is written {n}, {n,} or {n,m}")
        least, comma, most = found.groups()
        low = int(least or 0)
        high = int(most) if most else None if comma else low
        if max(low, high or 0) > _MOST or (high is not None and high < low) or not (least or most):
            self._fail(f"a repetition goes from a smaller to a larger number, of {_MOST} at most")
        self._at = found.end()
        return f"{{{low},{'' if high is None else high}}}"

    def _literal(self) -> str:
        self._at += 1
        found = []
        while (sign := self._peek()) != '"':
            if not sign or sign == "\n":
                self._fail('a literal without its closing "')
            found.append(self._character())
        self._at += 1
        return "".join(found)

    def _class(self) -> Node:
        self._at += 1
        negated = self._peek() == "^"
        self._at += negated
        ranges = []
        while self._peek() != "]":
            first = last = self._character()
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] != "]":
                self._at += 1
                last = self._character()
            if last < first:
                self._fail("a range of characters goes from the smaller to the larger one")
            ranges.append(f"\\x{{{ord(first):X}}}-\\x{{{ord(last):X}}}")
        self._at += 1
        if not ranges:
            return Char("(?s:.)") if negated else self._fail("a class without characters")
        return Char(f"[{'^' if negated else ''}{''.join(ranges)}]")

    def _character(self) -> str:
        sign = self._peek()
        if not sign or sign == "\n":
            self._fail("a class or literal that does not end")
        self._at += 1
        if sign != "\\":
            return sign
        kind = self._peek()
        self._at += 1
        if kind in _ESCAPES:
            return _ESCAPES[kind]
        digits = self._text[self._at : self._at + _HEX.get(kind, 0)]
        if kind not in _HEX or not re.fullmatch(f"[0-9a-fA-F]{{{_HEX[kind]}}}", digits):
            self._fail(r"an escape is one of \n \r \t \\ \" \[ \] \xHH \uHHHH \UHHHHHHHH")
        self._at += len(digits)
        code = int(digits, 16)
        if code > 0x10FFFF or 0xD800 <= code < 0xE000:
            self._fail("there is no such character")
        return chr(code)

    def _skip_to_alternative(self) -> None:
        end = _LINES.match(self._text, self._at)
        if end is not None and self._text[end.end() : end.end() + 1] == "|":
            self._at = end.end()

    def _name(self) -> str:
        found = _NAME.match(self._text, self._at)
        if found is None:
            self._fail("a rule begins with its name (name ::= ...)")
        self._at = found.end()
        return found[0]

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _expect(self, sign: str) -> None:
        if not self._text.startswith(sign, self._at):
            self._fail(f"{sign} is missing")
        self._at += len(sign)

    def _fail(self, problem: str) -> Never:
        before = self._text[: self._at]
        line, column = before.count("\n") + 1, self._at - before.rfind("\n")
        raise InvalidRequestError(
            f"The grammar can't be read at line {line}, column {column}: {problem}.", param=self._param
        )
