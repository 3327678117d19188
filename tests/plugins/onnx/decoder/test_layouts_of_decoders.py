"""Decoders as different exporters write them: all say the same, alone and together."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx
import pytest
from jan_host_onnx.generation.model import DecoderModel

from tests.plugins.onnx.decoder.graph import Variant
from tests.plugins.onnx.decoder.talking import collect, completion, load
from tests.plugins.onnx.decoder.tiny import merge, quantize, quantize_and_merge, write_tiny

PROMPTS = ("Once upon a time", "x", "A longer text, so that lengths differ much between those of a run.")
TOKENS = 24


@dataclass(frozen=True)
class Written:
    """How a graph is written."""

    variant: Variant = Variant()  # noqa: RUF009  # it is frozen
    change: Callable[[onnx.ModelProto], None] | None = None


LAYOUTS = {
    "merged": Written(change=merge),
    "merged without positions": Written(Variant(positions=False), merge),
    "int32": Written(Variant(integers="int32")),
    "no mask": Written(Variant(mask=False)),
    "no positions": Written(Variant(positions=False)),
    "neither": Written(Variant(mask=False, positions=False)),
    "num_logits_to_keep": Written(Variant(keep="num_logits_to_keep")),
    "logits_to_keep": Written(Variant(keep="logits_to_keep")),
    "merged, last logits": Written(Variant(keep="num_logits_to_keep", integers="int32"), merge),
    "group query": Written(Variant("gqa", positions=False)),
}


async def _answers(model: DecoderModel, *, together: bool) -> list[str]:
    asked = [completion(prompt, max_tokens=TOKENS, ignore_eos=True) for prompt in PROMPTS]
    if together:
        answers = await asyncio.gather(*[collect(model.complete(each)) for each in asked])
    else:
        answers = [await collect(model.complete(each)) for each in asked]
    return [answer.text for answer in answers]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the usual layout says."""

    async def ask() -> list[str]:
        model = await load(write_tiny(tmp_path_factory.mktemp("plain")), n_batch=512)
        found = await _answers(model, together=False)
        await model.unload()
        return found

    return asyncio.run(ask())


@pytest.mark.parametrize("name", LAYOUTS)
async def test_every_layout_says_the_same(name: str, tmp_path: Path, plain: list[str]) -> None:
    written = LAYOUTS[name]
    model = await load(write_tiny(tmp_path, written.variant, change=written.change))

    assert await _answers(model, together=False) == plain
    assert await _answers(model, together=True) == plain
    assert await _answers(model, together=True) == plain, "also where begun prompts are taken over"
    await model.unload()


FEWER_BITS = {
    "bfloat16 cache": Written(Variant(cache="bfloat16")),
    "float16": Written(Variant(dtype="float16")),
    "group query float16": Written(Variant("gqa", "float16", positions=False)),
    "4 bits": Written(Variant(bits=4)),
    "group query 4 bits": Written(Variant("gqa", bits=4, positions=False)),
    "8 bits": Written(change=quantize),
    "merged 8 bits": Written(change=quantize_and_merge),
}


@pytest.mark.parametrize("name", FEWER_BITS)
async def test_fewer_bits_say_nearly_the_same_and_do_not_depend_on_neighbours(
    name: str, tmp_path: Path
) -> None:
    written = FEWER_BITS[name]
    exact = await load(write_tiny(tmp_path / "exact"))
    model = await load(write_tiny(tmp_path / "few", written.variant, change=written.change))
    asked = completion(PROMPTS[2], max_tokens=1, logprobs=3, temperature=0.0)
    known, found = await collect(exact.complete(asked)), await collect(model.complete(asked))
    assert found.logprobs[0].logprob == pytest.approx(known.logprobs[0].logprob, abs=0.25)

    alone = await _answers(model, together=False)
    assert await _answers(model, together=True) == alone
    for each in (exact, model):
        await each.unload()
