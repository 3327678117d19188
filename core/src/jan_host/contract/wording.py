"""What a setting may be, in words, and why a given value is refused."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import inspect

_STEP: Final = re.compile(r"\.(?P<name>\w+)|\[(?P<index>\d+)\]")
_MOST_SHOWN: Final = 80
"""Characters of a refused value; a longer one is cut."""


class Refusal(NamedTuple):
    """Why settings can't be used."""

    field: str | None
    """The path of the value, such as ``lora[0].scale``; ``None``: several values do not go together."""
    problem: str
    """What was given and what may be, for a sentence that names the field before it."""


def refusal(error: msgspec.ValidationError, given: Mapping[str, Any], wanted: Any) -> Refusal:
    """What an error of `msgspec.convert` means for a user.

    Args:
        error: The error.
        given: What was to be converted.
        wanted: To what type.
    """
    problem, _, place = str(error).removesuffix("`").partition(" - at `$")
    if not place:
        return Refusal(None, problem)
    value, kind = _at(place, given, described(wanted))
    if value is not _NOWHERE:
        problem = refused(value, kind) or problem
    return Refusal(place.removeprefix("."), problem)


def refused(value: Any, kind: inspect.Type | None) -> str:
    """What was given and what may be; empty where there are no words for the type. Secrets stay hidden."""
    words = in_words(kind)
    if not words:
        return ""
    return f"it should be {words}" if _is_secret(kind) else f"it is {_shown(value)}, and should be {words}"


def in_words(kind: inspect.Type | None) -> str:
    """What a value of a type may be: ``a whole number from 1 to 512``; empty where there are no words."""
    return _WORDS[type(kind)](kind) if type(kind) in _WORDS else ""


@cache
def described(wanted: Any) -> inspect.Type | None:
    """What msgspec knows of a type; ``None`` where it can't tell."""
    try:
        return inspect.type_info(wanted)
    except Exception:  # a plugin's type may be one that msgspec can't describe
        return None


class _Nowhere:
    pass


_NOWHERE: Final = _Nowhere()


def _number(noun: str, least: float | None, most: float | None) -> str:
    low, high = (f"{bound:g}" if isinstance(bound, float) else bound for bound in (least, most))
    if low is not None and high is not None:
        return f"{noun} from {low} to {high}"
    if low is not None:
        return f"{noun} of at least {low}"
    return noun if high is None else f"{noun} of at most {high}"


def _shown(value: Any) -> str:
    if isinstance(value, list | dict):  # secrets may lie inside
        return "a list" if isinstance(value, list) else "an object"
    text = json.dumps(value) if isinstance(value, str | bool | None) else repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _is_secret(kind: inspect.Type | None) -> bool:
    if isinstance(kind, inspect.UnionType):
        return any(map(_is_secret, kind.types))
    return isinstance(kind, inspect.Metadata) and bool((kind.extra or {}).get("secret"))


def _at(place: str, value: Any, kind: inspect.Type | None) -> tuple[Any, inspect.Type | None]:
    """The value at a path behind ``$``, and its type; where the path can't be followed, neither."""
    position = 0
    while position < len(place):
        step = _STEP.match(place, position)
        if step is None:
            return _NOWHERE, None
        position = step.end()
        kind = _inner(kind, step["name"])
        try:
            value = value[step["name"] or int(step["index"])]
        except (KeyError, IndexError, TypeError):
            return _NOWHERE, None
    return value, kind


def _inner(kind: inspect.Type | None, name: str | None) -> inspect.Type | None:
    """The type of a field, or of a list's items where no name is given."""
    if isinstance(kind, inspect.Metadata):
        return _inner(kind.type, name)
    if isinstance(kind, inspect.UnionType):
        return next((found for each in kind.types if (found := _inner(each, name)) is not None), None)
    if isinstance(kind, inspect.StructType):
        return next((field.type for field in kind.fields if field.encode_name == name), None)
    if isinstance(kind, inspect.ListType) and name is None:
        return kind.item_type
    return None


def _choice(values: Sequence[Any]) -> str:
    listed = ", ".join(map(str, values))
    return f"one of {listed}" if len(values) > 1 else listed


def _text(kind: inspect.StrType) -> str:
    return _number("text of a length", kind.min_length, kind.max_length) if kind.max_length else "text"


def _list(kind: inspect.ListType) -> str:
    words = "a list" if kind.max_length is None else f"a list of at most {kind.max_length}"
    items = in_words(kind.item_type)
    return f"{words}, each {items}" if items else words


_WORDS: Final[Mapping[type | None, Callable[[Any], str]]] = {
    inspect.Metadata: lambda kind: in_words(kind.type),
    inspect.UnionType: lambda kind: " or ".join(filter(None, map(in_words, kind.types))),
    inspect.BoolType: lambda _: "true or false",
    inspect.IntType: lambda kind: _number("a whole number", kind.ge, kind.le),
    inspect.FloatType: lambda kind: _number("a number", kind.ge, kind.le),
    inspect.LiteralType: lambda kind: _choice(kind.values),
    inspect.StrType: _text,
    inspect.ListType: _list,
    inspect.StructType: lambda kind: f"an object with {', '.join(f.encode_name for f in kind.fields)}",
    inspect.DictType: lambda _: "an object",
}
"""Each type that has words, and how they are found."""
