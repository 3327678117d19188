"""The pypi importer passes the suite that every importer passes."""

from collections.abc import Sequence

import pytest
from jan_host.testing import ImporterContract
from jan_host_pypi.importer import PyPIImporter

from tests.plugins.pypi.index import Index


class TestPyPIImporter(ImporterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def importer(cls) -> PyPIImporter:
        return PyPIImporter()

    @pytest.fixture(scope="class")
    @classmethod
    def good_origins(cls, shared_index: Index) -> Sequence[str]:
        shared_index.add("tiny", {"tiny/small.gguf": b"model", "tiny/large.gguf": b"larger model"})
        return ["tiny==1.0"]

    @pytest.fixture(scope="class")
    @classmethod
    def bad_origins(cls, shared_index: Index) -> Sequence[str]:
        shared_index.add("empty", {"empty/__init__.py": b""})
        return ["absent", "tiny==9", "empty", "--option", "https://host/x.whl", "tiny:no-such-file"]
