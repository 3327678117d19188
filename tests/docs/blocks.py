"""The code blocks of a document."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A block: its language, the word behind it (``run``, ``file=...``), its text."""

    language: str
    mark: str
    text: str


def blocks(document: str) -> list[Block]:
    """All blocks of a document of the repository."""
    text = (ROOT / document).read_text()
    return [Block(*(part or "" for part in match.groups())) for match in _BLOCK.finditer(text)]


def install(folder: Path, module: str, source: str) -> None:
    """Write a distribution with one module, as pip would, whose entry point has the module's name."""
    folder.mkdir(exist_ok=True)
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    name = module.replace("_", "-")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    entry = module.removeprefix("jan_host_")
    (info / "entry_points.txt").write_text(f"[jan_host]\n{entry} = {module}\n")
