"""Loading: settings that are applied, failures that say why, memory that comes back."""

import asyncio
import math
import shutil
from pathlib import Path
from typing import Any

import psutil
import pytest
from jan_host import ContextLengthExceededError, Model, ModelLoadError, Source
from jan_host.config import load_config
from jan_host.host import JanHost
from jan_host_llamacpp.engine import LlamaCpp
from jan_host_llamacpp.settings import Settings

from tests.plugins.llamacpp.hosting import write_chat
from tests.plugins.llamacpp.talking import CAPITAL, chat, collect, completion, load
from tests.plugins.llamacpp.writing import write_model


async def test_progress_goes_from_nothing_to_all(smollm2: Path) -> None:
    seen: list[float] = []
    model = Model(id="m", sources=[Source(filename=smollm2.name)])
    loaded = await LlamaCpp().load(model, smollm2.parent, Settings(ctx_len=64, n_parallel=1), seen.append)
    await loaded.unload()

    assert seen == sorted(seen)
    assert seen[0] < 0.5
    assert seen[-1] == 1.0


@pytest.mark.parametrize("damage", ["truncated", "text", "missing", "none"])
async def test_what_is_no_model_is_refused_with_the_reason(
    smollm2: Path, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "model.gguf"
    if damage == "truncated":
        path.write_bytes(smollm2.read_bytes()[:4_000_000])
    elif damage == "text":
        path.write_text("This is not a model.")
    sources = [] if damage == "none" else [Source(filename=path.name)]
    with pytest.raises(ModelLoadError) as caught:
        await LlamaCpp().load(Model(id="m", sources=sources), tmp_path, Settings(), lambda _: None)
    assert len(caught.value.message) > 20


async def test_what_llama_cpp_refuses_is_told_in_its_words(smollm2: Path, tmp_path: Path) -> None:
    damaged = bytearray(smollm2.read_bytes())
    place = damaged.index(b"general.architecture") + len("general.architecture") + 4 + 8
    damaged[place : place + 5] = b"xlama"
    (tmp_path / "model.gguf").write_bytes(damaged)
    with pytest.raises(ModelLoadError, match="xlama"):
        await load(tmp_path / "model.gguf")


async def test_an_abort_of_llama_cpp_is_told_in_its_words(tmp_path: Path) -> None:
    write_model(
        write_chat(tmp_path) / "chat.gguf",
        llama__attention__layer_norm_rms_epsilon=1,
        llama__expert_count=2,
        llama__expert_used_count=5,
    )
    async with JanHost(load_config(tmp_path, {})) as host:
        with pytest.raises(ModelLoadError, match=r"SIGABRT .*n_expert_used_max <= hparams.n_expert"):
            await host.start("chat")


@pytest.mark.parametrize(
    ("name", "value"),
    [("rope__freq_base", math.nan), ("logit_scale", math.inf), ("attention__layer_norm_rms_epsilon", -1.0)],
)
async def test_numbers_that_no_model_has_are_refused_before_native_code(
    tmp_path: Path, name: str, value: float
) -> None:
    fields: dict[str, Any] = {f"llama__{name}": value}
    path = write_model(tmp_path / "m.gguf", **fields)
    with pytest.raises(ModelLoadError, match=f"llama.{name.replace('__', '.')} is {value:g}"):
        await load(path)


async def test_settings_reach_llama_cpp(smollm2: Path) -> None:
    model = await load(
        smollm2,
        ctx_len="64",
        n_parallel="2",
        cpu_threads="1",
        n_batch=16,
        n_ubatch=8,
        flash_attn="off",
        use_mmap="false",
        cache_type_k="q8_0",
        rope_freq_base=100000.0,
        system_prompt="Answer in one word.",
        prompt_template="<|im_start|>system\n{system_message}<|im_end|>\n<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n",
        parameters={"max_tokens": "64"},
    )
    answer = await collect(
        model.chat(chat("Hi", max_tokens=64))
    )  # the model's own limit gives way to the context
    with pytest.raises(ContextLengthExceededError, match="64 tokens"):
        await collect(model.complete(completion("Hi", max_tokens=65)))
    await model.unload()

    plain = await load(smollm2, ctx_len=64)
    other = await collect(plain.chat(chat("Hi", max_tokens=1)))
    await plain.unload()
    assert 0 < answer.usage.completion_tokens <= 64 - answer.usage.prompt_tokens
    assert answer.usage.prompt_tokens < other.usage.prompt_tokens  # its own words, not the file's


async def test_unloading_gives_the_memory_back(smollm2: Path, tmp_path: Path) -> None:
    shutil.copy(smollm2, tmp_path / "m.gguf")
    process = psutil.Process()

    async def once() -> int:
        model = await load(tmp_path / "m.gguf", use_mmap=False)
        await collect(model.chat(chat(CAPITAL, max_tokens=4)))
        loaded = process.memory_info().rss
        await model.unload()
        return loaded - process.memory_info().rss

    await once()
    assert await once() > 50_000_000


async def test_a_load_can_be_cancelled(smollm2: Path) -> None:
    started = asyncio.Event()
    loop = asyncio.get_running_loop()
    model = Model(id="m", sources=[Source(filename=smollm2.name)])

    def on_progress(_: float) -> None:
        loop.call_soon_threadsafe(started.set)

    settings = Settings(ctx_len=64, n_parallel=1, use_mmap=False)
    task = asyncio.create_task(LlamaCpp().load(model, smollm2.parent, settings, on_progress))
    await asyncio.wait_for(started.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
