"""The importer of Ollama's models passes the suite that every importer passes."""

from collections.abc import Iterator, Sequence

import pytest
from jan_host.testing import ImporterContract
from jan_host_caches.importers import Ollama

from tests.plugins.caches.layouts import ollama_model
from tests.plugins.llamacpp.writing import write_model


class TestOllama(ImporterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def importer(cls) -> Ollama:
        return Ollama()

    @pytest.fixture(scope="class")
    @classmethod
    def good_origins(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[str]]:
        root = tmp_path_factory.mktemp("ollama")
        tag = ("registry.ollama.ai", "library", "tiny", "latest")
        ollama_model(root, tag, write_model(root / "tiny.gguf"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OLLAMA_MODELS", str(root))
            yield ["tiny"]

    @pytest.fixture(scope="class")
    @classmethod
    def bad_origins(cls) -> Sequence[str]:
        return ["absent", "../../etc/passwd", "tiny:no-such-tag"]
