"""A request over its model's `parameters`: what the client left out, model.json may say."""

from functools import cache
from typing import Any, TypeVar

import msgspec

from jan_host.contract.errors import ModelBrokenError
from jan_host.contract.model import Model
from jan_host.contract.options import GenerationOptions

RequestT = TypeVar("RequestT", bound=GenerationOptions)

NOT_DEFAULTS = frozenset({"model", "messages", "prompt", "stream", "stream_options", "user", "extra"})
"""Fields that a model.json does not decide. `stream` is one of them although the seeds' samples set
it: a client that did not ask for a stream could not read one."""


def with_defaults(request: RequestT, model: Model) -> RequestT:
    """A copy of `request` in which the fields that are ``None`` have the model's `parameters`.

    A parameter that no field names goes to `extra`, for engines that know it.

    Raises:
        ModelBrokenError: A parameter of the model has a value that a request could not have.
    """
    if not model.parameters:
        return request
    cls = type(request)
    known = cls.__struct_fields__
    fields = {name: value for name, value in model.parameters.items() if name in known}
    changes = {
        name: value
        for name, value in _converted(cls, fields, model).items()
        if getattr(request, name) is None and not _limited_already(request, name)
    }
    others = {
        name: value
        for name, value in model.parameters.items()
        if name not in known and name not in NOT_DEFAULTS and name not in request.extra
    }
    if others:
        changes["extra"] = {**others, **request.extra}
    return msgspec.structs.replace(request, **changes) if changes else request


def _limited_already(request: GenerationOptions, name: str) -> bool:
    """Whether a limit of tokens was given under OpenAI's other name for it."""
    other = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}.get(name)
    return other is not None and getattr(request, other, None) is not None


@cache
def _field_types(cls: type[GenerationOptions]) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(cls)}


def _converted(cls: type[GenerationOptions], values: dict[str, Any], model: Model) -> dict[str, Any]:
    types = _field_types(cls)
    converted = {}
    for name, value in values.items():
        if name in NOT_DEFAULTS or value is None:
            continue
        try:
            converted[name] = msgspec.convert(value, types[name], strict=False)
        except msgspec.ValidationError as error:
            raise ModelBrokenError(
                f"The parameter {name!r} of model {model.id!r} can't be used: {error}. Mend it in its"
                " model.json.",
                param=name,
            ) from error
    return converted
