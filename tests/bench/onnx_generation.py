"""Tokens a second of the ONNX decoder engine, next to the loop that a user would write over the same graph.

    python -m tests.bench.onnx_generation [--variant plain|gqa|gqa-q4] [--streams 1,4] [--tokens N]

The loops are plain onnxruntime in this process, with as many threads as the engine's: one feeds the KV cache
through NumPy arrays, the other binds it. They serve one prompt after the other, and take the best token of
each step with NumPy. Every prompt is of the same tokens for all, and begins in a way of its own, so that the
engine has nothing to take over from one to the next. The loops' threads spin while they wait, as by default:
on a quiet machine that is quicker, beside other work it is slower (see the engine's sessions.py). With
`--sleep` they wait as the engine's do.
Contenders take turns, each time in another order; figures are medians over rounds, and ratios are of the same
round. With the defaults it takes about two minutes on two cores.
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
from jan_host import CompletionRequest
from jan_host.kit import usable_cores
from jan_host_onnx.generation.model import DecoderModel
from jan_host_onnx.tokenizer import TextTokenizer
from onnxruntime import OrtValue

from tests.plugins.onnx.decoder.folders import VARIANTS, decoder_folder
from tests.plugins.onnx.decoder.talking import load

PROMPT = (
    "system\n{} is the number of this talk. You are a helpful AI assistant who tells stories.\n"
    "user\nTell me story number {}.\nassistant\n"
)
PAUSE_SECONDS = 0.05
"""Between two contenders: the loops' threads spin for 20 ms after a run, and would hold the next one up."""

Contender = Callable[[int], Awaitable[float]]


class Loop:
    """Greedy generation by hand."""

    def __init__(self, folder: Path, tokens: int, *, bound: bool, sleep: bool) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = usable_cores()
        if sleep:
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(folder / "onnx/model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = TextTokenizer(folder / "tokenizer.json")
        self._tokens = tokens
        self._advance = self._bound if bound else self._plain
        self._inputs = {node.name: node for node in self._session.get_inputs()}
        self._outputs = [node.name for node in self._session.get_outputs()]
        self._turn = 0

    async def run(self, streams: int) -> float:
        """Seconds for `streams` prompts, one after the other."""
        self._turn += 1
        started = time.perf_counter()
        for number in range(streams):
            name = 100 * self._turn + number
            self._generate(self._tokenizer.tokenize(PROMPT.format(name, name)))
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
        name = 100 * self._turn + number
        request = CompletionRequest(
            prompt=PROMPT.format(name, name), temperature=0.0, max_tokens=self._tokens, ignore_eos=True
        )
        async for _ in self._model.complete(request):
            pass


async def measure(given: argparse.Namespace) -> None:
    """Print a table."""
    folder = decoder_folder(given.variant)
    streams = [int(number) for number in given.streams.split(",")]
    model = await load(folder, n_parallel=max(streams), ctx_len=1024)
    contenders: dict[str, Contender] = {
        "numpy loop": Loop(folder, given.tokens, bound=False, sleep=given.sleep).run,
        "bound loop": Loop(folder, given.tokens, bound=True, sleep=given.sleep).run,
        "engine": Engine(model, given.tokens).run,
    }
    for run in contenders.values():
        await run(1)
    print(f"{given.variant}, {given.tokens} tokens each, tokens/s; ratio to the quicker loop of the round")
    for number in streams:
        rates = await _rates(contenders, number, given)
        loops = zip(rates["numpy loop"], rates["bound loop"], strict=True)
        ratios = [own / max(pair) for own, pair in zip(rates["engine"], loops, strict=True)]
        shown = ", ".join(f"{name} {statistics.median(values):.1f}" for name, values in rates.items())
        print(f"{number} streams: {shown}; ratio {statistics.median(ratios):.2f}", flush=True)
    await model.unload()


async def _rates(
    contenders: dict[str, Contender], streams: int, given: argparse.Namespace
) -> dict[str, list[float]]:
    """Tokens a second of each contender in each round."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders)
    for _ in range(given.rounds):
        for name in order:
            await asyncio.sleep(PAUSE_SECONDS)
            rates[name].append(streams * given.tokens / await contenders[name](streams))
        order = [*order[1:], order[0]]
    return rates


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", choices=sorted(VARIANTS), default="plain")
    parser.add_argument("--streams", default="1,4", help="numbers of streams at once")
    parser.add_argument("--tokens", type=int, default=32, help="tokens of every answer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sleep", action="store_true", help="the loops' threads do not spin either")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
