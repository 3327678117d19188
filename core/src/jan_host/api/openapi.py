"""The OpenAPI document: read off the routes and their types, under the seeds' title, tags and names.

Litestar's own generator is not used: it loses bounds (``minimum: 0``), defaults and the
discriminators of tagged unions, all of which msgspec, which does the decoding, knows.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from jan_host.api.auth import PUBLIC_PATHS
from jan_host.api.errors import ErrorResponse
from jan_host.api.operation import ANSWER, EVENTS
from jan_host.api.version import VERSION
from jan_host.contract.unknown import KEPT, OTHER
from jan_host.host import JanHost

REF = "#/components/schemas/{name}"
BODY = "data"
REQUEST = "request"

SEED_NAMES = {
    "ChatRequest": "CreateChatCompletionRequest",
    "ChatCompletion": "CreateChatCompletionResponse",
    "CompletionRequest": "CreateCompletionRequest",
    "Completion": "CreateCompletionResponse",
}
"""What the seeds' document calls our types."""

TAGS = {
    "Models": "List and describe available models",
    "Chat": "Chat completion endpoints for conversational AI",
    "Completions": "Text completion endpoints for generating text",
    "Embeddings": "Vectors for texts",
    "Rerank": "Documents in the order of their relevance",
    "Downloads": "Models on their way to this machine",
    "Events": "What happens in the host",
    "Plugins": "What is installed",
    "Host": "The host itself",
    "Extras": "Additional utility endpoints for tokenization and text processing",
}

Document = dict[str, Any]


def build_document(app: Litestar, host: JanHost, *, needs_key: bool) -> Document:
    """The whole document, as what JSON can say."""
    operations = list(_operations(app))
    types = sorted({kind for item in operations for kind in item.types()} | {ErrorResponse}, key=str)
    schemas, components = msgspec.json.schema_components(types, schema_hook=_schema_hook, ref_template=REF)
    schema_of = dict(zip(types, schemas, strict=True))
    paths: dict[str, Document] = {}
    for item in operations:
        paths.setdefault(item.path, {})[item.method.lower()] = item.document(schema_of, needs_key)
    document = {
        "openapi": "3.1.0",
        "info": _info(),
        "servers": [{"url": "/", "description": "This host"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {name: _tidied(schema) for name, schema in sorted(components.items())},
            "securitySchemes": {
                "bearerAuth": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The API key, when the host was configured with one.",
                }
            },
        },
        "x-jan-local-features": _features(host),
    }
    return _with_seed_names(document)


class _Operation:
    """One method of one path."""

    def __init__(self, route: HTTPRoute, method: str, handler: HTTPRouteHandler) -> None:
        self.path = route.path_format
        self.method = method
        self._path_names = set(route.path_parameters)
        self._handler = handler
        self._parameters = handler.parsed_fn_signature.parameters
        opt = handler.opt
        returned = handler.parsed_fn_signature.return_type.annotation
        own = returned if isinstance(returned, type) and issubclass(returned, msgspec.Struct) else None
        self._answer = opt.get(ANSWER, own)
        self._events = opt.get(EVENTS)

    def types(self) -> list[Any]:
        """All types that the operation mentions."""
        kinds = [field.annotation for name, field in self._parameters.items() if name != REQUEST]
        return [kind for kind in (*kinds, self._answer, self._events) if kind is not None]

    def document(self, schema_of: dict[Any, Document], needs_key: bool) -> Document:
        """The operation's object."""
        handler = self._handler
        text = inspect.cleandoc(handler.description or handler.fn.__doc__ or "")
        found: Document = {
            "tags": list(handler.tags or []),
            "summary": handler.summary or handler.handler_name,
            "description": text,
            "operationId": handler.operation_id or handler.handler_name,
            "responses": self._responses(schema_of),
        }
        parameters = [
            self._parameter(name, schema_of) for name in self._parameters if name not in (BODY, REQUEST)
        ]
        if parameters:
            found["parameters"] = parameters
        body = self._parameters.get(BODY)
        if body is not None:
            content = {"application/json": {"schema": schema_of[body.annotation]}}
            found["requestBody"] = {"required": not body.has_default, "content": content}
        if self.path in PUBLIC_PATHS:
            found["security"] = []
        else:
            found["security"] = [{"bearerAuth": []}] if needs_key else [{}, {"bearerAuth": []}]
        return found

    def _parameter(self, name: str, schema_of: dict[Any, Document]) -> Document:
        field = self._parameters[name]
        in_path = name in self._path_names
        alias = getattr(field.kwarg_definition, "name", None)
        schema = dict(schema_of[field.annotation])
        if field.has_default:
            schema["default"] = field.default
        return {
            "name": alias or name,
            "in": "path" if in_path else "query",
            "required": in_path or not field.has_default,
            "schema": schema,
        }

    def _responses(self, schema_of: dict[Any, Document]) -> Document:
        content: Document = {}
        if self._answer is not None:
            content["application/json"] = {"schema": schema_of[self._answer]}
        if self._events is not None:
            content["text/event-stream"] = {
                "schema": {
                    "type": "string",
                    "description": "Events; the data of each is x-event-data.",
                },
                "x-event-data": schema_of[self._events],
            }
        error = {"application/json": {"schema": schema_of[ErrorResponse]}}
        found = {str(self._handler.status_code): {"description": "Success", "content": content}}
        if self._parameters:
            found["422"] = {"description": "The request does not have the right shape", "content": error}
        found["4XX"] = {"description": "The request can't be carried out", "content": error}
        found["5XX"] = {"description": "The host, the model or its engine failed", "content": error}
        return found


def _operations(app: Litestar) -> Iterator[_Operation]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for method, (handler, _) in route.route_handler_map.items():
            if method != "OPTIONS" and handler.resolve_include_in_schema():
                yield _Operation(route, method, handler)


def _schema_hook(kind: type) -> Document:
    if issubclass(kind, Path):
        return {"type": "string"}
    raise NotImplementedError


def _tidied(schema: Document) -> Document:
    """Our types' docstrings without indentation, and what stands for the unknown as what it means."""
    if "description" in schema:
        schema["description"] = inspect.cleandoc(schema["description"])
    properties = schema.get("properties", {})
    if properties.pop(KEPT, None) is not None:
        schema["additionalProperties"] = True
    tidied: Document = _without_stand_ins(schema)
    return tidied


def _without_stand_ins(value: Any) -> Any:
    """A schema in which an `Unknown` has a ``type``, and not the one that it has inside the host."""
    if isinstance(value, list):
        return [_without_stand_ins(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value == {"enum": [OTHER]}:
        return {"type": "string"}
    return {name: _without_stand_ins(item) for name, item in value.items() if name != OTHER}


def _with_seed_names(document: Document) -> Document:
    refs = {REF.format(name=old): REF.format(name=new) for old, new in SEED_NAMES.items()}

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {SEED_NAMES.get(key, key): renamed(item) for key, item in value.items()}
        if isinstance(value, list):
            return [renamed(item) for item in value]
        return refs.get(value, value) if isinstance(value, str) else value

    result: Document = renamed(document)
    return result


def _info() -> Document:
    return {
        "title": "👋Jan API",
        "description": (
            "OpenAI-compatible API for AI models on one's own machine, by jan-host. Engines, importers"
            " and extras are plugins; this document shows what is installed here."
        ),
        "version": VERSION,
        "contact": {"name": "Jan Support", "url": "https://jan.ai/support", "email": "support@jan.ai"},
        "license": {"name": "Apache 2.0", "url": "https://github.com/janhq/jan/blob/main/LICENSE"},
    }


def _features(host: JanHost) -> Document:
    engines = host.plugins.engine_reports()
    plugins = host.plugins.reports()
    return {
        "engine": ", ".join(engine.name for engine in engines),
        "features": sorted({f"{kind} {name}" for kind, name in _installed(plugins)}),
        "privacy": {
            "local_processing": all(engine.runs_in == "worker" for engine in engines),
            "no_telemetry": True,
            "offline_capable": True,
        },
        "model_formats": sorted({form for engine in engines for form in engine.formats}),
        "default_settings": {engine.name: _defaults(engine.settings) for engine in engines},
    }


def _installed(plugins: Any) -> Iterator[tuple[str, str]]:
    for plugin in plugins:
        yield from (("engine", name) for name in plugin.engines)
        yield from (("importer", name) for name in plugin.importers)
        yield from (("extra", name) for name in plugin.extras)


def _defaults(schema: Document) -> Document:
    """The defaults in an engine's JSON schema, whose root may be a reference."""
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    root = schema.get("$defs", {}).get(name, schema)
    return {
        key: field["default"]
        for key, field in root.get("properties", {}).items()
        if field.get("default") is not None
    }
