"""The engine keeps the contract with an embedding model and with a reranker."""

from pathlib import Path

import pytest
from jan_host import Engine, Model
from jan_host.testing import EngineContract
from jan_host_onnx.engine import OnnxEngine

from tests.plugins.onnx.encoders.folders import Small, model_of, write_small

_FILES = ["model.onnx", "tokenizer.json", "config.json"]


class _Encoder(EngineContract):
    lossless_tokens = False

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> Engine:
        return OnnxEngine()

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, small: Small) -> Model:
        return model_of(_FILES)

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, small: Small) -> Path:
        return small.folder


class TestEmbeddingContract(_Encoder):
    @pytest.fixture(scope="class")
    @classmethod
    def small(cls, tmp_path_factory: pytest.TempPathFactory) -> Small:
        return write_small(tmp_path_factory.mktemp("embedding"))


class TestRerankContract(_Encoder):
    @pytest.fixture(scope="class")
    @classmethod
    def small(cls, tmp_path_factory: pytest.TempPathFactory) -> Small:
        return write_small(tmp_path_factory.mktemp("reranker"), classes=1)


class TestEmbeddingContractInAWorker(TestEmbeddingContract):
    place = "worker"
