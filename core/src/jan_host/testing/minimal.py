"""The smallest value of a type, for calling a handler that wants one."""

from typing import Any

import msgspec
from msgspec import inspect


def smallest(wanted: Any) -> Any:
    """An instance of `wanted`, which msgspec can decode: required fields filled, everything else left out.

    Raises:
        TypeError: Some type for which there is no obvious value.
    """
    return msgspec.convert(_plain(inspect.type_info(wanted)), wanted)


_ALWAYS: dict[type[inspect.Type], Any] = {
    inspect.AnyType: None,
    inspect.BoolType: False,
    inspect.DictType: {},
    inspect.NoneType: None,
}


def _plain(info: inspect.Type) -> Any:
    value = _ALWAYS.get(type(info))
    match info:
        case inspect.Metadata(type=described):
            value = _plain(described)
        case inspect.UnionType(types=types):
            value = _plain(types[0])
        case inspect.StructType(fields=fields):
            value = {field.encode_name: _plain(field.type) for field in fields if field.required}
        case inspect.ListType(item_type=item, min_length=length):
            value = [_plain(item)] * (length or 0)
        case inspect.StrType(min_length=length):
            value = "x" * (length or 1)
        case inspect.IntType(ge=least) | inspect.FloatType(ge=least):
            value = least or 1
        case inspect.LiteralType(values=values):
            value = values[0]
        case _ if type(info) not in _ALWAYS:
            raise TypeError(f"There is no smallest {info}.")
    return value
