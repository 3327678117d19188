"""Checks of options and prompts: each works or is refused in words, and nothing foreign is ever raised."""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

import msgspec
import pytest

from jan_host.contract.chat import ChatRequest, JsonObjectFormat, JsonSchemaFormat
from jan_host.contract.completion import CompletionRequest
from jan_host.contract.engine import Chats, Completes
from jan_host.contract.errors import ContextLengthExceededError, InvalidRequestError
from jan_host.contract.generation import Delta
from jan_host.testing.fixtures import EngineFixtures, require
from jan_host.testing.generation import Answer, Ask, Live, check_words, close, collect, put_together
from jan_host.testing.running import Run
from jan_host.testing.samples import (
    CHAT_OPTIONS,
    COMPLETION_OPTIONS,
    CONVERSATIONS,
    IMPOSSIBLE,
    ODD_PROMPTS,
    OPTIONS,
)

_HUGE = 2**31 - 1


class OptionChecks(EngineFixtures):
    """Every field of a request, odd prompts, and requests that ask too much."""

    context_tokens: ClassVar[int | None] = None
    """What prompt and answer of one request may have together, where the author knows it."""

    @pytest.mark.parametrize("name", OPTIONS)
    def test_an_option_works_or_is_refused(self, run: Run, ask: Ask, name: str) -> None:
        options = {"max_tokens": 8, **OPTIONS[name]}
        run(_works_or_refuses(ask.stream(self.prompts[0], **options), options))

    @pytest.mark.parametrize("name", CHAT_OPTIONS)
    def test_a_chat_option_works_or_is_refused(self, run: Run, live: Live, name: str) -> None:
        require("chat", live)
        options = {"max_tokens": 8, **CHAT_OPTIONS[name]}
        run(_works_or_refuses(Ask("chat", live).stream(self.prompts[0], **options), options))

    @pytest.mark.parametrize("name", COMPLETION_OPTIONS)
    def test_a_completion_option_works_or_is_refused(self, run: Run, live: Live, name: str) -> None:
        require("complete", live)
        options = {"max_tokens": 8, **COMPLETION_OPTIONS[name]}
        run(_works_or_refuses(Ask("complete", live).stream(self.prompts[0], **options), options))

    @pytest.mark.parametrize("name", IMPOSSIBLE)
    def test_an_option_that_cannot_work_is_refused(self, run: Run, ask: Ask, name: str) -> None:
        with pytest.raises(InvalidRequestError):
            run(ask.answer(self.prompts[0], max_tokens=4, **IMPOSSIBLE[name]))

    @pytest.mark.parametrize("name", ODD_PROMPTS)
    def test_an_odd_prompt_is_answered_or_refused(self, run: Run, ask: Ask, name: str) -> None:
        run(_works_or_refuses(ask.stream(ODD_PROMPTS[name], max_tokens=4), {"max_tokens": 4}))

    @pytest.mark.parametrize("name", CONVERSATIONS)
    def test_a_conversation_is_answered_or_refused(self, run: Run, live: Live, name: str) -> None:
        require("chat", live)
        assert isinstance(live.loaded, Chats)
        request = ChatRequest(model=live.model_id, messages=CONVERSATIONS[name], max_tokens=4)
        run(_works_or_refuses(live.loaded.chat(request), {"max_tokens": 4}))

    def test_a_prompt_of_token_ids(self, run: Run, live: Live) -> None:
        require("complete", live)
        require("tokenize", live)
        run(_works_or_refuses(_complete_ids(live, [1, 2, 3]), {"max_tokens": 4}))

    @pytest.mark.parametrize("token", [_HUGE, 2**24])
    def test_a_prompt_of_token_ids_that_are_not_there_is_refused(
        self, run: Run, live: Live, token: int
    ) -> None:
        require("complete", live)
        with pytest.raises(InvalidRequestError):
            run(collect(_complete_ids(live, [1, token])))

    def test_a_huge_limit_is_refused_or_works(self, run: Run, ask: Ask) -> None:
        async def begin() -> None:
            stream = ask.stream(self.prompts[0], max_tokens=_HUGE)
            try:
                for _ in range(16):
                    await anext(aiter(stream), None)
            except ContextLengthExceededError as error:
                _check_numbers(error)
            await close(stream)

        run(begin())

    def test_a_prompt_that_is_too_long_is_refused_with_both_numbers(self, run: Run, ask: Ask) -> None:
        if self.context_tokens is None:
            pytest.skip("context_tokens of this suite is not set")
        with pytest.raises(ContextLengthExceededError) as caught:
            run(ask.answer("long " * (self.context_tokens + 1), max_tokens=1))
        _check_numbers(caught.value)

    def test_the_model_still_answers_after_all_this(self, run: Run, ask: Ask) -> None:
        run(ask.answer(self.prompts[0], max_tokens=4))


def _complete_ids(live: Live, tokens: list[int]) -> AsyncIterator[Delta]:
    assert isinstance(live.loaded, Completes)
    prompt: list[str | int | list[int]] = [*tokens]
    return live.loaded.complete(CompletionRequest(model=live.model_id, prompt=prompt, max_tokens=4))


def _check_numbers(error: ContextLengthExceededError) -> None:
    numbers = re.findall(r"\d+", str(error))
    assert len(numbers) >= 2, f"the message names what was asked for and what there is: {error}"


async def _works_or_refuses(stream: AsyncIterator[Delta], options: Mapping[str, Any]) -> None:
    """Take a whole generation and hold it against what `options` ask for, or accept a refusal in words."""
    try:
        deltas = await collect(stream)
    except InvalidRequestError as error:
        check_words(error)
        return
    _check_promises(put_together(deltas, options.get("n") or 1), options)


def _check_promises(answer: Answer, options: Mapping[str, Any]) -> None:
    """An option that is not refused is honoured: checked for those whose effect can be seen in the answer."""
    limit = options["max_tokens"] if options["max_tokens"] is not None else options["max_completion_tokens"]
    used = answer.usage.completion_tokens
    assert used <= limit, f"{used} tokens with a limit of {limit}"
    if options.get("logprobs"):
        _check_logprobs(answer)
    if options.get("tool_choice") == "required":
        assert any(delta.tool_calls for delta in answer.deltas), "tool_choice=required without a tool call"
    _check_form(answer, options)


def _check_logprobs(answer: Answer) -> None:
    logprobs = [entry for delta in answer.deltas for entry in delta.logprobs]
    assert logprobs or not answer.text, "logprobs were asked for, not refused, and not given"
    for entry in logprobs:
        assert entry.logprob is None or entry.logprob <= 1e-6, f"a probability above one: {entry}"
        assert len(entry.top_logprobs) <= 3, f"3 were asked for: {entry}"


def _check_form(answer: Answer, options: Mapping[str, Any]) -> None:
    text = answer.text
    if "regex" in options:
        assert re.fullmatch(options["regex"], text), f"{text!r} does not match regex {options['regex']}"
    if "grammar" in options:
        assert text in ("yes", "no"), f"{text!r} does not match the grammar {options['grammar']}"
    if isinstance(options.get("response_format"), JsonObjectFormat | JsonSchemaFormat):
        assert text.lstrip()[:1] in ("{", ""), f"{text!r} does not begin as a JSON object does"
        if answer.finish_reasons == ["stop"]:
            assert isinstance(msgspec.json.decode(text), dict), f"{text!r} is no JSON object"
