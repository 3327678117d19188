"""The llama.cpp engine of jan-host: GGUF models with continuous batching.

Reading order: `engine` (the door), `settings`, `model` (a loaded model), `scheduler` (the step
loop of the compute thread) with `sequence`, `slots` and `batch`, then `sampling` and `chains`, `kv`, `vocab`
and `native` (the typed layer over llama-cpp-python's low-level functions).
"""

from collections.abc import Iterable

from jan_host import Engine, hookimpl

from jan_host_llamacpp.engine import LlamaCpp


@hookimpl
def jan_engines() -> Iterable[Engine]:
    """The engine llama.cpp."""
    return [LlamaCpp()]
