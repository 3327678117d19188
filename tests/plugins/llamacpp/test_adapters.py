"""LoRA adapters: they change the answer, by request, and nobody else's."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from jan_host import InvalidRequestError, Model, ModelLoadError, Source
from jan_host_llamacpp.adapters.turns import Turns
from jan_host_llamacpp.engine import LlamaCpp
from jan_host_llamacpp.model import LlamaCppModel

from tests.plugins.llamacpp.adapting import write_adapter
from tests.plugins.llamacpp.talking import STORY, chat, collect, load

TOKENS = 12


async def open_at(folder: Path, weights: Path, **settings: Any) -> LlamaCppModel:
    """SmolLM2 in a folder of the test's, where its adapters lie."""
    target = folder / weights.name
    if not target.exists():
        target.symlink_to(weights)
    return await load(target, **settings)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def adapted(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LlamaCppModel]:
    """SmolLM2 with two adapters, of which the first is used where nobody says otherwise."""
    folder = tmp_path_factory.mktemp("adapted")
    write_adapter(folder / "noise.gguf", seed=1)
    write_adapter(folder / "other.gguf", seed=2)
    lora = ["noise.gguf", {"path": "other.gguf", "scale": 0, "name": "second"}]
    model = await open_at(folder, smollm2, lora=lora, n_parallel=4)
    yield model
    await model.unload()


async def say(model: LlamaCppModel, lora: Any = None, text: str = STORY) -> tuple[str, int]:
    """The answer with adapters, and how many tokens of the prompt were not computed for it."""
    extra = {} if lora is None else {"lora": lora}
    answer = await collect(model.chat(chat(text, max_tokens=TOKENS, extra=extra)))
    details = answer.usage.prompt_tokens_details
    return answer.text, details.cached_tokens if details else 0


@pytest.mark.asyncio(loop_scope="module")
async def test_requests_choose_their_adapters(adapted: LlamaCppModel, smollm2: Path) -> None:
    plain = await load(smollm2)
    own, _ = await say(plain)
    await plain.unload()

    assert (await say(adapted, []))[0] == own
    assert (await say(adapted, [{"id": 0, "scale": 0}]))[0] == own
    default, _ = await say(adapted)
    assert default != own
    assert (await say(adapted, [{"id": 0}]))[0] == default
    assert (await say(adapted, [{"name": "noise", "scale": 1.0}]))[0] == default
    second, _ = await say(adapted, [{"name": "second", "scale": 1}])
    assert second not in (own, default)


@pytest.mark.asyncio(loop_scope="module")
async def test_prefixes_are_shared_only_among_equals(adapted: LlamaCppModel) -> None:
    text = "Tell me of a harbour in winter, and of the people there who mend nets and boats."
    first, template = await say(adapted, [], text)
    other, foreign = await say(adapted, [{"id": 0, "scale": 0.7}], text)
    again, cached = await say(adapted, [], text)
    assert foreign == 0
    assert cached > template + 10
    assert (again == first, other == first) == (True, False)


@pytest.mark.asyncio(loop_scope="module")
async def test_together_everyone_gets_what_it_gets_alone(adapted: LlamaCppModel) -> None:
    wanted: list[Any] = [[], None, [{"id": 1}], [{"id": 0, "scale": -0.5}, {"id": 1, "scale": 0.5}]]
    alone = [await say(adapted, each) for each in wanted]
    together = await asyncio.gather(*(say(adapted, each) for each in wanted))
    assert [text for text, _ in together] == [text for text, _ in alone]
    assert len({text for text, _ in alone}) == len(wanted)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("lora", "words"),
    [
        ("noise", "Expected `array`"),
        ([{"id": 2}], "no adapter with the id 2"),
        ([{"id": -1}], "no adapter with the id -1"),
        ([{"name": "third"}], "no adapter with the name 'third'"),
        ([{"scale": 1}], "an id or a name"),
        ([{"id": 0, "name": "noise"}], "an id or a name"),
        ([{"id": 0, "scale": 1e9}], "<= 100"),
        ([{"id": 0, "scale": float("nan")}], ">= -100"),
        ([{"id": 0, "weight": 1}], "unknown field `weight`"),
    ],
)
async def test_what_a_request_can_not_have_is_told(adapted: LlamaCppModel, lora: Any, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words) as caught:
        await say(adapted, lora)
    assert caught.value.param == "lora"
    assert "0: noise, 1: second" in caught.value.message


async def test_a_model_without_adapters_says_so(model: LlamaCppModel) -> None:
    with pytest.raises(InvalidRequestError, match="no adapters; leave lora out"):
        await say(model, [{"id": 0}])


@pytest.mark.parametrize(
    ("adapter", "words"),
    [
        ({"kind": "model"}, "adapter.gguf is no LoRA adapter"),
        ({"architecture": "gemma3"}, "made for models of the kind 'gemma3', and this one is 'llama'"),
        ({"alpha": "sixteen"}, "adapter.lora.alpha is sixteen"),
        ({"alpha": float("inf")}, "adapter.lora.alpha is inf"),
        ({"width": 64}, "incorrect shape"),
        ({"layers": range(40, 41)}, "does not exist in base model"),
        ({"adapter__alora__invocation_tokens": [1, 2]}, "activated LoRA"),
    ],
)
async def test_what_is_no_adapter_of_this_model_is_refused(
    smollm2: Path, tmp_path: Path, adapter: dict[str, Any], words: str
) -> None:
    write_adapter(tmp_path / "adapter.gguf", **adapter)
    with pytest.raises(ModelLoadError, match=words) as caught:
        await open_at(tmp_path, smollm2, lora=["adapter.gguf"])
    assert caught.value.param == "settings.lora[0]"


@pytest.mark.parametrize(
    ("lora", "words"),
    [
        (["gone.gguf"], "there is no file .*gone.gguf"),
        (["../adapter.gguf"], "leads out of the model's folder"),
        (["/etc/passwd"], "leads out of the model's folder"),
        (["a\0b"], "leads out of the model's folder"),
        (["text.gguf"], "text.gguf is not a GGUF file"),
        (["good.gguf", "good.gguf"], "two adapters with the name good"),
    ],
)
async def test_adapters_lie_beside_the_model(
    smollm2: Path, tmp_path: Path, lora: list[str], words: str
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    write_adapter(tmp_path / "adapter.gguf")
    write_adapter(folder / "good.gguf")
    (folder / "text.gguf").write_text("These are my notes.")
    with pytest.raises(ModelLoadError, match=words):
        await open_at(folder, smollm2, lora=lora)


async def test_a_linked_model_has_its_adapters_where_it_lies(smollm2: Path, tmp_path: Path) -> None:
    shelf, folder = tmp_path / "shelf", tmp_path / "models" / "linked"
    shelf.mkdir()
    folder.mkdir(parents=True)
    (shelf / "weights.gguf").symlink_to(smollm2)
    path = write_adapter(shelf / "noise.gguf")
    source = Source(filename="weights.gguf", url=(shelf / "weights.gguf").as_uri())
    given = {"ctx_len": 256, "n_parallel": 1, "lora": [str(path)]}
    engine = LlamaCpp()
    model = Model(id="linked", format="gguf", sources=[source])
    settings = msgspec.convert(given, engine.Settings)
    loaded = await engine.load(model, folder, settings, lambda _: None)
    await loaded.unload()
    bare = msgspec.structs.replace(settings, lora=[])
    assert engine.estimate(model, folder, settings).ram == (
        engine.estimate(model, folder, bare).ram + path.stat().st_size
    )


def test_turns_go_round_and_leave_nobody_out() -> None:
    turns: Turns[tuple[float, ...]] = Turns(lambda item: item)
    items = [(0.0,), (1.0,), (0.5,), (1.0,)]
    seen = [turns.next(items) for _ in range(24)]
    assert {len(set(each)) for each in seen} == {1}
    assert {each[0]: len(each) for each in seen} == {(0.0,): 1, (0.5,): 1, (1.0,): 2}
    counts = [sum(each[0] == item for each in seen) for item in sorted(set(items))]
    assert counts == [8, 8, 8]
    assert turns.next([(1.0,), (1.0,)]) == [(1.0,), (1.0,)]
