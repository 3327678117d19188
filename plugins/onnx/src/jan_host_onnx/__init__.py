"""The ONNX Runtime engine of jan-host: not built yet, so this plugin adds no engine."""

from collections.abc import Iterable

from jan_host import Engine, hookimpl


@hookimpl
def jan_engines() -> Iterable[Engine]:
    """No engine yet; see the README for what will come."""
    return ()
