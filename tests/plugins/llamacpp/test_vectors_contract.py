"""The engine keeps the contract with an embedding model and with a reranker."""

from pathlib import Path

import pytest
from jan_host import Engine, Model, Source
from jan_host.testing import EngineContract
from jan_host_llamacpp.engine import LlamaCpp

from tests.plugins.llamacpp.berts import write_bert
from tests.plugins.onnx.encoders import vocabulary
from tests.plugins.onnx.encoders.bert import Shape, random_weights

_MEAN, _RANK = 1, 4


class _Encoder(EngineContract):
    lossless_tokens = False
    pooling = _MEAN

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> Engine:
        return LlamaCpp()

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls) -> Model:
        return Model(id="small", format="gguf", engine="llama.cpp", sources=[Source(filename="small.gguf")])

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        pieces = vocabulary.build().get_vocab()
        shape = Shape(vocabulary=len(pieces))
        ranks = cls.pooling == _RANK
        folder = tmp_path_factory.mktemp("encoder")
        weights = random_weights(shape, classes=int(ranks))
        write_bert(folder / "small.gguf", shape, weights, pieces, pooling=cls.pooling, head=ranks)
        return folder


class TestEmbeddingContract(_Encoder):
    pass


class TestRerankContract(_Encoder):
    pooling = _RANK


class TestEmbeddingContractInAWorker(_Encoder):
    place = "worker"
