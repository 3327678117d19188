"""An alias that several engines have: the import format decides, then the origin."""

from pathlib import Path
from typing import Any

import pytest

from tests.core.library.parts import AzureRemote, House, Remote


class Far(Remote):
    def accepts(self, origin: str) -> bool:
        return "far.example" in origin


class Failing(AzureRemote):
    def accepts(self, origin: str) -> bool:
        raise ZeroDivisionError("a mistake")


@pytest.mark.parametrize(
    ("document", "engine"),
    [
        ({"metadata": {"engine": "api"}, "origin": "https://far.example/v1"}, "openai"),
        ({"engine": "api", "origin": "https://far.example", "import_format": "azure_openai"}, "azure_openai"),
        ({"engine": "api", "origin": "https://near.example"}, "api"),
        ({"engine": "unknown", "origin": "https://far.example"}, "unknown"),
        ({"engine": "api"}, "api"),
    ],
)
def test_who_runs_it(tmp_path: Path, document: dict[str, Any], engine: str) -> None:
    house = House(tmp_path, Failing(), Far())
    house.put("m/model.json", {"id": "m", **document})
    assert house.only().model.engine == engine
