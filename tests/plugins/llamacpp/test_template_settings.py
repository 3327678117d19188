"""Which template writes a prompt, and what goes into it: settings over the file, requests over settings."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from jan_host import ChatMessage, ChatRequest
from jan_host_llamacpp.model import LlamaCppModel

from tests.plugins.llamacpp.talking import collect, load

TEMPLATE = (
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}"
    "{% if enable_thinking %}think as long as you like {% endif %}{{ tone }}"
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def told(smollm2: Path) -> AsyncIterator[LlamaCppModel]:
    """SmolLM2 with a template, a system message and variables of its settings."""
    model = await load(
        smollm2,
        prompt_template=TEMPLATE,
        system_prompt="Be brief.",
        chat_template_kwargs={"enable_thinking": True, "tone": "warm"},
    )
    yield model
    await model.unload()


async def written(model: LlamaCppModel, *messages: tuple[str, str], **options: Any) -> int:
    """How many tokens the prompt of a conversation has."""
    said = [ChatMessage(role=role, content=content) for role, content in messages]
    answer = await collect(model.chat(ChatRequest(messages=said, max_tokens=1, temperature=0.0, **options)))
    return answer.usage.prompt_tokens


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("messages", "options", "prompt"),
    [
        ([("user", "Hi")], {}, "<system>Be brief.<user>Hithink as long as you like warm"),
        (
            [("system", "Sing loudly."), ("user", "Hi")],
            {},
            "<system>Sing loudly.<user>Hithink as long as you like warm",
        ),
        (
            [("user", "Hi")],
            {"chat_template_kwargs": {"enable_thinking": False}},
            "<system>Be brief.<user>Hiwarm",
        ),
        (
            [("user", "Hi")],
            {"chat_template_kwargs": {"tone": "as cold as ice in January"}},
            "<system>Be brief.<user>Hithink as long as you like as cold as ice in January",
        ),
    ],
)
async def test_what_is_written(
    told: LlamaCppModel, messages: list[tuple[str, str]], options: dict[str, Any], prompt: str
) -> None:
    wanted = len(await told.tokenize(prompt))
    assert await written(told, *messages, **options) == wanted
