"""The engine keeps the contract with a model that sees, in this process and in a worker."""

from pathlib import Path

import pytest
from jan_host import Engine, Model, Source
from jan_host.testing import EngineContract
from jan_host_llamacpp.engine import LlamaCpp

from tests.plugins.llamacpp.vision.eyes import write_eyes


class _Seeing(EngineContract):
    settings = {"ctx_len": 2048, "n_parallel": 4}  # noqa: RUF012  # declared by the suite as it is

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> Engine:
        return LlamaCpp()

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls) -> Model:
        sources = [Source(filename="eyes.gguf"), Source(filename="mmproj-eyes.gguf")]
        return Model(id="eyes", format="gguf", engine="llama.cpp", sources=sources)

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("eyes")
        write_eyes(folder)
        return folder


class TestSeeingContract(_Seeing):
    pass


class TestSeeingContractInAWorker(_Seeing):
    place = "worker"
