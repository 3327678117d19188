"""For authors of engines that compute tokens themselves: jobs, their queue, options of sampling, limits.

An engine writes a `Stepper`, which computes one step for all sequences; the `Scheduler` gives it a thread,
a bounded queue and the way back to the event loop. The engine brings NumPy along.
"""

from jan_host.kit.generation.adjusting import Adjust, LogitBias, NoEnd, adjustments
from jan_host.kit.generation.answering import answer, nothing
from jan_host.kit.generation.asking import (
    prompt_ids,
    refuse,
    refuse_best_of,
    token_limit,
)
from jan_host.kit.generation.jobs import Job
from jan_host.kit.generation.logprobs import Reporter
from jan_host.kit.generation.options import MIROSTAT_CANDIDATES, SamplingOptions
from jan_host.kit.generation.prefixes import common_prefix
from jan_host.kit.generation.scheduler import Event, Scheduler, Stepper
from jan_host.kit.generation.sequences import Sequence, Vocabulary

__all__ = [
    "MIROSTAT_CANDIDATES",
    "Adjust",
    "Event",
    "Job",
    "LogitBias",
    "NoEnd",
    "Reporter",
    "SamplingOptions",
    "Scheduler",
    "Sequence",
    "Stepper",
    "Vocabulary",
    "adjustments",
    "answer",
    "common_prefix",
    "nothing",
    "prompt_ids",
    "refuse",
    "refuse_best_of",
    "token_limit",
]
