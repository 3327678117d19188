"""What only others offer is refused here, and passed on by engines that speak for others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jan_host import (
    ChatMessage,
    ChatRequest,
    Engine,
    LoadedModel,
    Model,
    Progress,
    UnsupportedError,
)
from jan_host.host.reach import check_reach


class Local(Engine):
    """Runs in a worker."""

    name = "local"

    async def load(self, model: Model, folder: Path, settings: Any, progress: Progress) -> LoadedModel:
        raise NotImplementedError


class Remote(Local):
    """Speaks for something elsewhere."""

    runs_in = "host"


def request(extra: Mapping[str, Any]) -> ChatRequest:
    return ChatRequest(messages=[ChatMessage(role="user", content="x")], extra=dict(extra))


@pytest.mark.parametrize(
    "extra",
    [
        {"functions": [{"name": "f"}]},
        {"function_call": {"name": "f"}},
        {"modalities": ["text", "audio"]},
        {"audio": {"voice": "alloy", "format": "wav"}},
        {"web_search_options": {}},
        {"allowed_token_ids": [1]},
        {"bad_words": ["x"]},
        {"chat_template": "{{ messages }}"},
        {"documents": [{"text": "x"}]},
        {"echo": True},
        {"logprob_token_ids": [1]},
        {"prompt_logprobs": 0},
        {"return_hidden_states": True},
        {"return_token_ids": True},
        {"return_tokens_as_token_ids": True},
        {"skip_special_tokens": False},
        {"stop_regex": "x"},
        {"thinking_token_budget": 0},
        {"truncate_prompt_tokens": -1},
        {"use_beam_search": True},
    ],
)
def test_what_asks_for_another_answer(extra: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError) as raised:
        check_reach(request(extra), Local())
    assert raised.value.param == next(iter(extra))
    check_reach(request(extra), Remote())


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"functions": [], "function_call": "none", "modalities": ["text"]},
        {"functions": None, "function_call": None, "modalities": None, "audio": None},
        {"metadata": {"a": "b"}, "store": True, "service_tier": "auto", "prompt_cache_key": "k"},
        {"safety_identifier": "s", "verbosity": "low", "prediction": {"type": "content", "content": "x"}},
        {"use_beam_search": False, "bad_words": [], "echo": False, "documents": [], "chat_template": None},
        {"skip_special_tokens": True, "thinking_token_budget": -1, "prompt_logprobs": None},
    ],
)
def test_what_changes_nothing(extra: dict[str, Any]) -> None:
    check_reach(request(extra), Local())
