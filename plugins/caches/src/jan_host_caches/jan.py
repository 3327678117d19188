"""Jan, and the programs that it came with.

    ~/jan/models/ID/model.json, FILE                        until 0.5
    DATA/models/PROVIDER/ID.../model.yml, FILE              0.5.13 and the like; also ~/cortexcpp/models
    DATA/<engine>/models/ID.../model.yml, model.gguf        0.6 and later

DATA is the folder ``Jan/data`` where the platform keeps data or settings of programs. A model.yml names the
file as ``model_path`` (from DATA, or absolute for a model that Jan uses in place), and a projector as
``mmproj_path``.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jan_host import Discovery

from jan_host_caches.files import folders_of_models

_DESCRIPTION = "model.yml"
_GENERIC = "model.gguf"
_MAX_BYTES = 1 << 20


def models(environ: Mapping[str, str], home: Path) -> Iterator[Discovery]:
    """The models of all generations; what one generation took over from another is found once."""
    seen: set[Path] = set()
    for data in _data_folders(environ, home):
        for root in _model_folders(data):
            for found in _models_below(root, data):
                files = {file.resolve() for file in found.files.values()}
                if not files & seen:
                    seen |= files
                    yield found


def _data_folders(environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    yield home / "jan"
    yield home / "cortexcpp"
    if sys.platform == "darwin":
        yield home / "Library" / "Application Support" / "Jan" / "data"
    elif sys.platform == "win32":
        yield Path(environ.get("APPDATA") or home / "AppData" / "Roaming") / "Jan" / "data"
    else:
        yield Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "Jan" / "data"
        yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "Jan" / "data"


def _model_folders(data: Path) -> Iterator[Path]:
    """``models`` and ``<engine>/models``."""
    try:
        below = sorted(path for path in data.iterdir() if path.is_dir())
    except OSError:
        return
    yield data / "models"
    for folder in below:
        if (folder / "models").is_dir():
            yield folder / "models"


def _models_below(root: Path, data: Path) -> Iterator[Discovery]:
    described: set[Path] = set()
    for file in sorted(_descriptions(root)):
        name = file.parent.relative_to(root).as_posix()
        files = _named_files(file, data)
        if files:
            described.update(files)
            yield _discovery(name, files)
    for folder, files in folders_of_models(root):
        if described.isdisjoint(files):
            yield _discovery(folder.relative_to(root).as_posix(), files)


def _descriptions(root: Path) -> Iterator[Path]:
    for place, _, names in os.walk(root):
        if _DESCRIPTION in names:
            yield Path(place, _DESCRIPTION)


def _named_files(description: Path, data: Path) -> list[Path]:
    document = _yaml(description)
    named = [document.get("model_path"), document.get("mmproj_path"), *_texts(document.get("files"))]
    paths = [data / name for name in named if isinstance(name, str) and name]
    return [path for path in dict.fromkeys(paths) if path.is_file()]


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _yaml(file: Path) -> dict[str, Any]:
    import yaml

    try:
        with file.open("rb") as stream:
            value = yaml.safe_load(stream.read(_MAX_BYTES))
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _discovery(name: str, files: list[Path]) -> Discovery:
    """Jan calls most files ``model.gguf``: such a one takes the name of its model."""
    last = name.rpartition("/")[2]
    is_generic = any(file.name.lower() == _GENERIC for file in files)
    shown = {f"{last}.gguf" if file.name.lower() == _GENERIC else file.name: file for file in files}
    return Discovery(name=name, files=shown, id=last if is_generic else None)
