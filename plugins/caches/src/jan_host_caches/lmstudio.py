"""LM Studio: ``models/PUBLISHER/REPOSITORY/FILE``, below a folder that its settings name.

``~/.lmstudio-home-pointer`` holds the path of LM Studio's own folder where that is not ``~/.lmstudio``; its
``settings.json`` names the folder of models as ``downloadsFolder``. Versions before 0.3.6 had
``~/.cache/lm-studio``.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from jan_host import Discovery

from jan_host_caches.files import folders_of_models


def models(home: Path) -> Iterator[Discovery]:
    """The models of each folder that LM Studio has or had."""
    seen: set[Path] = set()
    for root in _roots(home):
        if root.resolve() in seen:
            continue
        seen.add(root.resolve())
        for folder, files in folders_of_models(root):
            name = folder.relative_to(root).as_posix()
            yield Discovery(name=name, files={file.name: file for file in files})


def _roots(home: Path) -> Iterator[Path]:
    for own in (_pointed(home), home / ".lmstudio", home / ".cache" / "lm-studio"):
        if own is None:
            continue
        try:
            settings = json.loads((own / "settings.json").read_text("utf-8"))
            named = settings.get("downloadsFolder") if isinstance(settings, dict) else None
        except (OSError, ValueError, RecursionError):
            named = None
        if isinstance(named, str) and named:
            yield Path(named)
        yield own / "models"


def _pointed(home: Path) -> Path | None:
    try:
        text = (home / ".lmstudio-home-pointer").read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return Path(text) if text else None
