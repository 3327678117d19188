"""The table of settings in the plugin's README; run as a module, it writes the table anew."""

import ast
from itertools import pairwise
from pathlib import Path
from typing import Any

import jan_host_llamacpp.settings as module
import msgspec
from jan_host.contract.wording import described, in_words
from jan_host_llamacpp.settings import Settings

from tests.docs.blocks import ROOT

README = ROOT / "plugins" / "llamacpp" / "README.md"
HEAD = ["| setting, other names | what it may be | default | what it does |", "|---|---|---|---|"]


def settings_table() -> list[str]:
    """The table as the code has it: names, ranges and defaults of the fields, and their docstrings."""
    kind: Any = described(Settings)
    texts = _docstrings()
    return [*HEAD, *(_row(field, texts[field.name]) for field in kind.fields)]


def written_table() -> list[str]:
    """The table as the README has it."""
    lines = README.read_text().splitlines()
    start = lines.index(HEAD[0]) if HEAD[0] in lines else len(lines)
    return lines[start : lines.index("", start)] if start < len(lines) else []


def _docstrings() -> dict[str, str]:
    """What stands below each field of `Settings`, on one line."""
    classes = [
        node for node in ast.parse(Path(module.__file__).read_text()).body if isinstance(node, ast.ClassDef)
    ]
    [body] = [node.body for node in classes if node.name == "Settings"]
    return {
        field.target.id: " ".join(str(text.value.value).split()).replace("``", "`")
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }


def _row(field: Any, text: str) -> str:
    aliases = (getattr(field.type, "extra", None) or {}).get("aliases", ())
    names = ", ".join(f"`{name}`" for name in (field.encode_name, *aliases))
    default = msgspec.json.encode(getattr(Settings(), field.name)).decode()
    return f"| {names} | {in_words(field.type)} | {'' if default == 'null' else f'`{default}`'} | {text} |"


if __name__ == "__main__":
    before, after = "\n".join(written_table()), "\n".join(settings_table())
    README.write_text(README.read_text().replace(before, after))
