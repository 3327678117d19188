"""The README's table names every setting."""

import re
from pathlib import Path

import msgspec
from jan_host_onnx.settings import OnnxSettings

README = Path(__file__).parents[3] / "plugins" / "onnx" / "README.md"


def test_the_table_names_every_setting_and_no_other() -> None:
    table = README.read_text().partition("## Settings")[2].partition("##")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == {field.encode_name for field in msgspec.structs.fields(OnnxSettings)}
