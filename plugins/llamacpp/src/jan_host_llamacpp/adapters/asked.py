"""What a request wants of a model's adapters."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from jan_host import InvalidRequestError

from jan_host_llamacpp.adapters.files import AdapterFile
from jan_host_llamacpp.settings import Scale

Scales = tuple[float, ...]
"""How much of each adapter is used, in their order; 0: nothing. Empty: the model has none."""


class Wanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One item of a request's ``lora``, as llama.cpp's server takes it; `name` is an addition."""

    id: int | None = None
    """The adapter's place in the setting `lora`, from 0."""
    name: str | None = None
    scale: Scale = 1.0


def default_scales(adapters: Sequence[AdapterFile]) -> Scales:
    """What counts for requests that say nothing."""
    return tuple(adapter.scale for adapter in adapters)


def asked_scales(extra: Mapping[str, Any], adapters: Sequence[AdapterFile]) -> Scales:
    """The scales of a request: those of its field ``lora``; adapters that it does not name are not used.

    Args:
        extra: The fields of the request that the contract does not name.
        adapters: The model's.

    Raises:
        InvalidRequestError: The field is not a list of adapters that the model has.
    """
    given = extra.get("lora")
    if given is None:
        return default_scales(adapters)
    try:
        wanted = msgspec.convert(given, list[Wanted])
    except msgspec.ValidationError as error:
        raise _refused(f"lora can't be used: {error}", adapters) from None
    scales = [0.0] * len(adapters)
    for item in wanted:
        scales[_place(item, adapters)] = item.scale
    return tuple(scales)


def _place(item: Wanted, adapters: Sequence[AdapterFile]) -> int:
    if (item.id is None) == (item.name is None):
        raise _refused("Each item of lora has an id or a name.", adapters)
    if item.id is not None and 0 <= item.id < len(adapters):
        return item.id
    names = [adapter.name for adapter in adapters]
    if item.name is None or item.name not in names:
        called = f"the id {item.id}" if item.name is None else f"the name {item.name[:200]!r}"
        raise _refused(f"The model has no adapter with {called}.", adapters)
    return names.index(item.name)


def _refused(problem: str, adapters: Sequence[AdapterFile]) -> InvalidRequestError:
    names = ", ".join(f"{index}: {adapter.name}" for index, adapter in enumerate(adapters))
    known = f"This model's adapters are {names}" if names else "This model has no adapters; leave lora out"
    return InvalidRequestError(
        f'{problem} lora is a list such as [{{"id": 0, "scale": 0.5}}]. {known}.', param="lora"
    )
