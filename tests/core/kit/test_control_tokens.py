"""What a user types stays text, whatever it looks like."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jan_host.kit import ChatTemplate, Segment, text

from tests.core.kit import texts

TOKENS = ("<|im_start|>", "<|im_end|>", "<|im_", "<s>", "[INST]", "[INST", "\u2581", "ab", "bc", "aab")
PLAIN = "{% for m in messages %}<s>{{ m.content }}<|im_end|>{% endfor %}"
UNHURRIED = settings(deadline=None)  # the machine may be busy
CONTENT = st.lists(
    st.sampled_from([*TOKENS, "<", "<|", "im_end|>", "x", " ", "a", "\ufdd0", "\ue000", "\n"])
).map("".join)


def controls(segments: list[Segment]) -> list[str]:
    return [segment.text for segment in segments if segment.control]


@UNHURRIED
@given(CONTENT, CONTENT)
def test_only_the_template_writes_control_tokens(first: str, second: str) -> None:
    template = ChatTemplate(PLAIN, control_tokens=TOKENS)
    segments = template.render_now(
        [{"role": "user", "content": first}, {"role": "assistant", "content": second}]
    )
    assert controls(segments) == ["<s>", "<|im_end|>", "<s>", "<|im_end|>"]
    assert text(segments) == f"<s>{first}<|im_end|><s>{second}<|im_end|>"


@UNHURRIED
@given(st.recursive(CONTENT | st.integers(), lambda inner: st.dictionaries(CONTENT, inner, max_size=3)))
def test_tool_calls_and_tools_too(value: Any) -> None:
    template = ChatTemplate(
        "{% for m in messages %}<s>{{ m.tool_calls | tojson }}{% endfor %}"
        "{{ tools | tojson(ensure_ascii=true) }}",
        control_tokens=TOKENS,
    )
    arguments = {"value": value}
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": json.dumps(arguments)}}
    tool = {"type": "function", "function": {"name": "f", "parameters": arguments}}
    segments = template.render_now([{"role": "assistant", "content": "", "tool_calls": [call]}], tools=[tool])
    assert controls(segments) == ["<s>"]
    shown = {**call, "function": {"name": "f", "arguments": arguments}}
    assert text(segments) == "<s>" + json.dumps([shown], ensure_ascii=False) + json.dumps([tool])


async def test_a_token_in_two_halves_stays_text() -> None:
    template = ChatTemplate(
        "{{ messages[0].name }}{{ messages[0].content }}", control_tokens=texts.CHATML_TOKENS
    )
    segments = await template.render([{"role": "user", "name": "<|im_", "content": "end|>"}])
    assert segments == [Segment("<|im_end|>", False)]


async def test_parts_do_not_make_a_token() -> None:
    template = ChatTemplate(texts.SMOLVLM, control_tokens=["<|im_start|>", "<end_of_utterance>"])
    parts = [{"type": "text", "text": "<|im_"}, {"type": "text", "text": "start|>"}]
    segments = await template.render([{"role": "user", "content": parts}])
    assert controls(segments) == ["<|im_start|>", "<end_of_utterance>"]


async def test_template_logic_on_contents_still_works() -> None:
    template = ChatTemplate(
        "{% set c = messages[0].content %}"
        "{{ c | trim }}|{{ c.split('#')[1] }}|{{ 'b' in c }}|{{ c is string }}",
        control_tokens=texts.CHATML_TOKENS,
    )
    segments = await template.render([{"role": "user", "content": "  a <|im_end|># b"}])
    assert text(segments) == "a <|im_end|># b| b|True|True"
    assert controls(segments) == []


async def test_variables_of_a_request_stay_text() -> None:
    template = ChatTemplate("{{ note }}<|im_end|>", control_tokens=texts.CHATML_TOKENS)
    segments = await template.render([{"role": "user", "content": ""}], variables={"note": "<|im_end|>"})
    assert segments == [Segment("<|im_end|>", False), Segment("<|im_end|>", True)]


async def test_a_continued_answer_stays_text() -> None:
    template = ChatTemplate(texts.SMOLLM2, control_tokens=texts.CHATML_TOKENS)
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "a<|im_end|>b"}]
    segments = await template.render(messages, continue_final=True)
    assert segments[-1] == Segment("assistant\na<|im_end|>b", False)


async def test_the_longest_token_is_taken() -> None:
    template = ChatTemplate("<a><a><ab>", control_tokens=["<a>", "<a><a>", "<ab>"])
    assert controls(await template.render([{"role": "user", "content": ""}])) == ["<a><a>", "<ab>"]


async def test_thousands_of_tokens_are_no_burden() -> None:
    tokens = [f"<unused{number}>" for number in range(6000)]
    template = ChatTemplate("{{ messages[0].content }}<unused7>", control_tokens=tokens)
    content = "<div> <unused5999> " * 20_000
    segments = await template.render([{"role": "user", "content": content}])
    assert segments == [Segment(content, False), Segment("<unused7>", True)]


@pytest.mark.parametrize("taken", ["\ufdd0", "".join(map(chr, range(0xFDD0, 0xFDF0)))])
async def test_private_characters_of_a_user_are_kept(taken: str) -> None:
    template = ChatTemplate("{{ messages[0].content }}<s>", control_tokens=TOKENS)
    segments = await template.render([{"role": "user", "content": taken + "<s>"}])
    assert segments == [Segment(taken + "<s>", False), Segment("<s>", True)]
