"""The three importers pass the suite that every importer passes."""

from collections.abc import Sequence

import pytest
from jan_host.testing import ImporterContract
from jan_host_huggingface.importers import DefaultImporter, HubImporter, JanHQImporter, TheBlokeImporter

from tests.hub import Hub
from tests.plugins.huggingface.samples import COMMUNITY, CORTEX, GENAI, LLAVA, PLAIN, SENTENCES, SPLIT, ZEPHYR


class TestDefault(ImporterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def importer(cls) -> HubImporter:
        return DefaultImporter()

    @pytest.fixture(scope="class")
    @classmethod
    def good_origins(cls, shared_hub: Hub) -> Sequence[str]:
        repos = (LLAVA, SPLIT, COMMUNITY, SENTENCES, GENAI, PLAIN)
        return [*repos, f"https://huggingface.co/{LLAVA}/tree/main", f"hf://{COMMUNITY}/onnx/model_q4.onnx"]

    @pytest.fixture(scope="class")
    @classmethod
    def bad_origins(cls, shared_hub: Hub) -> Sequence[str]:
        return ["org/absent", f"{LLAVA}@absent", f"{COMMUNITY}:absent", "https://example.com/a/b", "", "a b"]


class TestTheBloke(ImporterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def importer(cls) -> HubImporter:
        return TheBlokeImporter()

    @pytest.fixture(scope="class")
    @classmethod
    def good_origins(cls, shared_hub: Hub) -> Sequence[str]:
        return [ZEPHYR, f"https://huggingface.co/{ZEPHYR}/", "zephyr-7B-beta-GGUF"]

    @pytest.fixture(scope="class")
    @classmethod
    def bad_origins(cls, shared_hub: Hub) -> Sequence[str]:
        return ["TheBloke/absent-GGUF", f"{ZEPHYR}:Q9_K", "../x"]


class TestJanHQ(ImporterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def importer(cls) -> HubImporter:
        return JanHQImporter()

    @pytest.fixture(scope="class")
    @classmethod
    def good_origins(cls, shared_hub: Hub) -> Sequence[str]:
        return [CORTEX, f"https://huggingface.co/{CORTEX}"]

    @pytest.fixture(scope="class")
    @classmethod
    def bad_origins(cls, shared_hub: Hub) -> Sequence[str]:
        return ["cortexso/absent", f"{CORTEX}:absent", "file:///x"]
