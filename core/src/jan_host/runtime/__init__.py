"""Models in memory: worker processes, their wire protocol, start on request, stop with drain.

Reading order: `launch` (what a start needs, what an instance is), `runtime` (the door),
`supervisor` (the life of one model), `places` (worker or host), `session` and `exchange` (the host's
end of a worker), `launcher` and `subprocesses` (how a worker comes to be), `frames` (the wire),
`worker`, `serving` and `outbox` (the worker's own side).
"""

from jan_host.runtime.launch import Launch, RuntimeStatus
from jan_host.runtime.launcher import Ending, Launcher, Receiver, Worker
from jan_host.runtime.runtime import Runtime

__all__ = ["Ending", "Launch", "Launcher", "Receiver", "Runtime", "RuntimeStatus", "Worker"]
