"""A decoder graph keeps what the host relies on in every engine."""

from pathlib import Path

import pytest
from jan_host import Engine, Model
from jan_host.testing import EngineContract
from jan_host_onnx.engine import OnnxEngine

from tests.plugins.onnx.decoder.folders import decoder_folder, genai_folder
from tests.plugins.onnx.decoder.talking import described


@pytest.fixture(scope="module")
def engine() -> Engine:
    """The engine."""
    return OnnxEngine()


class _Decoder(EngineContract):
    settings = {"ctx_len": 512, "n_parallel": 4}  # noqa: RUF012  # the suite's own declaration
    context_tokens = 512
    name = "plain"

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls) -> Path:
        """SmolLM2."""
        return decoder_folder(cls.name)

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, folder: Path) -> Model:
        """Its files."""
        return described(folder)


class TestPlain(_Decoder):
    """Primitive operators."""


class TestGroupQuery(_Decoder):
    """GroupQueryAttention, in a process of its own."""

    name = "gqa"
    place = "worker"


class TestGenai(_Decoder):
    """onnxruntime-genai's layout."""

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls) -> Path:
        """SmolLM2 with a genai_config.json."""
        return genai_folder()
