"""The JSON files of a scan: which of them describe models, and what they say."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jan_host.contract.errors import ModelBrokenError
from jan_host.library.read import MAX_BYTES, read_object
from jan_host.library.scan import Folder, Stamp

MODEL_FILE = "model.json"

_MARKS = (
    "sources",
    "source_url",
    "download_url",
    "origin",
    "import_format",
    "engine",
    "engine_parameters",
    "model_parameters",
)
_OTHERS = frozenset(
    {
        *("config.json", "generation_config.json", "genai_config.json", "preprocessor_config.json"),
        *("processor_config.json", "adapter_config.json", "quantize_config.json", "params.json"),
        *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
        *("vocab.json", "merges.json", "chat_template.json", "modules.json", "ort_config.json"),
        *("sentence_bert_config.json", "config_sentence_transformers.json", "model_index.json"),
    }
)
"""Files that lie in the folders of models and describe something else."""
_MARK_IN_TEXT = re.compile(rf'"?\b({"|".join(_MARKS)})"?[ \t]*:')


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON file that describes a model: its object, or the reason why it can't be read."""

    raw: dict[str, Any]
    problem: str | None = None


class Documents:
    """Reads each JSON file once, until its time or size changes.

    ``model.json`` always describes a model. Folders of models hold other JSON files too (a
    tokenizer, an architecture): one of another name counts when it has a field that only
    a model.json has.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[Stamp, Document | None]] = {}
        self._used: dict[str, tuple[Stamp, Document | None]] = {}

    def of(self, folder: Folder) -> dict[str, Document]:
        """The documents directly in `folder` by their names, ``model.json`` first."""
        found: dict[str, Document] = {}
        names = [name for name in folder.files if name.endswith(".json")]
        for name in sorted(names, key=lambda name: (name != MODEL_FILE, name)):
            document = self._read(f"{folder.path}/{name}", name, folder.files[name])
            if document is not None:
                found[name] = document
        return found

    def forget_unused(self) -> None:
        """Drop what was not asked for since the last call."""
        self._known, self._used = self._used, {}

    def _read(self, path: str, name: str, stamp: Stamp) -> Document | None:
        known = self._used.get(path) or self._known.get(path)
        if known is None or known[0] != stamp:
            known = (stamp, _read_document(Path(path), name, stamp[1]))
        self._used[path] = known
        return known[1]


def _read_document(file: Path, name: str, size: int) -> Document | None:
    if name != MODEL_FILE and (size > MAX_BYTES or name in _OTHERS or name.endswith(".index.json")):
        return None
    try:
        raw = read_object(file)
    except ModelBrokenError as error:
        is_model = name == MODEL_FILE or _has_mark(file)
        return Document({}, error.message) if is_model else None
    return Document(raw) if name == MODEL_FILE or _is_marked(raw) else None


def _is_marked(raw: dict[str, Any]) -> bool:
    parameters = raw.get("parameters")
    layers = parameters.keys() & {"init", "runtime"} if isinstance(parameters, dict) else set()
    # A vocabulary has any word for a key, and a number for its value.
    is_marked = any(isinstance(raw.get(mark), str | list | dict) for mark in _MARKS)
    return bool(layers) or is_marked or raw.get("object") == "model"


def _has_mark(file: Path) -> bool:
    try:
        return bool(_MARK_IN_TEXT.search(file.read_text("utf-8", "replace")))
    except OSError:
        return False
