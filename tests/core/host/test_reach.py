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
        {"adaptive_target": 0.5},
        {"allowed_token_ids": [1]},
        {"bad_words": ["x"]},
        {"chat_template": "{{ messages }}"},
        {"documents": [{"text": "x"}]},
        {"echo": True},
        {"logprob_token_ids": [1]},
        {"min_keep": 2},
        {"n_indent": 4},
        {"post_sampling_probs": True},
        {"prompt_logprobs": 0},
        {"reasoning_budget_tokens": 0},
        {"return_hidden_states": True},
        {"return_token_ids": True},
        {"return_tokens_as_token_ids": True},
        {"skip_special_tokens": False},
        {"stop_regex": "x"},
        {"t_max_predict_ms": 1000},
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
        {"min_keep": 1, "n_indent": 0, "post_sampling_probs": False, "t_max_predict_ms": 0},
        {"adaptive_target": -1.0, "reasoning_budget_tokens": -1, "id_slot": 0, "n_keep": 4, "min_keep": "x"},
        {"metadata": {"a": "b"}, "store": True, "service_tier": "auto", "prompt_cache_key": "k"},
        {"safety_identifier": "s", "verbosity": "low", "prediction": {"type": "content", "content": "x"}},
        {"use_beam_search": False, "bad_words": [], "echo": False, "documents": [], "chat_template": None},
        {"skip_special_tokens": True, "thinking_token_budget": -1, "prompt_logprobs": None},
    ],
)
def test_what_changes_nothing(extra: dict[str, Any]) -> None:
    check_reach(request(extra), Local())
