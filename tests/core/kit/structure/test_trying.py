"""The process that tries grammars comes with work and goes without."""

import psutil
from jan_host.kit.structure.trying import Trial
from llguidance import LLMatcher


def test_a_trial_without_work_is_ended_and_leaves_nothing_behind() -> None:
    before = set(psutil.Process().children())
    trial = Trial([], idle_seconds=0.01)
    try:
        for _ in range(2):
            assert trial.problem(LLMatcher.grammar_from_regex("a"), {}, 30) is None
            assert psutil.wait_procs(set(psutil.Process().children()) - before, 30)[1] == []
    finally:
        trial.close()
