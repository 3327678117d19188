"""What ONNX Runtime complains of, in words for the user."""

import re
from pathlib import Path
from typing import Final

from jan_host import EngineError, ModelLoadError

_KNOWN: Final = (
    (r"[Uu]nsupported model IR version", "is of a newer ONNX version than the installed onnxruntime reads"),
    (
        r"opset \d+ is under development|[Mm]ax supported opset|Unsupported.*opset",
        "uses newer operators (opset) than the installed onnxruntime has",
    ),
    (
        r"is not a registered function/op|No Op registered|No opset import for domain",
        "uses an operator that the installed onnxruntime does not have",
    ),
    (
        r"Could not find an implementation",
        "uses an operator in a number format that its provider can't compute",
    ),
    (r"[Pp]rotobuf parsing failed|INVALID_PROTOBUF", "is damaged"),
    (r"external data|external initializer|External data", "does not find its weights in the files beside it"),
    (r"bad_alloc|[Ff]ailed to allocate|out of memory|CUDA_ERROR_OUT_OF_MEMORY", "does not fit into memory"),
)
_CURES: Final = {
    "is damaged": "Download it again.",
    "does not find its weights in the files beside it": "Download them again into the same folder.",
    "does not fit into memory": "Choose a smaller variant, or stop other models.",
}
_PLACE: Final = re.compile(r"/\S*?onnxruntime\S*?(?::\d+)? |\[ONNXRuntimeError\] : \d+ : \w+ : ")
_MOST: Final = 300


def load_error(path: Path, error: Exception) -> ModelLoadError:
    """Why the graph at `path` could not be loaded."""
    told = describe(error)
    for pattern, meaning in _KNOWN:
        if re.search(pattern, str(error)):
            cure = _CURES.get(meaning, "Update it (pip install -U onnxruntime), or export the model anew.")
            return ModelLoadError(f"{path.name} {meaning}. {cure} onnxruntime says: {told}")
    return ModelLoadError(f"{path.name} can't be loaded. onnxruntime says: {told}")


def run_error(error: Exception) -> EngineError:
    """Why a run failed. It costs the requests of that run."""
    return EngineError(
        f"The model's graph failed on this input. onnxruntime says: {describe(error)} If it does so on every"
        " input, the graph does not fit its tokenizer or configuration."
    )


def describe(error: Exception) -> str:
    """onnxruntime's message in one line, without places in its source code."""
    text = " ".join(_PLACE.sub("", str(error)).split())
    return text[:_MOST] + ("…" if len(text) > _MOST else "") if text else type(error).__name__
