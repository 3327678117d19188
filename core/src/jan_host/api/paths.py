"""Model ids in paths. Ids contain slashes: ``%2F`` and plain slashes both work.

The router splits a path at slashes, so an id is put into one segment before it gets there:
``/v1/models/a/b/start`` and ``/v1/models/a%2Fb/start`` both become ``/v1/models/a%2Fb/start``,
with the ``%`` in the path that the router sees; a handler calls `model_id` on its parameter.
"""

from urllib.parse import quote, unquote

from litestar.types import HTTPScope

PREFIXES = (b"/v1/models/", b"/models/")
ACTIONS = frozenset({b"start", b"stop"})


def rewritten(scope: HTTPScope) -> str:
    """The path for the router: `scope`'s own, with a model's id in one segment."""
    path = scope["path"]
    raw = scope.get("raw_path") or quote(path).encode()
    prefix = next((start for start in PREFIXES if raw.startswith(start)), None)
    # What is posted below /models (pull, plan) names no model in its path.
    if prefix is None or scope["method"] == "POST":
        return path
    rest, action = raw[len(prefix) :], b""
    if scope["method"] == "PUT":
        head, _, tail = rest.rpartition(b"/")
        if tail in ACTIONS:
            rest, action = head, b"/" + tail
    model = unquote(rest).strip("/")
    if not model:
        return path
    return f"{prefix.decode()}{quote(model, safe='')}{action.decode()}"


def model_id(segment: str) -> str:
    """The id that a path's segment stands for."""
    return unquote(segment)
