"""A model hub of the tests' own, on loopback: API, files and a CDN on another port.

It speaks what huggingface_hub asks, and fails in the ways that hubs fail::

    with running_hub() as hub:
        repo = hub.add("org/name-GGUF", {"name.Q4_K_M.gguf": Generated(10_000_000)})
        hub.fault("org/name-GGUF/name.Q4_K_M.gguf").cuts = [1000]
        ... HF_ENDPOINT = hub.url ...
        assert hub.bytes_sent("org/name-GGUF/name.Q4_K_M.gguf") == ...

`python -m tests.hub` runs one in a process of its own, for benchmarks.
"""

from tests.hub.content import Bytes, Content, Generated, OnDisk
from tests.hub.faults import Answer, Fault
from tests.hub.hub import Hub, Seen, running_hub
from tests.hub.repositories import Commit, Repo

__all__ = [
    "Answer",
    "Bytes",
    "Commit",
    "Content",
    "Fault",
    "Generated",
    "Hub",
    "OnDisk",
    "Repo",
    "Seen",
    "running_hub",
]
