"""For authors of engines that compute tokens themselves: all that stands between requests and scores.

An engine writes a `Stepper`, which computes one step for all sequences, and derives its model from
`GeneratingModel`, which chats, completes and tokenizes with it. The parts serve alone too: the `Scheduler`
gives a stepper a thread, a bounded queue and the way back to the event loop. The engine brings NumPy along.
"""

from jan_host.kit.generation.adjusting import Adjust, LogitBias, NoEnd, adjustments
from jan_host.kit.generation.answering import answer, nothing
from jan_host.kit.generation.asking import (
    check_ids,
    check_text,
    prompt_ids,
    refuse,
    refuse_best_of,
    token_limit,
)
from jan_host.kit.generation.choices import ChoicePlan, Chosen
from jan_host.kit.generation.delivery import Event, is_last
from jan_host.kit.generation.drafting import Drafter, RunCosts
from jan_host.kit.generation.jobs import Job
from jan_host.kit.generation.logprobs import Reporter
from jan_host.kit.generation.model import GeneratingModel
from jan_host.kit.generation.options import MIROSTAT_CANDIDATES, SamplingOptions
from jan_host.kit.generation.prefixes import common_prefix
from jan_host.kit.generation.prompts import Prompt, off_loop
from jan_host.kit.generation.scheduler import Scheduler, Stepper
from jan_host.kit.generation.sequences import Sequence, Vocabulary
from jan_host.kit.generation.serving import Serving
from jan_host.kit.generation.vocabulary import ModelVocabulary

__all__ = [
    "MIROSTAT_CANDIDATES",
    "Adjust",
    "ChoicePlan",
    "Chosen",
    "Drafter",
    "Event",
    "GeneratingModel",
    "Job",
    "LogitBias",
    "ModelVocabulary",
    "NoEnd",
    "Prompt",
    "Reporter",
    "RunCosts",
    "SamplingOptions",
    "Scheduler",
    "Sequence",
    "Serving",
    "Stepper",
    "Vocabulary",
    "adjustments",
    "answer",
    "check_ids",
    "check_text",
    "common_prefix",
    "is_last",
    "nothing",
    "off_loop",
    "prompt_ids",
    "refuse",
    "refuse_best_of",
    "token_limit",
]
