"""Fixtures of the library's tests."""

from pathlib import Path

import pytest

from tests.core.library.parts import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    """An empty root."""
    return House(tmp_path)
