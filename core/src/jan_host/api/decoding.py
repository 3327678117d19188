"""From a JSON body to the Struct that a handler asks for; what no field names is kept."""

import asyncio
from functools import lru_cache
from typing import Any

import msgspec
from litestar import Request

from jan_host.api.errors import invalid_field
from jan_host.api.unknown import keep_all, keeps, with_stand_ins
from jan_host.contract.errors import InvalidRequestError

LARGE_BYTES = 256 * 1024
"""Larger bodies are decoded beside the event loop, so that they hold up nobody."""


class JsonRequest(Request[Any, Any, Any]):
    """Litestar's request, whose body is decoded strictly, straight into the handler's type."""

    async def json(self) -> Any:
        """The body as the type of the handler's `data` parameter.

        Raises:
            InvalidRequestError: It is not JSON, or nested too deep.
            ValidationError: It does not have the type's shape; `param` is the field's path.
        """
        signature = self.route_handler.parsed_fn_signature
        return await decode_any(await self.body(), signature.parameters["data"].annotation)


async def decode_any(body: bytes, target: Any) -> Any:
    """`decode`, in a thread where the body is large."""
    if len(body) > LARGE_BYTES:
        return await asyncio.to_thread(decode, body, target)
    return decode(body, target)


def decode(body: bytes, target: Any) -> Any:
    """Decode a JSON body into `target`; see `JsonRequest.json`."""
    try:
        return _decoded(body, target)
    except msgspec.ValidationError as error:
        raise invalid_field(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequestError(f"The body is not JSON in UTF-8: {error}.") from None
    except RecursionError:
        raise InvalidRequestError("The body is nested too deep.") from None


def _decoded(body: bytes, target: Any) -> Any:
    decoder = _decoder(target)
    if not keeps(target):
        return decoder.decode(body)
    try:
        data = decoder.decode(body)
    except msgspec.ValidationError:
        # Its forms are looked at only now, since nearly every body has none but known ones.
        data = decoder.decode(with_stand_ins(body, target))
    keep_all(body, data)
    return data


@lru_cache(maxsize=256)
def _decoder(target: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(target)
