"""From a JSON body to the Struct that a handler asks for; what no field names is kept."""

from functools import lru_cache
from typing import Any

import msgspec
from litestar import Request

from jan_host.api.errors import invalid_field
from jan_host.contract.errors import InvalidRequestError, ValidationError

KEPT = "$extra"
"""The wire name of the field that keeps unknown fields. It is the host's own: a client can't set it."""


class JsonRequest(Request[Any, Any, Any]):
    """Litestar's request, whose body is decoded strictly, straight into the handler's type."""

    async def json(self) -> Any:
        """The body as the type of the handler's `data` parameter.

        Raises:
            InvalidRequestError: It is not JSON, or nested too deep.
            ValidationError: It does not have the type's shape; `param` is the field's path.
        """
        signature = self.route_handler.parsed_fn_signature
        return decode(await self.body(), signature.parameters["data"].annotation)


def decode(body: bytes, target: Any) -> Any:
    """Decode a JSON body into `target`; see `JsonRequest.json`."""
    decoder, fields = _decoder(target)
    try:
        data = decoder.decode(body)
        if fields is not None:
            data.extra = _unknown(body, fields)
    except msgspec.ValidationError as error:
        raise invalid_field(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequestError(f"The body is not JSON in UTF-8: {error}.") from None
    except RecursionError:
        raise InvalidRequestError("The body is nested too deep.") from None
    return data


@lru_cache(maxsize=256)
def _decoder(target: Any) -> tuple[msgspec.json.Decoder[Any], frozenset[str] | None]:
    """The decoder of a type, and its fields' wire names when it keeps unknown ones."""
    decoder = msgspec.json.Decoder(target)
    names: tuple[str, ...] = getattr(target, "__struct_encode_fields__", ())
    return decoder, frozenset(names) if KEPT in names else None


_raw_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _unknown(body: bytes, fields: frozenset[str]) -> dict[str, Any]:
    raw = _raw_fields.decode(body)
    if KEPT in raw:
        raise ValidationError(
            f"There is no field {KEPT!r}. Write fields of your own at the top level.", param=KEPT
        )
    return {name: msgspec.json.decode(value) for name, value in raw.items() if name not in fields}
