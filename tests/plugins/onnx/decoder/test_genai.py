"""Folders with a genai_config.json, through onnxruntime-genai."""

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
import pytest_asyncio
from jan_host import ModelLoadError
from jan_host_onnx.generation.model import DecoderModel

from tests.plugins.onnx.decoder.folders import genai_folder
from tests.plugins.onnx.decoder.talking import CAPITAL, STORY, chat, collect, load

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUESTIONS = (CAPITAL, STORY, "Name three colours.")


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def genai() -> AsyncIterator[DecoderModel]:
    """SmolLM2 in that layout."""
    loaded = await load(genai_folder())
    yield loaded
    await loaded.unload()


async def test_it_says_what_the_same_graph_says_without_the_package(
    genai: DecoderModel, model: DecoderModel
) -> None:
    for question in QUESTIONS:
        expected = await collect(model.chat(chat(question, max_tokens=16)))
        assert (await collect(genai.chat(chat(question, max_tokens=16)))).text == expected.text


async def test_together_they_say_what_each_says_alone(genai: DecoderModel) -> None:
    alone = [(await collect(genai.chat(chat(text, max_tokens=12)))).text for text in QUESTIONS]
    together = await asyncio.gather(*[collect(genai.chat(chat(text, max_tokens=12))) for text in QUESTIONS])

    assert [answer.text for answer in together] == alone


async def test_all_options_of_sampling_work(genai: DecoderModel) -> None:
    asked = chat(logprobs=True, top_logprobs=2, temperature=1.0, seed=3, min_p=0.2, n=2, max_tokens=6)
    first, again = await collect(genai.chat(asked)), await collect(genai.chat(asked))

    assert first.texts == again.texts
    assert all(len(entry.top_logprobs) == 2 for entry in first.logprobs)


async def test_a_closed_stream_frees_its_place(genai: DecoderModel) -> None:
    for _ in range(6):
        stream = genai.chat(chat(STORY, max_tokens=200))
        await anext(aiter(stream))
        assert isinstance(stream, AsyncGenerator)
        await stream.aclose()

    assert (await collect(genai.chat(chat()))).text == "The capital of France is Paris."


async def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime_genai", None)
    with pytest.raises(ModelLoadError, match=r'pip install "jan-host-onnx\[genai\]"'):
        await load(genai_folder())
