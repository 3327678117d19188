"""A host over a root with SmolLM2, or with what only looks like a model."""

import json
from pathlib import Path
from typing import Any

from tests.plugins.llamacpp.writing import write_model


def write_chat(root: Path, weights: Path | None = None, **document: Any) -> Path:
    """The model ``chat`` in the models folder of a root, with fields of its model.json.

    Args:
        root: The host's root.
        weights: A real model, which is linked; left out: a header without sense.
        document: Beside the fields that each has.
    """
    folder = root / "models" / "chat"
    folder.mkdir(parents=True)
    if weights is None:
        write_model(folder / "chat.gguf")
    else:
        (folder / "chat.gguf").symlink_to(weights)
    written = {"id": "chat", "format": "gguf", "sources": [{"filename": "chat.gguf"}], **document}
    (folder / "model.json").write_text(json.dumps(written))
    return folder
