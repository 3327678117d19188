"""A host over a root of its own, with the example engine, whose models are plain texts."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from jan_host.config import load_config
from jan_host.host import JanHost

POEM = """The sea is wide and the sea is deep and the ships go over it.

The sea is grey and the gulls cry over it all day long.
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with one model, ``poem``."""
    write_model(tmp_path, "poem")
    return tmp_path


def write_model(root: Path, name: str, document: str | None = None) -> Path:
    """Put a model of the example engine into the models folder, with a model.json where one is given."""
    folder = root / "models" / name
    folder.mkdir(parents=True)
    (folder / f"{name}.ngram.txt").write_text(POEM)
    if document is not None:
        (folder / "model.json").write_text(document)
    return folder


@pytest.fixture
async def host(root: Path) -> AsyncIterator[JanHost]:
    """An open host."""
    async with JanHost(load_config(root, {})) as opened:
        yield opened
