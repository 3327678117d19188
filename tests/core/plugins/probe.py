"""Runs as a process of its own: loads all plugins that it finds, and prints what became of them.

Reads JSON from stdin: `disabled`, `settings`, `data_folder`. Workspace plugins are left out, so that a
test sees its own alone.
"""

import asyncio
import json
import logging
import sys
from pathlib import Path

import msgspec
from jan_host import Engine, Model, Tokenizes
from jan_host.plugins import Plugins, load_plugins
from jan_host.plugins.discovery import discover


class Lines(logging.Handler):
    """Keeps every record's text."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname}:{record.getMessage()}")


async def use(engine: Engine) -> list[int]:
    """The engine's ids of the text "ab"."""
    settings = engine.Settings()
    model = await engine.load(Model(id="m"), Path(), settings, lambda _: None)
    assert isinstance(model, Tokenizes)
    return await model.tokenize("ab")


def load(request: dict[str, object], workspace: list[str]) -> Plugins:
    found = [each.name for each in discover() if each.distribution.startswith("jan-host")]
    workspace.extend(found)
    return load_plugins(
        disabled=[*found, *msgspec.convert(request.get("disabled", []), list[str])],
        settings=msgspec.convert(request.get("settings", {}), dict[str, dict[str, object]]),
        data_folder=Path(str(request.get("data_folder", "data"))),
    )


def main() -> None:
    handler = Lines()
    logging.getLogger("jan_host.plugins").addHandler(handler)
    workspace: list[str] = []
    plugins = load(json.load(sys.stdin), workspace)
    answer = {
        "reports": {
            f"{each.distribution}:{each.name}": msgspec.to_builtins(each)
            for each in plugins.reports()
            if each.name not in workspace
        },
        "order": [each.name for each in plugins.reports() if each.name not in workspace],
        "engines": {each.name: msgspec.to_builtins(each) for each in plugins.engine_reports()},
        "origins": {
            each.name: msgspec.to_builtins(plugins.engine_origin(each.name)) for each in plugins.engines()
        },
        "importers": [each.name for each in plugins.importers()],
        "extras": [each.name for each in plugins.extras()],
        "commands": {each.name: each.run(["x"]) for each in plugins.commands()},
        "used": {each.name: asyncio.run(use(each)) for each in plugins.engines()},
        "log": handler.lines,
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
