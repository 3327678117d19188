"""How the deltas of a job become an answer: the empty one, and the echo of a prompt."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from jan_host.contract.generation import Delta, PromptTokensDetails, Usage
from jan_host.kit.generation.jobs import Job
from jan_host.kit.generation.scheduler import Scheduler


async def answer(scheduler: Scheduler, job: Job[Any], opening: str = "") -> AsyncGenerator[Delta, None]:
    """The deltas of a job; closing the iterator cancels it.

    Args:
        scheduler: Who works on it.
        job: The request.
        opening: What each choice begins with: the prompt that is to be echoed.

    Raises:
        TooManyRequestsError: Too many requests wait already.
        EngineError: The model failed on this job.
    """
    async with aclosing(scheduler.run(job)) as deltas:
        held = []
        if job.tell_from is not None:
            async for delta in deltas:
                held.append(delta)
                if delta.index == 0:  # now all of the prompt is told of
                    break
        if opening or job.prompt_logprobs:
            for choice in job.choices:
                usage = job.usage() if job.terms.counts else None
                yield Delta(index=choice.index, text=opening, logprobs=job.prompt_logprobs, usage=usage)
        for delta in held:
            yield delta
        async for delta in deltas:
            yield delta


def nothing(prompt: int, choices: int, opening: str = "") -> list[Delta]:
    """The answer to ``max_tokens`` 0.

    Args:
        prompt: Tokens of the prompt.
        choices: ``n`` of the request.
        opening: What each choice begins with.
    """
    deltas = [Delta(index=index, text=opening, finish_reason="length") for index in range(choices)]
    deltas[-1].usage = Usage(
        prompt_tokens=prompt, total_tokens=prompt, prompt_tokens_details=PromptTokensDetails()
    )
    return deltas
