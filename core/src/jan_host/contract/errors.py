"""Every error that crosses a border of jan-host.

    JanHostError                          500 internal_error
    ├── InvalidRequestError               400 invalid_request
    │   ├── ContextLengthExceededError    400 context_length_exceeded
    │   ├── UnsupportedError              400 unsupported
    │   └── ValidationError               422 validation_error
    ├── AuthenticationError               401 invalid_api_key
    ├── ForbiddenError                    403 forbidden
    ├── NotFoundError                     404 not_found
    │   ├── ModelNotFoundError            404 model_not_found
    │   └── DownloadNotFoundError         404 download_not_found
    ├── MethodNotAllowedError             405 method_not_allowed
    ├── ConflictError                     409 conflict
    ├── PayloadTooLargeError              413 payload_too_large
    ├── UnsupportedMediaTypeError         415 unsupported_media_type
    ├── TooManyRequestsError              429 too_many_requests
    ├── ModelError                        500 model_error
    │   ├── ModelBrokenError              409 model_broken
    │   ├── ModelLoadError                500 model_load_failed
    │   └── InsufficientMemoryError       507 insufficient_memory
    ├── EngineError                       500 engine_error
    │   ├── WorkerCrashedError            500 worker_crashed
    │   └── ProtocolError                 500 worker_protocol_error
    ├── UpstreamError                     502 upstream_error
    ├── UnavailableError                  503 unavailable
    │   ├── ModelCoolingDownError         503 model_cooling_down
    │   └── EngineNotInstalledError       503 engine_not_installed
    ├── ImportFailedError                 502 import_failed
    │   ├── OriginNotFoundError           404 origin_not_found
    │   ├── DownloadError                 502 download_failed
    │   ├── ChecksumMismatchError         502 checksum_mismatch
    │   └── InsufficientDiskError         507 insufficient_disk
    ├── ConfigError                       500 invalid_configuration
    └── PluginError                       500 plugin_error

The HTTP status, OpenAI's ``type`` and the ``code`` stand on the class, so that
whoever raises an error decides nothing about HTTP. A message says what is
wrong and what to do about it; it is shown to users as it stands.
"""

from typing import Any, ClassVar

import msgspec


class ErrorPayload(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An error as data: what a worker sends to the host in place of a traceback."""

    message: str
    code: str
    param: str | None = None
    retry_after: float | None = None
    status: int | None = None
    own_code: str | None = None
    """What users see in place of `code`, where an upstream gave its own."""
    own_type: str | None = None


class JanHostError(Exception):
    """The root of the tree. ``str(error)`` is a sentence for the user.

    Args:
        message: What is wrong and what to do about it.
        param: The field of the request that is at fault, such as ``messages[0].content``.
        retry_after: Seconds after which the same request may succeed.
        status: An HTTP status that replaces the class's own (an upstream's answer).
        code: What users see in place of the class's code (an upstream's word).
        type: What users see in place of the class's type.
    """

    status: ClassVar[int] = 500
    type: str = "server_error"
    code: str = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        retry_after: float | None = None,
        status: int | None = None,
        code: str | None = None,
        type: str | None = None,  # noqa: A002  # OpenAI's name for it
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after
        self.http_status: int = status or self.status
        self.code = code or self.code
        self.type = type or self.type

    def to_payload(self) -> ErrorPayload:
        """The error as data, for another process; `from_payload` restores it."""
        cls = self.__class__
        return ErrorPayload(
            message=self.message,
            code=cls.code,
            param=self.param,
            retry_after=self.retry_after,
            status=self.http_status,
            own_code=self.code if self.code != cls.code else None,
            own_type=self.type if self.type != cls.type else None,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return (from_payload, (self.to_payload(),))


class InvalidRequestError(JanHostError):
    """The request is well-formed and can't be carried out as it stands."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_request"


class ContextLengthExceededError(InvalidRequestError):
    """Prompt and answer need more tokens than one request may use."""

    code = "context_length_exceeded"


class UnsupportedError(InvalidRequestError):
    """The model or its engine can't do what was asked."""

    code = "unsupported"


class ValidationError(InvalidRequestError):
    """The request does not have the shape that the API asks for."""

    status = 422
    code = "validation_error"


class AuthenticationError(JanHostError):
    """The API key is missing or wrong."""

    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class ForbiddenError(JanHostError):
    """The caller may not do this, whatever its key."""

    status = 403
    type = "permission_error"
    code = "forbidden"


class NotFoundError(JanHostError):
    """There is nothing under that name."""

    status = 404
    type = "invalid_request_error"
    code = "not_found"


class ModelNotFoundError(NotFoundError):
    """No model has that id."""

    code = "model_not_found"


class DownloadNotFoundError(NotFoundError):
    """No download has that id."""

    code = "download_not_found"


class MethodNotAllowedError(JanHostError):
    """The route exists, and not with that method."""

    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"


class ConflictError(JanHostError):
    """The thing is in a state in which this can't be done."""

    status = 409
    type = "invalid_request_error"
    code = "conflict"


class PayloadTooLargeError(JanHostError):
    """The body of the request is larger than the host accepts."""

    status = 413
    type = "invalid_request_error"
    code = "payload_too_large"


class UnsupportedMediaTypeError(JanHostError):
    """The body of the request is not JSON by its content type."""

    status = 415
    type = "invalid_request_error"
    code = "unsupported_media_type"


class TooManyRequestsError(JanHostError):
    """Too many requests wait already; `retry_after` says when to come back."""

    status = 429
    type = "rate_limit_error"
    code = "too_many_requests"


class ModelError(JanHostError):
    """Something is wrong with a model."""

    code = "model_error"


class ModelBrokenError(ModelError):
    """The model's folder or files can't be read as a model."""

    status = 409
    code = "model_broken"


class ModelLoadError(ModelError):
    """The engine could not load the model."""

    code = "model_load_failed"


class InsufficientMemoryError(ModelError):
    """The model does not fit into the memory there is."""

    status = 507
    code = "insufficient_memory"


class EngineError(JanHostError):
    """The engine failed while it worked on a request."""

    code = "engine_error"


class WorkerCrashedError(EngineError):
    """The process that holds the model ended or hung while it was needed."""

    code = "worker_crashed"


class ProtocolError(EngineError):
    """Host and worker did not understand each other."""

    code = "worker_protocol_error"


class UpstreamError(JanHostError):
    """A remote server that stands behind a model failed or refused."""

    status = 502
    type = "upstream_error"
    code = "upstream_error"


class UnavailableError(JanHostError):
    """The host can't do this now and may be able to later."""

    status = 503
    code = "unavailable"


class ModelCoolingDownError(UnavailableError):
    """The model failed to start a moment ago and is not tried again yet."""

    code = "model_cooling_down"


class EngineNotInstalledError(UnavailableError):
    """No installed plugin offers the engine that the model asks for."""

    code = "engine_not_installed"


class ImportFailedError(JanHostError):
    """A model could not be imported."""

    status = 502
    code = "import_failed"


class OriginNotFoundError(ImportFailedError):
    """There is no model at that origin."""

    status = 404
    type = "invalid_request_error"
    code = "origin_not_found"


class DownloadError(ImportFailedError):
    """A file could not be fetched."""

    code = "download_failed"


class ChecksumMismatchError(ImportFailedError):
    """A file that was fetched is not the file that was promised."""

    code = "checksum_mismatch"


class InsufficientDiskError(ImportFailedError):
    """The files do not fit on the disk."""

    status = 507
    code = "insufficient_disk"


class ConfigError(JanHostError):
    """The configuration can't be used as it stands."""

    code = "invalid_configuration"


class PluginError(JanHostError):
    """A plugin broke the contract; it costs that plugin alone."""

    code = "plugin_error"


def error_classes() -> dict[str, type[JanHostError]]:
    """Every class of the tree by its ``code``."""
    found: dict[str, type[JanHostError]] = {}
    pending: list[type[JanHostError]] = [JanHostError]
    while pending:
        cls = pending.pop()
        found.setdefault(cls.code, cls)
        pending.extend(cls.__subclasses__())
    return found


def from_payload(payload: ErrorPayload) -> JanHostError:
    """Restore an error that another process sent; an unknown code becomes an `EngineError`."""
    cls = error_classes().get(payload.code, EngineError)
    # Subclasses of third parties may take other arguments; the payload is all that is needed.
    error = cls.__new__(cls)
    JanHostError.__init__(
        error,
        payload.message,
        param=payload.param,
        retry_after=payload.retry_after,
        status=payload.status,
        code=payload.own_code,
        type=payload.own_type,
    )
    return error
