"""Hugging Face's hub cache.

    models--ORG--NAME/
        refs/main                       the revision that the name stands for
        snapshots/REVISION/FILE         links to ../../blobs/HASH
        blobs/HASH                      the files; HASH.incomplete while they come

Source: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from jan_host import Discovery

from jan_host_caches.files import is_model_file

_PREFIX = "models--"


def repositories(environ: Mapping[str, str], home: Path) -> Iterator[Discovery]:
    """The repositories in the cache that have model files."""
    try:
        found = sorted(_cache(environ, home).glob(f"{_PREFIX}*"))
    except OSError:
        return
    for repository in found:
        snapshot = _snapshot(repository)
        files = _files(snapshot) if snapshot else {}
        if any(is_model_file(name) for name in files):
            name = repository.name.removeprefix(_PREFIX).replace("--", "/")
            # A file of weights alone is called as what it holds; a graph is called model.onnx.
            is_telling = any(file.lower().endswith(".gguf") for file in files)
            yield Discovery(name=name, files=files, id=None if is_telling else name.rpartition("/")[2])


def _cache(environ: Mapping[str, str], home: Path) -> Path:
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environ.get(variable):
            return Path(environ[variable]).expanduser()
    if environ.get("HF_HOME"):
        return Path(environ["HF_HOME"]).expanduser() / "hub"
    cache = Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    return cache / "huggingface" / "hub"


def _snapshot(repository: Path) -> Path | None:
    """The revision of the main branch, else the one that came last."""
    try:
        revision = (repository / "refs" / "main").read_text("utf-8").strip()
        if revision and (repository / "snapshots" / revision).is_dir():
            return repository / "snapshots" / revision
    except (OSError, UnicodeDecodeError, ValueError):
        pass  # there are revisions that no branch names
    try:
        return max((repository / "snapshots").iterdir(), key=lambda path: path.stat().st_mtime, default=None)
    except OSError:
        return None


def _files(snapshot: Path) -> dict[str, Path]:
    """The files that are there whole; a link to a blob that was removed leads nowhere."""
    found = {}
    for place, _, names in os.walk(snapshot):
        for name in sorted(names):
            path = Path(place, name)
            if path.is_file() and not name.startswith("."):
                found[path.relative_to(snapshot).as_posix()] = path
    return found
