"""GBNF, the grammar format of the GGML projects, becomes Lark, which llguidance compiles.

The format is described in ``grammars/README.md`` of ggml-org's native server. Rules are
``name ::= alternatives``; in them stand ``"literals"``, ``[classes]``, ``.``, names, groups and the
repetitions ``* + ? {n} {n,} {n,m}``. The text matches the rule ``root``.

What can be written as a regular expression, is: llguidance reads text lexeme by lexeme, and two lexemes in
a row could not share their characters as GBNF means it.
"""

import json
import re
from itertools import groupby
from typing import Final

from jan_host.contract.errors import InvalidRequestError
from jan_host.kit.structure.gbnf_reader import Char, Choice, Node, Reader, Repeat, Row, Rule

_ROOT: Final = "root"
_IS_GBNF: Final = re.compile(r"(?m)^[ \t]*[\w-]+[ \t]*::=")


def is_gbnf(grammar: str) -> bool:
    """Whether a grammar is written in GBNF, and not in Lark."""
    return _IS_GBNF.search(grammar) is not None


def lark_of(grammar: str, param: str) -> str:
    """A GBNF grammar in Lark.

    Raises:
        InvalidRequestError: It can't be read; says in which line and column, and why.
    """
    reader = Reader(grammar, param)
    rules = reader.rules()
    if _ROOT not in rules:
        raise InvalidRequestError('The grammar has no rule "root" (root ::= ...).', param=param)
    for name in reader.mentioned:
        if name not in rules:
            raise InvalidRequestError(
                f"The grammar mentions the rule {name!r} and does not define it. Add {name} ::= ...",
                param=param,
            )
    return _Writer(rules).text()


class _Writer:
    """Writes rules as Lark under new names: regular ones as terminals, in capitals.

    Args:
        rules: The grammar, in which no rule is missing.
    """

    def __init__(self, rules: dict[str, Node]) -> None:
        self._rules = rules
        self._regular = _regular(rules)
        self._names = {
            name: f"T{number}" if name in self._regular else f"r{number}" for number, name in enumerate(rules)
        }
        self._lines = [f"start: {self._names[_ROOT]}"]

    def text(self) -> str:
        """The whole grammar."""
        for name, node in self._rules.items():
            write = self._terminal if name in self._regular else self._rule
            self._lines.append(f"{self._names[name]}: {write(node)}")
        return "\n".join(self._lines) + "\n"

    def _rule(self, node: Node) -> str:
        """A piece of a recursive rule; what is regular in it becomes a terminal of its own."""
        if self._is_regular(node):
            return self._names[node.name] if isinstance(node, Rule) else self._new_terminal([node])
        match node:
            case Rule():
                return self._names[node.name]
            case Repeat():
                return f"({self._rule(node.node)}){node.suffix}"
            case Choice():
                return "(" + " | ".join(map(self._rule, node.nodes)) + ")"
            case Row():
                runs = groupby(node.nodes, self._is_regular)
                return " ".join(
                    self._new_terminal(list(run)) if regular else " ".join(map(self._rule, run))
                    for regular, run in runs
                )
        raise TypeError(f"{node!r} is regular")

    def _terminal(self, node: Node) -> str:
        match node:
            case str():
                return json.dumps(node, ensure_ascii=False)
            case Char():
                return f"/{node.pattern}/"
            case Rule():
                return self._names[node.name]
            case Repeat():
                return f"({self._terminal(node.node)}){node.suffix}"
            case Choice():
                return "(" + " | ".join(map(self._terminal, node.nodes)) + ")"
            case Row():
                return " ".join(map(self._terminal, node.nodes)) or '""'

    def _new_terminal(self, nodes: list[Node]) -> str:
        name = f"T{len(self._rules) + len(self._lines)}"
        self._lines.append(f"{name}: {self._terminal(Row(nodes))}")
        return name

    def _is_regular(self, node: Node) -> bool:
        return all(name in self._regular for name in _mentions(node))


def _regular(rules: dict[str, Node]) -> set[str]:
    """The rules that refer to no recursive rule, however far: regular expressions could say the same."""
    waiting = {name: set(_mentions(node)) for name, node in rules.items()}
    users: dict[str, list[str]] = {name: [] for name in rules}
    for name, mentioned in waiting.items():
        for other in mentioned:
            users[other].append(name)
    ready = [name for name, mentioned in waiting.items() if not mentioned]
    for name in ready:  # grows while it is walked
        for user in users[name]:
            waiting[user].discard(name)
            if not waiting[user]:
                ready.append(user)
    return set(ready)


def _mentions(node: Node) -> list[str]:
    match node:
        case Rule():
            return [node.name]
        case Repeat():
            return _mentions(node.node)
        case Choice() | Row():
            return [name for each in node.nodes for name in _mentions(each)]
        case _:
            return []
