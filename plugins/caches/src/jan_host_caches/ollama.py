"""Ollama: ``manifests/HOST/NAMESPACE/MODEL/TAG`` name the layers of a model, ``blobs/sha256-HEX`` are these.

Each manifest is an OCI image manifest; what a layer is, its media type tells.
Source: https://github.com/ollama/ollama/blob/main/server/internal/manifest/manifest.go
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jan_host import Discovery

_DEFAULT_HOST = "registry.ollama.ai"
_DEFAULT_NAMESPACE = "library"
_MODEL = "application/vnd.ollama.image.model"
_PROJECTOR = "application/vnd.ollama.image.projector"
_PARAMETERS = "application/vnd.ollama.image.params"
_SYSTEM = "application/vnd.ollama.image.system"
_DIGEST = re.compile(r"sha256[:-][0-9a-f]{64}")
_NOT_IN_NAMES = re.compile(r"[^\w.-]+")
_MAX_TEXT_BYTES = 1 << 20

_SETTINGS = {"num_ctx": "ctx_len", "num_gpu": "ngl", "num_thread": "cpu_threads", "num_batch": "n_batch"}
_REQUEST_NAMES = {"num_predict": "max_tokens", "repeat_penalty": "repeat_penalty"} | {
    name: name for name in ("temperature", "top_k", "top_p", "min_p", "typical_p", "seed", "stop")
}


def models(environ: Mapping[str, str], home: Path) -> Iterator[Discovery]:
    """A model for each tag whose files are here."""
    named = environ.get("OLLAMA_MODELS")
    # The service of Linux runs as a user of its own.
    roots = [Path(named)] if named else [home / ".ollama/models", Path("/usr/share/ollama/.ollama/models")]
    for root in roots:
        try:
            manifests = sorted(path for path in (root / "manifests").glob("*/*/*/*") if path.is_file())
        except OSError:
            continue
        for manifest in manifests:
            found = _read(root, manifest)
            if found is not None:
                yield found


def _read(root: Path, manifest: Path) -> Discovery | None:
    document = _object(manifest)
    layers = [layer for layer in document.get("layers") or () if isinstance(layer, dict)]
    name = _name(manifest.relative_to(root / "manifests").parts)
    stem = _NOT_IN_NAMES.sub("-", name)
    files: dict[str, Path] = {}
    for kind, shown in ((_MODEL, stem), (_PROJECTOR, f"{stem}-mmproj")):
        for blob in _blobs(root, layers, kind):
            number = "" if f"{shown}.gguf" not in files else f"-{len(files) + 1}"
            files[f"{shown}{number}.gguf"] = blob
    if not files or not all(file.is_file() for file in files.values()):
        return None
    given = [_object(blob) for blob in _blobs(root, layers, _PARAMETERS)]
    settings, parameters = _translated(given[0] if given else {})
    for blob in _blobs(root, layers, _SYSTEM):
        settings["system_prompt"] = _text(blob)
    return Discovery(name=name, files=files, id=name, settings=settings, parameters=parameters)


def _name(parts: tuple[str, ...]) -> str:
    """As the user of Ollama writes it: without what is the default."""
    host, namespace, model, tag = parts
    shown = [*([host] if host != _DEFAULT_HOST else ()), namespace, model]
    if shown[0] == _DEFAULT_NAMESPACE:
        shown.pop(0)
    return "/".join(shown) + ("" if tag == "latest" else f":{tag}")


def _blobs(root: Path, layers: list[dict[str, Any]], kind: str) -> Iterator[Path]:
    for layer in layers:
        digest = layer.get("digest")
        if layer.get("mediaType") == kind and isinstance(digest, str) and _DIGEST.fullmatch(digest):
            yield root / "blobs" / digest.replace(":", "-")


def _translated(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings and parameters under the names of a model.json."""
    settings = {_SETTINGS[key]: value for key, value in given.items() if key in _SETTINGS}
    parameters = {_REQUEST_NAMES[key]: value for key, value in given.items() if key in _REQUEST_NAMES}
    if parameters.get("max_tokens", 1) < 1:  # -1: without an end
        del parameters["max_tokens"]
    return settings, parameters


def _object(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(_text(file))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return stream.read(_MAX_TEXT_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
