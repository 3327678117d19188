"""A number of streams at once against one server, through HTTP, and what came back."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

import httpx

END_TOKENS = (0, 2)
"""SmolLM2's end tokens, which are forbidden so that every answer has the length asked for."""

TOPICS = ("the sea", "old maps", "bread", "a long winter", "trains", "glass", "honey bees", "the moon")
FILLER = "It was told many times, in many houses, and each time a little was added by those who listened. "


@dataclass(frozen=True, slots=True)
class Round:
    """One server's figures for one round."""

    tokens: int
    seconds: float
    first_token: float
    """Median seconds to the first token."""
    failed: int

    @property
    def speed(self) -> float:
        """Generated tokens per second over all streams, prompts included in the time."""
        return self.tokens / self.seconds


def prompt(stream: int, turn: int, sentences: int) -> str:
    """A prompt that begins like no other, so that nothing can be shared between streams or rounds."""
    topic = TOPICS[stream % len(TOPICS)]
    return f"Story {turn}-{stream} about {topic}. {FILLER * sentences} Go on with the story of {topic}."


async def play(url: str, streams: int, max_tokens: int, turn: int, sentences: int = 1) -> Round:
    """Run `streams` requests at once and wait for all."""
    limits = httpx.Limits(max_connections=streams)
    async with httpx.AsyncClient(timeout=600, trust_env=False, limits=limits) as client:
        began = time.perf_counter()
        results = await asyncio.gather(
            *(_stream(client, url, prompt(stream, turn, sentences), max_tokens) for stream in range(streams))
        )
        seconds = time.perf_counter() - began
    firsts = sorted(first for first, tokens in results if tokens)
    done = [tokens for _, tokens in results]
    return Round(sum(done), seconds, firsts[len(firsts) // 2] if firsts else 0.0, done.count(0))


async def _stream(client: httpx.AsyncClient, url: str, text: str, max_tokens: int) -> tuple[float, int]:
    """Seconds to the first token, and tokens generated: 0 when the request failed."""
    body: dict[str, Any] = {
        "model": "bench",
        "messages": [{"role": "user", "content": text}],
        "max_tokens": max_tokens,
        "temperature": 0,
        "stream": True,
        "logit_bias": {str(token): -100 for token in END_TOKENS},
    }
    began = time.perf_counter()
    first = 0.0
    reason = None
    try:
        async with client.stream("POST", f"{url}/v1/chat/completions", json=body) as reply:
            reply.raise_for_status()
            async for line in reply.aiter_lines():
                if not line.startswith("data: {"):
                    continue
                choice = (json.loads(line[6:]).get("choices") or [{}])[0]
                if not first and choice.get("delta", {}).get("content"):
                    first = time.perf_counter() - began
                reason = choice.get("finish_reason") or reason
    except (httpx.HTTPError, ValueError):
        return first, 0
    # Only an answer that ran to its limit has a length that is known without trusting the server's count.
    return first, max_tokens if reason == "length" else 0
