"""Unknown fields and forms of a request's body, which msgspec alone would drop or refuse.

What becomes of them: `jan_host.contract.unknown`.
"""

from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from jan_host.contract.errors import ValidationError
from jan_host.contract.unknown import KEPT, OTHER, Unknown

_decode_raw_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def keeps(kind: Any) -> bool:
    """Whether a request's type keeps what it does not know."""
    return KEPT in getattr(kind, "__struct_encode_fields__", ())


def keep_all(body: bytes, request: Any) -> None:
    """Give a decoded request the unknown fields of its body, at every level.

    Raises:
        ValidationError: The body has a field of the name that is the host's own.
    """
    raw = _decode_raw_fields(body)
    kind: type[msgspec.Struct] = type(request)
    names, nested = _fields(kind)
    if not names.issuperset(raw):
        request.extra = {name: msgspec.json.decode(value) for name, value in _beyond(raw, names).items()}
    for name, attribute in nested:
        inner = getattr(request, attribute)
        if isinstance(inner, list | msgspec.Struct):
            _keep(msgspec.json.decode(raw[name]), inner)


def _keep(raw: Any, value: Any) -> None:
    if isinstance(value, list):
        for each, item in zip(raw, value, strict=True):
            _keep(each, item)
    elif isinstance(value, msgspec.Struct):
        names, nested = _fields(type(value))
        if not names.issuperset(raw):
            value.extra = _beyond(raw, names)  # type: ignore[attr-defined]  # `_fields` knows no others
        for name, attribute in nested:
            inner = getattr(value, attribute)
            if isinstance(inner, list | msgspec.Struct):
                _keep(raw[name], inner)


def _beyond(raw: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    if KEPT in raw:
        raise ValidationError(f"There is no field {KEPT!r}. Give fields of your own other names.", param=KEPT)
    return {name: value for name, value in raw.items() if name not in names}


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[frozenset[str], tuple[tuple[str, str], ...]]:
    """The names that a Struct knows, and its fields that hold Structs, by wire name and attribute."""
    if kind is Unknown:
        return frozenset(), ()
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    tag = [info.tag_field] if info.tag_field else []
    names = frozenset(field.encode_name for field in info.fields if field.encode_name != KEPT).union(tag)
    nested = tuple((field.encode_name, field.name) for field in info.fields if _has_struct(field.type))
    return names, nested


def _has_struct(info: inspect.Type) -> bool:
    if isinstance(info, inspect.ListType):
        return _has_struct(info.item_type)
    if isinstance(info, inspect.UnionType):
        return any(_has_struct(each) for each in info.types)
    return isinstance(info, inspect.StructType)


def with_stand_ins(body: bytes, kind: Any) -> bytes:
    """The body with an `Unknown` in place of everything whose ``type`` is none of those that its field takes.

    Where a field takes one known form alone, its ``type`` may be left out.
    """
    return msgspec.json.encode(_stand_in(msgspec.json.decode(body), inspect.type_info(kind)))


def _stand_in(raw: Any, info: inspect.Type) -> Any:
    if isinstance(info, inspect.UnionType):
        found = _form_of(raw, info)
        return {"type": OTHER} if found is None else _stand_in(*found)
    if isinstance(info, inspect.ListType) and isinstance(raw, list):
        return [_stand_in(item, info.item_type) for item in raw]
    if isinstance(info, inspect.StructType) and isinstance(raw, dict):
        types = {field.encode_name: field.type for field in info.fields}
        return {name: _stand_in(item, types[name]) if name in types else item for name, item in raw.items()}
    return raw


def _form_of(raw: Any, info: inspect.UnionType) -> tuple[Any, inspect.Type] | None:
    """The value and which of a union's types it has, or ``None`` where it is none that is known."""
    forms = {each.tag: each for each in info.types if isinstance(each, inspect.StructType)}
    if isinstance(raw, dict) and OTHER in forms:
        del forms[OTHER]
        tag = raw.get("type")
        if tag is None and len(forms) == 1:
            tag = next(iter(forms))
            raw = {**raw, "type": tag}
        if not isinstance(tag, str):
            return raw, inspect.AnyType()
        return (raw, forms[tag]) if tag in forms else None
    wanted = inspect.ListType if isinstance(raw, list) else inspect.StructType
    return raw, next((each for each in info.types if isinstance(each, wanted)), inspect.AnyType())
