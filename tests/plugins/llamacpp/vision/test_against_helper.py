"""Images in a plane (M-RoPE) and images that are read whole: the same scores as mtmd's own helper gives."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jan_host import ChatMessage, ChatRequest, ImagePart, ImageURL, TextPart, TokenLogprob, UnsupportedError
from jan_host_llamacpp.vision.model import SeeingModel

from tests.pictures import noise, png_of_pixels, url
from tests.plugins.llamacpp.vision.grown import (
    helper_logprobs,
    write_mutual_clip,
    write_mutual_model,
    write_plane_clip,
    write_plane_model,
)
from tests.plugins.llamacpp.vision.seeing import load
from tests.plugins.talking import collect

pytestmark = pytest.mark.asyncio(loop_scope="session")
WRITERS: dict[str, tuple[Callable[[Path], Path], Callable[[Path], Path]]] = {
    "plane": (write_plane_model, write_plane_clip),
    "mutual": (write_mutual_model, write_mutual_clip),
}
SIZES = ((56, 40), (48, 64), (40, 40))
TOP = 20


@pytest.fixture(scope="module", params=WRITERS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose images go through it in one of the ways."""
    made = tmp_path_factory.mktemp(request.param)
    write_model, write_clip = WRITERS[request.param]
    write_model(made / "model.gguf")
    write_clip(made / "mmproj.gguf")
    return made


def _request(*parts: str | int, **options: Any) -> ChatRequest:
    """Texts, and pictures by their number."""
    content: list[Any] = []
    for part in parts:
        if isinstance(part, str):
            content.append(TextPart(text=part))
        else:
            picture = url(png_of_pixels(*SIZES[part], noise(*SIZES[part], seed=part)))
            content.append(ImagePart(image_url=ImageURL(url=picture)))
    wanted = {"temperature": 0.0, "max_tokens": 1, "logprobs": True, "top_logprobs": TOP, **options}
    return ChatRequest(messages=[ChatMessage(role="user", content=content)], **wanted)


def _expected(folder: Path, *parts: str | int) -> list[float]:
    text = "".join(part if isinstance(part, str) else "<__media__>" for part in parts)
    pictures = [(*SIZES[part], noise(*SIZES[part], seed=part)) for part in parts if isinstance(part, int)]
    rendered = f"<|user|>{text}<|end|><|assistant|>"
    scores = helper_logprobs(folder / "model.gguf", folder / "mmproj.gguf", rendered, pictures)
    return sorted(scores.tolist(), reverse=True)[:TOP]


async def _scores(model: SeeingModel, request: ChatRequest) -> tuple[list[float], int]:
    """The log probabilities of the most probable first tokens, and how many tokens were shared."""
    answer = await collect(model.chat(request))
    told: list[TokenLogprob] = [each for delta in answer.deltas for each in delta.logprobs]
    details = answer.usage.prompt_tokens_details
    assert details is not None
    return [each.logprob for each in told[0].top_logprobs], details.cached_tokens


@pytest.mark.parametrize("layout", ["streams", "unified"])
async def test_the_scores_are_those_of_the_helper(folder: Path, layout: str) -> None:
    model = await load(folder, "model.gguf", kv_layout=layout, n_parallel=2)
    assert isinstance(model, SeeingModel)
    for parts in (("Hi", 0, "there"), (0, 1), ("Hi", 0, "there", 1, "and", 2, "!"), ("Hi", 0, "where")):
        expected = _expected(folder, *parts)
        computed, _ = await _scores(model, _request(*parts))
        again, shared = await _scores(model, _request(*parts))
        assert np.allclose(computed, expected, atol=2e-2)
        assert np.allclose(again, expected, atol=2e-2)
        assert shared > 0
    await model.unload()


async def test_requests_side_by_side_do_not_mix(folder: Path) -> None:
    model = await load(folder, "model.gguf", n_parallel=3)
    assert isinstance(model, SeeingModel)
    asked = [("Hi", place % 3, "there" * (place % 2)) for place in range(6)]
    answers = await asyncio.gather(*(_scores(model, _request(*parts)) for parts in asked))
    for parts, (scores, _) in zip(asked, answers, strict=True):
        assert np.allclose(scores, _expected(folder, *parts), atol=2e-2)
    await model.unload()


@pytest.mark.parametrize("layout", ["streams", "unified"])
async def test_choices_go_on_from_where_the_prompt_ends(folder: Path, layout: str) -> None:
    model = await load(folder, "model.gguf", kv_layout=layout, n_parallel=3)
    assert isinstance(model, SeeingModel)
    request = _request("Hi", 0, "there", max_tokens=8, ignore_eos=True, n=3)
    answer = await collect(model.chat(request))
    alone = await collect(model.chat(_request("Hi", 0, "there", max_tokens=8, ignore_eos=True)))
    assert set(answer.texts.values()) == {alone.text}
    await model.unload()


async def test_small_batches_give_the_same(tmp_path: Path) -> None:
    write_plane_model(tmp_path / "model.gguf")
    write_plane_clip(tmp_path / "mmproj.gguf")
    model = await load(tmp_path, "model.gguf", n_batch=7, n_ubatch=7)
    assert isinstance(model, SeeingModel)
    scores, _ = await _scores(model, _request("Hi", 0, "there"))
    assert np.allclose(scores, _expected(tmp_path, "Hi", 0, "there"), atol=2e-2)
    await model.unload()


async def test_an_image_that_must_be_read_whole_needs_room_for_it(tmp_path: Path) -> None:
    write_mutual_model(tmp_path / "model.gguf")
    write_mutual_clip(tmp_path / "mmproj.gguf")
    model = await load(tmp_path, "model.gguf", n_batch=8, n_ubatch=8)
    assert isinstance(model, SeeingModel)
    with pytest.raises(UnsupportedError, match="16 tokens, which this model must compute at once; n_ubatch"):
        await collect(model.chat(_request(0)))
    await model.unload()
