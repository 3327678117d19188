"""Tokens a second of the ONNX decoder engine, next to the loop that a user would write over the same graph.

    python -m tests.bench.onnx_generation [--variant plain|gqa|gqa-q4] [--tokens N] [--rounds N]

The loops are plain onnxruntime in this process, with as many threads as the engine's: one feeds the KV cache
through NumPy arrays, the other binds it. They serve one prompt after the other. Their threads spin while they
wait, as onnxruntime's do by default, so that other work on the machine costs them far more than the engine.
The engine also computes the beginning that all prompts share (the system message) only once.
All contenders take turns within each round; figures are medians over rounds, and ratios are of the same
round.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from jan_host import ChatMessage, ChatRequest
from jan_host.kit import usable_cores
from jan_host_onnx.generation.model import DecoderModel
from jan_host_onnx.tokenizer import TextTokenizer
from onnxruntime import OrtValue

from tests.plugins.onnx.decoder.folders import VARIANTS, decoder_folder
from tests.plugins.onnx.decoder.talking import load

STREAMS = (1, 4, 8)
PROMPT = "<|im_start|>user\nTell me story number {}.<|im_end|>\n<|im_start|>assistant\n"

Contender = Callable[[int], Awaitable[float]]


class Loop:
    """Greedy generation by hand."""

    def __init__(self, folder: Path, tokens: int, *, bound: bool) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = usable_cores()
        self._session = onnxruntime.InferenceSession(
            str(folder / "onnx/model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = TextTokenizer(folder / "tokenizer.json")
        self._tokens = tokens
        self._advance = self._bound if bound else self._plain
        self._inputs = {node.name: node for node in self._session.get_inputs()}
        self._outputs = [node.name for node in self._session.get_outputs()]

    async def run(self, streams: int) -> float:
        """Seconds for `streams` prompts, one after the other."""
        started = time.perf_counter()
        for number in range(streams):
            self._generate(_ids(self._tokenizer, number))
        return time.perf_counter() - started

    def _generate(self, ids: list[int]) -> None:
        past: dict[str, Any] = {}
        for name, node in self._inputs.items():
            if name.startswith("past"):
                dtype = np.float16 if "float16" in node.type else np.float32
                past[name] = np.zeros((1, node.shape[1], 0, node.shape[3]), dtype)
        length, following = 0, ids
        for _ in range(self._tokens):
            scores, past = self._advance(self._feeds(following, length), past)
            length += len(following)
            following = [int(scores[0, -1].argmax())]

    def _feeds(self, ids: list[int], length: int) -> dict[str, Any]:
        feeds = {
            "input_ids": np.array([ids], np.int64),
            "attention_mask": np.ones((1, length + len(ids)), np.int64),
            "position_ids": np.arange(length, length + len(ids), dtype=np.int64)[None],
        }
        return {name: value for name, value in feeds.items() if name in self._inputs}

    def _plain(self, feeds: dict[str, Any], past: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        scores, *presents = self._session.run(self._outputs, {**feeds, **past})
        return scores, dict(zip(past, presents, strict=True))

    def _bound(self, feeds: dict[str, Any], past: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        binding = self._session.io_binding()
        for name, value in feeds.items():
            binding.bind_cpu_input(name, value)
        for name, value in past.items():
            known = value if isinstance(value, OrtValue) else OrtValue.ortvalue_from_numpy(value)
            binding.bind_ortvalue_input(name, known)
        for name in self._outputs:
            binding.bind_output(name, "cpu")
        self._session.run_with_iobinding(binding)
        scores, *presents = binding.get_outputs()
        return scores.numpy(), dict(zip(past, presents, strict=True))


class Engine:
    """The engine, through its own door."""

    def __init__(self, model: DecoderModel, tokens: int) -> None:
        self._model = model
        self._tokens = tokens
        self._turn = 0

    async def run(self, streams: int) -> float:
        """Seconds for `streams` requests at once."""
        self._turn += 1
        started = time.perf_counter()
        await asyncio.gather(*[self._ask(number) for number in range(streams)])
        return time.perf_counter() - started

    async def _ask(self, number: int) -> None:
        question = ChatMessage(role="user", content=f"Tell me story number {100 * self._turn + number}.")
        request = ChatRequest(messages=[question], temperature=0.0, max_tokens=self._tokens, ignore_eos=True)
        async for _ in self._model.chat(request):
            pass


def _ids(tokenizer: TextTokenizer, number: int) -> list[int]:
    """As long as the engine's prompts, which carry the template's system message."""
    system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
    return tokenizer.tokenize(f"{system}\n" + PROMPT.format(100 + number))


async def measure(variant: str, tokens: int, rounds: int) -> None:
    """Print a table."""
    folder = decoder_folder(variant)
    model = await load(folder, n_parallel=max(STREAMS), ctx_len=1024)
    contenders: dict[str, Contender] = {
        "numpy loop": Loop(folder, tokens, bound=False).run,
        "bound loop": Loop(folder, tokens, bound=True).run,
        "engine": Engine(model, tokens).run,
    }
    for run in contenders.values():
        await run(1)
    print(f"{variant}, {tokens} tokens each, tokens/s; ratio to the quicker loop of the round")
    for streams in STREAMS:
        rates: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(rounds):
            for name, run in contenders.items():
                rates[name].append(streams * tokens / await run(streams))
        ratios = [
            own / max(plain, bound)
            for own, plain, bound in zip(
                *(rates[n] for n in ("engine", "numpy loop", "bound loop")), strict=True
            )
        ]
        shown = ", ".join(f"{name} {statistics.median(values):.1f}" for name, values in rates.items())
        print(f"{streams} streams: {shown}; ratio {statistics.median(ratios):.2f}")
    await model.unload()


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", choices=sorted(VARIANTS), default="plain")
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    asyncio.run(measure(given.variant, given.tokens, given.rounds))


if __name__ == "__main__":
    main()
