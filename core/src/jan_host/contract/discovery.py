"""What other programs have brought to this machine."""

from pathlib import Path
from typing import Any

import msgspec


class Discovery(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Files that belong to another program: of one model, or of several that lie together.

    The host asks the engines which models the files are, and can link them: nothing is copied, and
    nothing of that program's is changed.
    """

    name: str
    """What that program calls it; with the importer's name in front, an origin that can be pulled."""
    files: dict[str, Path]
    """Absolute paths by the filenames that they shall have in a model.json."""
    id: str | None = None
    """The id that the model should have here, where it is one; ``None``: as its file is called."""
    settings: dict[str, Any] = {}
    """What that program loads it with, in the names of a model.json."""
    parameters: dict[str, Any] = {}
    """What that program gives requests."""
