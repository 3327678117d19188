"""The folders of other programs, written as these programs write them."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.plugins.llamacpp.writing import write_model, write_projector

REVISION = "d2a1b7c6e5f4039281706f5e4d3c2b1a09876543"


def hub_repository(cache: Path, name: str, files: Mapping[str, Path]) -> Path:
    """A repository of Hugging Face's cache: files by their names, moved into blobs and linked."""
    repository = cache / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / REVISION
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(REVISION)
    (repository / "blobs").mkdir()
    for filename, file in files.items():
        blob = repository / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
        file.rename(blob)
        link = snapshot / filename
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path(*[".."] * (2 + filename.count("/"))) / "blobs" / blob.name)
    return snapshot


def lmstudio(home: Path) -> Path:
    """A model and its projector, as LM Studio downloads them."""
    folder = home / "models" / "lmstudio-community" / "gemma-3-4b-it-GGUF"
    folder.mkdir(parents=True)
    write_projector(folder / "mmproj-model-f16.gguf")
    return write_model(folder / "gemma-3-4b-it-Q4_K_M.gguf")


def ollama_model(root: Path, name: tuple[str, str, str, str], file: Path, **layers: Any) -> Path:
    """A model of Ollama's with these further layers: ``params``, ``system``, ``template``, ``projector``."""
    made = [_layer(root, "model", file.read_bytes())]
    for kind, content in layers.items():
        made.append(_layer(root, kind, content if isinstance(content, bytes) else content.encode()))
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            **_blob(root, json.dumps({"model_format": "gguf", "model_family": "llama"}).encode()),
        },
        "layers": made,
    }
    path = root.joinpath("manifests", *name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(manifest))
    file.unlink()
    return root / "blobs" / str(made[0]["digest"]).replace(":", "-")


def _layer(root: Path, kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": f"application/vnd.ollama.image.{kind}", **_blob(root, content)}


def _blob(root: Path, content: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    (root / "blobs").mkdir(parents=True, exist_ok=True)
    (root / "blobs" / f"sha256-{digest}").write_bytes(content)
    return {"digest": f"sha256:{digest}", "size": len(content)}


def jan_new(data: Path) -> Path:
    """A model as Jan 0.6 keeps it."""
    folder = data / "llamacpp" / "models" / "Menlo" / "Jan-nano-gguf"
    folder.mkdir(parents=True)
    (folder / "model.yml").write_text(
        "embedding: false\nmodel_path: llamacpp/models/Menlo/Jan-nano-gguf/model.gguf\nname: Jan-nano\n"
        "size_bytes: 1234\n"
    )
    return write_model(folder / "model.gguf")


def jan_in_place(data: Path, file: Path) -> None:
    """A file that Jan uses where it lies."""
    folder = data / "llamacpp" / "models" / "my-own"
    folder.mkdir(parents=True)
    (folder / "model.yml").write_text(f"model_path: {file}\nname: my-own\nsize_bytes: 1\n")


def jan_old(home: Path) -> Path:
    """A model as Jan 0.4 kept it."""
    folder = home / "jan" / "models" / "tinyllama-1.1b"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(json.dumps({"id": "tinyllama-1.1b", "engine": "nitro"}))
    return write_model(folder / "tinyllama-1.1b-chat-v1.0.Q4_K_M.gguf")
