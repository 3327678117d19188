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


def _plain(info: inspect.Type) -> Any:
    value: Any = None
    match info:
        case inspect.IntType(ge=least) | inspect.FloatType(ge=least):
            value = least or 1
        case inspect.StrType(min_length=length):
            value = "x" * (length or 1)
        case inspect.BoolType():
            value = False
        case inspect.ListType(item_type=item, min_length=length):
            value = [_plain(item)] * (length or 0)
        case inspect.DictType():
            value = {}
        case inspect.LiteralType(values=values):
            value = values[0]
        case inspect.UnionType(types=types):
            value = _plain(types[0])
        case inspect.StructType(fields=fields):
            value = {field.encode_name: _plain(field.type) for field in fields if field.required}
        case inspect.Metadata(type=described):
            value = _plain(described)
        case inspect.NoneType() | inspect.AnyType():
            pass
        case _:
            raise TypeError(f"There is no smallest {info}.")
    return value
