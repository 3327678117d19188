"""Prompts of conversations with tools, for the templates of each family, and which parts a template lacks."""

from typing import Any

import msgspec
import pytest
from jan_host import ChatRequest, InvalidRequestError, Unknown, UnsupportedError
from jan_host.kit import ChatTemplate, text
from jan_host.kit.tools import Asked, Dialogue
from jan_host.kit.tools.formats import recognize
from jan_host.kit.tools.formats.deepseek import DeepSeekFormat
from jan_host.kit.tools.formats.functionary import PartedFunctionary, TaggedFunctionary
from jan_host.kit.tools.formats.gemma import GemmaFormat, GemmaTokens
from jan_host.kit.tools.formats.generic import GenericFormat
from jan_host.kit.tools.formats.harmony import HarmonyFormat
from jan_host.kit.tools.formats.hermes import HermesFormat
from jan_host.kit.tools.formats.llama3 import Llama3Format
from jan_host.kit.tools.formats.mistral import MistralFormat

from tests.core.kit.tools import templates

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": CITY}}
TIME = {"type": "function", "function": {"name": "get_time"}}
FAMILIES = {
    "qwen 2.5": (templates.QWEN25, HermesFormat),
    "qwen 3": (templates.QWEN3, HermesFormat),
    "llama 3.1": (templates.LLAMA31, Llama3Format),
    "mistral": (templates.MISTRAL, MistralFormat),
    "functionary 3.1": (templates.FUNCTIONARY31, TaggedFunctionary),
    "functionary 3.2": (templates.FUNCTIONARY32, PartedFunctionary),
    "gemma 3": (templates.GEMMA3, GemmaFormat),
    "function gemma": (templates.FUNCTION_GEMMA, GemmaTokens),
    "gpt-oss": (templates.GPT_OSS, HarmonyFormat),
    "deepseek r1": (templates.DEEPSEEK_R1, DeepSeekFormat),
    "none": (templates.CHATML, GenericFormat),
}


def request(**fields: Any) -> ChatRequest:
    given = {
        "messages": [{"role": "user", "content": "Weather in Paris?"}],
        "tools": [WEATHER, TIME],
        **fields,
    }
    return msgspec.convert(given, ChatRequest)


def call(city: str, call_id: str) -> dict[str, Any]:
    function = {"name": "get_weather", "arguments": f'{{"city": "{city}"}}'}
    return {"id": call_id, "type": "function", "function": function}


CONTROL = {"[THINK]": 7, "[TOOL_CALLS]": 8}
LOOP: list[dict[str, Any]] = [
    {"role": "user", "content": "Weather in Paris and Rome?"},
    {"role": "assistant", "content": None, "tool_calls": [call("Paris", "call_1"), call("Rome", "call_2")]},
    {"role": "tool", "tool_call_id": "call_1", "content": "Sunny in Paris."},
    {"role": "tool", "tool_call_id": "call_2", "content": "Rainy in Rome."},
]


def dialogue(source: str, **options: Any) -> Dialogue:
    return Dialogue(ChatTemplate(source, bos_token="<s>", eos_token="</s>"), CONTROL, **options)


async def prompt(source: str, **fields: Any) -> str:
    return text((await ask(source, **fields)).segments)


async def ask(source: str, **fields: Any) -> Asked:
    return await dialogue(source).ask(request(**fields))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_template_tells_the_family(family: str) -> None:
    source, expected = FAMILIES[family]

    assert isinstance(recognize(source), expected)


@pytest.mark.parametrize("family", FAMILIES)
async def test_the_model_sees_its_tools(family: str) -> None:
    written = await prompt(FAMILIES[family][0])

    assert "get_weather" in written
    assert "get_time" in written
    assert "Weather in Paris?" in written


@pytest.mark.parametrize("family", FAMILIES)
async def test_calls_and_results_are_fed_back_in_order(family: str) -> None:
    written = await prompt(FAMILIES[family][0], messages=LOOP)

    for piece in ("Paris", "Rome", "Sunny in Paris.", "Rainy in Rome."):
        assert piece in written
    assert written.index("Sunny in Paris.") < written.index("Rainy in Rome.")
    assert written.index("get_weather") < written.index("Sunny in Paris.")
    assert "'city'" not in written  # Python's notation


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_result_that_nobody_asked_for_is_passed_on(family: str) -> None:
    messages = [*LOOP, {"role": "tool", "tool_call_id": "other", "content": "Windy."}]

    assert "Windy." in await prompt(FAMILIES[family][0], messages=messages)


@pytest.mark.parametrize("family", FAMILIES)
async def test_the_history_is_shown_also_when_no_tool_is_offered(family: str) -> None:
    hiding: list[dict[str, Any]] = [{"tools": None}, {"tools": []}, {"tool_choice": "none"}]
    for fields in hiding:
        written = await prompt(FAMILIES[family][0], messages=LOOP, **fields)
        assert "Sunny in Paris." in written
        assert "get_time" not in written


async def test_hermes_writes_arguments_as_objects() -> None:
    written = await prompt(templates.QWEN25, messages=LOOP)

    assert '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>' in written
    assert "<tool_response>\nSunny in Paris.\n</tool_response>" in written


async def test_llama_gets_one_call_at_a_time() -> None:
    written = await prompt(templates.LLAMA31, messages=LOOP)

    first, second = (
        written.index('"parameters": {"city": "Paris"}'),
        written.index('"parameters": {"city": "Rome"}'),
    )
    assert first < written.index("Sunny in Paris.") < second < written.index("Rainy in Rome.")


async def test_mistral_gets_ids_of_nine_letters_that_match() -> None:
    written = await prompt(templates.MISTRAL, messages=LOOP)
    known = MistralFormat().known_id

    for given in ("call_1", "call_2"):
        assert f'"id": "{known(given)}"' in written
        assert f'"call_id": "{known(given)}"' in written


async def test_deepseek_r1_is_told_its_tools_and_shown_its_calls() -> None:
    written = await prompt(templates.DEEPSEEK_R1, messages=LOOP)

    assert "## Tools" in written
    assert f"tool▁sep{templates.BAR}>get_weather\n```json\n" in written
    assert '{"city": "Paris"}' in written
    assert written.endswith("<think>\n")


async def test_gemma_is_told_and_shown_everything_in_turns_that_alternate() -> None:
    more = [*LOOP, {"role": "user", "content": "And?"}]
    written = await prompt(templates.GEMMA3, messages=more)

    assert "You have access to functions." in written
    assert '<start_of_turn>model\n[{"name": "get_weather", "parameters": {"city": "Paris"}}' in written
    assert "```tool_output\nSunny in Paris.\n```" in written
    assert written.count("<start_of_turn>user") == 2


async def test_gpt_oss_gets_its_reasoning_and_effort_back() -> None:
    thinking = {**LOOP[1], "reasoning_content": "I must look."}
    written = await prompt(
        templates.GPT_OSS, messages=[LOOP[0], thinking, *LOOP[2:]], reasoning_effort="high"
    )

    assert "Reasoning: high" in written
    assert "<|channel|>analysis<|message|>I must look.<|end|>" in written
    assert written.count("to=functions.get_weather") == 2


async def test_a_model_without_tools_is_told_how_to_call_them() -> None:
    system = {"role": "system", "content": [{"type": "text", "text": "Be brief."}]}
    written = await prompt(templates.CHATML, messages=[system, *LOOP])

    assert written.startswith("<|im_start|>system\nBe brief.\n\nYou have tools.")
    assert '{"tool_calls": [{"name": "get_weather", "arguments": {"city": "Paris"}}, ' in written
    assert "<|im_start|>user\nResult of the tool get_weather:\nSunny in Paris.\n\nResult of the" in written


async def test_tools_without_a_description_or_parameters_are_completed() -> None:
    source = (
        "{% for t in tools or [] %}{{ t.function.description + t.function.parameters.properties | tojson }}"
        "{% endfor %}{{ messages[0].content }}<tool_call>"
    )

    assert "{}" in await prompt(source, tools=[TIME])


async def test_only_the_named_tool_is_shown_and_called_once() -> None:
    choice = {"type": "function", "function": {"name": "get_time"}}
    asked = await ask(templates.QWEN25, tool_choice=choice)

    assert "get_weather" not in text(asked.segments)
    assert asked.reader is not None
    reader = asked.reader()
    one = b'<tool_call>{"name": "get_time", "arguments": {}}</tool_call>'
    said = reader.push(one + one)
    assert len(said.tool_calls) == 1
    assert reader.stopped


async def test_an_opened_tag_is_gone_on_with() -> None:
    asked = await ask(templates.DEEPSEEK_R1, tools=None)
    assert asked.reader is not None
    reader = asked.reader()

    assert reader.push(b"Hm.").reasoning == "Hm."
    assert reader.push(b"</think>\n\nYes.").text == "Yes."


async def test_a_model_that_shall_not_think_answers_at_once() -> None:
    asked = await ask(templates.QWEN3, tools=None, chat_template_kwargs={"enable_thinking": False})
    assert asked.reader is not None

    assert text(asked.segments).endswith("<think>\n\n</think>\n\n")
    assert asked.reader().push(b"Yes.").text == "Yes."


async def test_magistral_thinks_between_its_own_tags() -> None:
    asked = await ask(templates.MAGISTRAL, tools=None)
    assert asked.reader is not None
    assert asked.shown == {7: b"[THINK]", 8: b"[TOOL_CALLS]"}

    said = asked.reader().push(b"[THINK]Hm.[/THINK]Yes.")
    assert (said.reasoning, said.text) == ("Hm.", "Yes.")


async def test_reasoning_can_be_left_in_the_text() -> None:
    plain = dialogue(templates.QWEN3, reasoning=False)

    assert (await plain.ask(request(tools=None))).reader is None


@pytest.mark.parametrize("source", [templates.QWEN3, templates.DEEPSEEK_R1, templates.MAGISTRAL])
async def test_a_request_can_leave_reasoning_in_the_text(source: str) -> None:
    asked = await ask(source, tools=None, reasoning_format="none")

    assert asked.reader is None
    assert asked.stops == (await ask(source, tools=None)).stops


async def test_reasoning_that_is_left_in_the_text_hides_no_calls() -> None:
    asked = await ask(templates.QWEN3, reasoning_format="none")
    assert asked.reader is not None

    said = asked.reader().push(
        b'<think>Hm.</think><tool_call>{"name": "get_time", "arguments": {}}</tool_call>'
    )
    assert (said.reasoning, said.text) == ("", "<think>Hm.</think>")
    assert next(call.function.name for call in said.tool_calls if call.function) == "get_time"


@pytest.mark.parametrize("word", ["auto", "deepseek"])
async def test_other_words_leave_reasoning_as_it_is_set_up(word: str) -> None:
    asked = await ask(templates.QWEN3, tools=None, reasoning_format=word)
    assert asked.reader is not None

    assert asked.reader().push(b"<think>Hm.</think>").reasoning == "Hm."


async def test_no_effort_is_no_thinking() -> None:
    silent = await prompt(templates.QWEN3, tools=None, reasoning_effort="none")
    wanted = {"enable_thinking": True}
    heard = await prompt(templates.QWEN3, tools=None, reasoning_effort="none", chat_template_kwargs=wanted)

    assert silent.endswith("<think>\n\n</think>\n\n")
    assert heard == await prompt(templates.QWEN3, tools=None)


async def test_plain_models_without_tools_are_not_read_at_all() -> None:
    assert (await ask(templates.CHATML, tools=None)).reader is None
    assert (await ask(templates.CHATML, tool_choice="none")).reader is None
    assert (await ask(templates.QWEN25, tools=[])).reader is None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [WEATHER, WEATHER]}, "tools[1].function.name"),
        ({"tool_choice": {"type": "function", "function": {"name": "rm"}}}, "tool_choice"),
        ({"tools": [], "tool_choice": "required"}, "tool_choice"),
    ],
)
async def test_tools_that_make_no_sense_are_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        await ask(templates.QWEN25, **fields)
    assert caught.value.param == param


async def test_other_kinds_of_tools_are_refused_in_words() -> None:
    custom = Unknown(extra={"type": "custom", "custom": {"name": "x"}})
    plain = request()
    for changes, param in (
        ({"tools": [custom]}, "tools[0].type"),
        ({"tool_choice": Unknown(extra={"type": "allowed_tools"})}, "tool_choice"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
    ):
        with pytest.raises(UnsupportedError) as caught:
            await dialogue(templates.QWEN25).ask(msgspec.structs.replace(plain, **changes))
        assert caught.value.param == param


async def test_control_tokens_in_results_stay_text() -> None:
    template = ChatTemplate(templates.QWEN25, control_tokens=["<|im_start|>", "<|im_end|>"])
    messages = [*LOOP[:2], {"role": "tool", "tool_call_id": "call_1", "content": "<|im_end|>"}]
    asked = await Dialogue(template, {}).ask(request(messages=messages))

    assert any("<|im_end|>" in segment.text for segment in asked.segments if not segment.control)


BEGUN = [{"role": "user", "content": "Count."}, {"role": "assistant", "content": "One, two"}]


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        ({}, "assistant\nOne, two"),
        ({"continue_final_message": True, "add_generation_prompt": False}, "assistant\nOne, two"),
        ({"continue_final_message": False}, "One, two<|im_end|>\n<|im_start|>assistant\n"),
        ({"add_generation_prompt": True}, "One, two<|im_end|>\n<|im_start|>assistant\n"),
        ({"continue_final_message": False, "add_generation_prompt": False}, "One, two<|im_end|>\n"),
    ],
)
async def test_an_answer_that_is_begun_is_gone_on_with_or_not(fields: dict[str, Any], end: str) -> None:
    assert (await prompt(templates.CHATML, messages=BEGUN, tools=None, **fields)).endswith(end)


async def test_no_answer_is_opened_on_demand() -> None:
    written = await prompt(templates.CHATML, messages=BEGUN[:1], tools=None, add_generation_prompt=False)

    assert written.endswith("Count.<|im_end|>\n")


@pytest.mark.parametrize(
    ("messages", "fields"),
    [(BEGUN, {"add_generation_prompt": True}), (BEGUN[:1], {})],
)
async def test_what_can_not_be_gone_on_with_is_refused(
    messages: list[dict[str, Any]], fields: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequestError):
        await prompt(templates.CHATML, messages=messages, continue_final_message=True, **fields)
