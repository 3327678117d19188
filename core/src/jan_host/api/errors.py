"""Every exception becomes OpenAI's error body here, and nowhere else."""

import logging
import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    LitestarException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from litestar.types import Scope, Send

from jan_host.api.exchange import Exchange
from jan_host.api.methods import with_implied
from jan_host.contract.errors import (
    AuthenticationError,
    InvalidRequestError,
    JanHostError,
    MethodNotAllowedError,
    NotFoundError,
    UnavailableError,
    ValidationError,
)

DRAIN_RETRY_SECONDS = 10
MAX_MESSAGE = 4000
"""Characters of an error's message; what a client sent may be part of it."""

logger = logging.getLogger("jan_host.api")

_INSTEAD = {"/responses": "POST /v1/chat/completions"}
"""What does the work of well-known routes that are not offered."""

FIELD_PATH = re.compile(r" - at `\$?\.?(?P<path>[^`]*)`$")
"""Where msgspec's message says which field is at fault."""

MISSING_FIELD = re.compile(r"Object missing required field `(?P<name>[^`]+)`$")
"""How msgspec's message names a field that is not there; the path in front is the object's."""

MISSING_PARAMETER = re.compile(r"Missing required \w+ parameter '(?P<name>[^']+)'")
"""How Litestar's message names a parameter that is not there."""


class ErrorDetail(msgspec.Struct, kw_only=True):
    """What went wrong, in OpenAI's shape."""

    message: str
    """What is wrong and what to do about it."""
    type: str
    param: str | None
    """The field of the request that is at fault, such as ``messages[0].content``."""
    code: str


class ErrorResponse(msgspec.Struct, kw_only=True):
    """The body of every answer that is not a success."""

    error: ErrorDetail


def shutting_down() -> UnavailableError:
    """What new work is told while the host drains, and running work when the drain is over."""
    return UnavailableError(
        "The host is shutting down and takes no new work. Try again when it is back.",
        retry_after=DRAIN_RETRY_SECONDS,
    )


def error_body(error: JanHostError) -> ErrorResponse:
    """The wire form of an error."""
    return ErrorResponse(
        error=ErrorDetail(
            message=_shortened(error.message), type=error.type, param=error.param, code=error.code
        )
    )


def _shortened(message: str) -> str:
    """A message without the middle of what is too long to be read, such as an id of a megabyte."""
    if len(message) <= MAX_MESSAGE:
        return message
    half = MAX_MESSAGE // 2
    return f"{message[:half]} [...] {message[-half:]}"


def error_headers(error: JanHostError) -> dict[str, str]:
    """The HTTP headers that an error's answer carries."""
    headers = {}
    if error.retry_after is not None:
        headers["retry-after"] = str(math.ceil(error.retry_after))
    if isinstance(error, AuthenticationError):
        headers["www-authenticate"] = 'Bearer realm="jan-host"'
    return headers


def as_jan_host_error(error: BaseException, scope: Scope) -> JanHostError:
    """The error of our tree that says what `error` means; an unexpected one is logged and hidden."""
    while type(error) is LitestarException and error.__cause__ is not None:
        error = error.__cause__  # Litestar wraps what fails after an answer has begun
    if isinstance(error, JanHostError):
        return error
    if isinstance(error, msgspec.ValidationError):
        return invalid_field(error)
    if isinstance(error, HTTPException) and error.status_code < 500:
        return _from_litestar(error, scope)
    request_id = Exchange.of(scope).id
    logger.error("Request %s failed unexpectedly", request_id, exc_info=error)
    return JanHostError(
        f"An internal error happened. The host's log tells more under request id {request_id}."
    )


def invalid_field(error: msgspec.ValidationError) -> ValidationError:
    """msgspec's error as ours, with the field's path as `param`."""
    text = str(error)
    match = FIELD_PATH.search(text)
    path, problem = (match["path"], text[: match.start()]) if match else ("", text)
    if path.startswith("[...]"):
        path = ""  # it has a value under a name that no field has: there is no path to it
    missing = MISSING_FIELD.match(problem)
    if missing is not None:
        path = f"{path}.{missing['name']}".removeprefix(".")
        return ValidationError(f"{path}: this field is required.", param=path)
    if not path:
        return ValidationError(f"The request's body is not right: {problem}.")
    return ValidationError(f"{path}: {problem}.", param=path)


def nothing_at(path: str) -> NotFoundError:
    """What a request is told whose path no route answers."""
    instead = _INSTEAD.get(path.removeprefix("/v1"))
    hint = f" Use {instead}." if instead else ""
    return NotFoundError(
        f"There is nothing at {path}.{hint} GET /openapi.json lists all routes; /docs shows them."
    )


def missing_body() -> ValidationError:
    """What a request is told that has no body and needs one."""
    return ValidationError("The request needs a JSON object as its body.")


def _from_litestar(error: HTTPException, scope: Scope) -> JanHostError:
    path, method = scope["path"], scope.get("method", "")
    if isinstance(error, NotFoundException):
        return nothing_at(path)
    if isinstance(error, MethodNotAllowedException):
        allowed = _headers_of(error)["allow"]
        return MethodNotAllowedError(f"{path} does not take {method}. It takes: {allowed}.")
    if isinstance(error, ValidationException):
        return _invalid_parameter(error, scope)
    return InvalidRequestError(error.detail or "The request can't be read.", status=error.status_code)


def _invalid_parameter(error: ValidationException, scope: Scope) -> ValidationError:
    """Litestar's report on query, path or a missing body: its first entry names the parameter."""
    details = error.extra if isinstance(error.extra, list) else []
    first: Mapping[str, str] = next((item for item in details if isinstance(item, dict)), {})
    param = first.get("key")
    if param == "data":
        return missing_body()
    if param is None:
        missing = MISSING_PARAMETER.match(error.detail)
        return ValidationError(
            f"The request's parameters are not right: {error.detail}.",
            param=missing["name"] if missing else None,
        )
    name = _public_name(param, scope)
    return ValidationError(f"{name}: {first.get('message', 'not right')}.", param=name)


def _public_name(parameter: str, scope: Scope) -> str:
    """What clients call a handler's parameter."""
    fields = scope["route_handler"].parsed_fn_signature.parameters
    definition = fields[parameter].kwarg_definition if parameter in fields else None
    return getattr(definition, "name", None) or parameter


def _headers_of(error: HTTPException) -> dict[str, str]:
    found = {name.lower(): value for name, value in (error.headers or {}).items()}
    if "allow" in found:  # in no order, and without HEAD
        found["allow"] = ", ".join(with_implied(found["allow"].split(", ")))
    return found


def handle_exception(request: Request[Any, Any, Any], error: Exception) -> Response[ErrorResponse]:
    """Litestar's one exception handler."""
    ours = as_jan_host_error(error, request.scope)
    headers = error_headers(ours)
    if isinstance(error, HTTPException):
        headers |= {name: value for name, value in _headers_of(error).items() if name == "allow"}
    return Response(content=error_body(ours), status_code=ours.http_status, headers=headers)


async def send_error(send: Send, error: JanHostError) -> None:
    """Answer a request that never reached Litestar, or was taken from it."""
    body = msgspec.json.encode(error_body(error))
    headers = [(name.encode(), value.encode()) for name, value in error_headers(error).items()]
    await send(
        {
            "type": "http.response.start",
            "status": error.http_status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})
