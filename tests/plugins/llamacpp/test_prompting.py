"""Prompts of other kinds: answers that were begun, texts with a gap."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from jan_host import ChatMessage, ChatRequest, UnsupportedError
from jan_host_llamacpp.model import LlamaCppModel

from tests.plugins.llamacpp.talking import CAPITAL, chat, collect, completion, load
from tests.plugins.llamacpp.writing import with_token_ids

pytestmark = pytest.mark.asyncio(loop_scope="session")

BEFORE, AFTER, MIDDLE = 3, 4, 5
"""Tokens of SmolLM2's vocabulary that its texts do not use."""


def _begun(*turns: tuple[str, str]) -> ChatRequest:
    messages = [ChatMessage(role=role, content=content) for role, content in turns]
    return ChatRequest(messages=messages, temperature=0.0, max_tokens=16)


async def test_an_answer_that_was_begun_is_gone_on_with(model: LlamaCppModel) -> None:
    whole = await collect(model.chat(chat(CAPITAL)))
    begun = "The capital of"
    rest = await collect(model.chat(_begun(("user", CAPITAL), ("assistant", begun))))

    assert begun + rest.text == whole.text == "The capital of France is Paris."
    assert rest.usage.prompt_tokens == whole.usage.prompt_tokens + len(await model.tokenize(begun))


async def test_an_answer_without_a_text_is_no_beginning(model: LlamaCppModel) -> None:
    whole = await collect(model.chat(chat(CAPITAL, max_tokens=1)))
    other = await collect(model.chat(_begun(("user", CAPITAL), ("assistant", ""))))

    assert other.usage.prompt_tokens > whole.usage.prompt_tokens


async def test_a_gap_needs_a_model_that_was_trained_for_it(model: LlamaCppModel) -> None:
    with pytest.raises(UnsupportedError, match="no tokens for that") as caught:
        await collect(model.complete(completion("def f(", suffix="return x")))
    assert caught.value.param == "suffix"


@pytest.fixture(scope="module")
def filler(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """SmolLM2 with tokens for a gap, which it was not trained to fill."""
    path = tmp_path_factory.mktemp("filler") / "filler.gguf"
    yield with_token_ids(smollm2, path, fim_pre=BEFORE, fim_suf=AFTER, fim_mid=MIDDLE)
    path.unlink()


async def test_a_gap_stands_between_its_tokens(filler: Path) -> None:
    model = await load(filler)
    before, after = await model.tokenize("def f("), await model.tokenize("return x")
    whole = [BEFORE, *before, AFTER, *after, MIDDLE]
    by_text = await collect(model.complete(completion("def f(", suffix="return x", echo=True)))
    by_ids = await collect(model.complete(completion(before, suffix="return x")))
    spelled = await collect(model.complete(completion(whole)))
    with pytest.raises(UnsupportedError, match="gap"):
        await collect(model.complete(completion("a", suffix="b", echo=True, logprobs=1)))
    await model.unload()

    assert by_text.text == "def f(" + spelled.text
    assert by_ids.text == spelled.text
    assert by_text.usage.prompt_tokens == by_ids.usage.prompt_tokens == len(whole)
