"""What ONNX Runtime complains of, in words for the user."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from jan_host import EngineError, ModelLoadError

_UPDATE: Final = "Update it (pip install -U onnxruntime), or export the model anew."
_KNOWN: Final = (
    (
        r"[Uu]nsupported model IR version",
        f"is of a newer ONNX version than the installed onnxruntime reads. {_UPDATE}",
    ),
    (
        r"Opset \d+ is under development|Unsupported.*opset",
        f"uses newer operators (opset) than the installed onnxruntime has. {_UPDATE}",
    ),
    (
        r"is not a registered function/op|No Op registered|No opset import for domain",
        f"uses an operator that the installed onnxruntime does not have. {_UPDATE}",
    ),
    (
        r"Could not find an implementation",
        "uses an operator in a number format that its provider can't compute. Choose another variant.",
    ),
    (r"[Pp]rotobuf parsing failed|INVALID_PROTOBUF", "is damaged. Download it again."),
    (
        r"escapes model directory",
        "has its weights behind a link that leads out of its folder, which onnxruntime refuses. Put the files"
        " themselves beside it.",
    ),
    (
        r"[Ee]xternal (data|initializer)",
        "does not find its weights in the files beside it. Download them again into the same folder.",
    ),
    (
        r"bad_alloc|[Ff]ailed to allocate|[Oo]ut of memory|OUT_OF_MEMORY",
        "does not fit into memory. Choose a smaller variant, or stop other models.",
    ),
)
_PLACE: Final = re.compile(
    r"/\S*onnxruntime\S*:\d+ .*?\)(?: const)?(?: |::\S+ )(?=[A-Z])|\[ONNXRuntimeError\] : \d+ : \w+ : "
)
"""Where in its source code, and in which function, the runtime found the mistake."""
_MOST: Final = 300


def load_error(path: Path, error: Exception) -> ModelLoadError:
    """Why the graph at `path` could not be loaded."""
    told = describe(error)
    for pattern, meaning in _KNOWN:
        if re.search(pattern, str(error)):
            return ModelLoadError(f"{path.name} {meaning} onnxruntime says: {told}")
    return ModelLoadError(f"{path.name} can't be loaded. onnxruntime says: {told}")


def run_error(error: Exception) -> EngineError:
    """Why a run failed. It costs the requests of that run."""
    return EngineError(
        f"The model's graph failed on this input. onnxruntime says: {describe(error)} If it does so on every"
        " input, the graph does not fit its tokenizer or configuration."
    )


@contextmanager
def no_panic() -> Iterator[None]:
    """A panic of the tokenizer's native code becomes an error of the request that was to blame.

    Raises:
        EngineError: It panicked, such as over an expression that tries forever.
    """
    try:
        yield
    except BaseException as error:
        # Panics are no Exception, and their class has no public name.
        if type(error).__module__ != "pyo3_runtime":
            raise
        raise EngineError(
            f"The model's tokenizer failed on this text: {error}. Send another, or check its tokenizer.json."
        ) from error


def describe(error: Exception) -> str:
    """onnxruntime's message in one line, without places in its source code."""
    text = " ".join(_PLACE.sub("", str(error)).split())
    return text[:_MOST] + ("…" if len(text) > _MOST else "") if text else type(error).__name__
