"""Templates of real models write what their models were trained on."""

from pathlib import Path
from typing import Any

import gguf
import jinja2
import pytest
from jan_host import (
    ChatMessage,
    ContentPart,
    FunctionCall,
    FunctionDefinition,
    ImagePart,
    ImageURL,
    InvalidRequestError,
    ModelLoadError,
    TextPart,
    Tool,
    ToolCall,
    UnsupportedError,
)
from jan_host.kit import ChatTemplate, Segment, text

from tests.core.kit import texts

USER = {"role": "user", "content": "Hi!"}
DIALOGUE = [USER, {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Bye."}]
WITH_SYSTEM = [{"role": "system", "content": "Be brief."}, *DIALOGUE]


async def written(template: ChatTemplate, messages: list[Any], **options: Any) -> str:
    return text(await template.render(messages, **options))


async def test_smollm2_as_its_file_carries_it(smollm2: Path) -> None:
    reader = gguf.GGUFReader(smollm2)
    field = reader.get_field("tokenizer.chat_template")
    assert field is not None
    assert field.contents() == texts.SMOLLM2
    template = ChatTemplate(field.contents(), control_tokens=texts.CHATML_TOKENS)
    assert await template.render([USER]) == [
        Segment("<|im_start|>", True),
        Segment("system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face", False),
        Segment("<|im_end|>", True),
        Segment("\n", False),
        Segment("<|im_start|>", True),
        Segment("user\nHi!", False),
        Segment("<|im_end|>", True),
        Segment("\n", False),
        Segment("<|im_start|>", True),
        Segment("assistant\n", False),
    ]


async def test_llama3() -> None:
    template = ChatTemplate(texts.LLAMA3, bos_token="<|begin_of_text|>", eos_token="<|eot_id|>")
    assert await written(template, WITH_SYSTEM) == (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHi!<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nHello.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nBye.<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )


async def test_mistral_gets_the_system_message_in_the_first_question() -> None:
    template = ChatTemplate(texts.MISTRAL, bos_token="<s>", eos_token="</s>")
    assert (
        await written(template, WITH_SYSTEM)
        == "<s>[INST] Be brief.\n\nHi! [/INST]Hello.</s>[INST] Bye. [/INST]"
    )


async def test_gemma_gets_the_system_message_in_the_first_question() -> None:
    template = ChatTemplate(texts.GEMMA, bos_token="<bos>")
    assert await written(template, WITH_SYSTEM) == (
        "<bos><start_of_turn>user\nBe brief.\n\nHi!<end_of_turn>\n<start_of_turn>model\nHello.<end_of_turn>\n"
        "<start_of_turn>user\nBye.<end_of_turn>\n<start_of_turn>model\n"
    )


async def test_phi3() -> None:
    template = ChatTemplate(texts.PHI3, eos_token="<|endoftext|>")
    assert await written(template, WITH_SYSTEM) == (
        "<|system|>\nBe brief.<|end|>\n<|user|>\nHi!<|end|>\n<|assistant|>\nHello.<|end|>\n"
        "<|user|>\nBye.<|end|>\n<|assistant|>\n"
    )
    assert (await written(template, [USER], add_generation_prompt=False)).endswith(
        "Hi!<|end|>\n<|endoftext|>"
    )


async def test_qwen3_reads_its_own_reasoning_and_variables() -> None:
    template = ChatTemplate(texts.QWEN3, control_tokens=texts.CHATML_TOKENS)
    told = [USER, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nHello."}, DIALOGUE[2]]
    assert await written(template, told, variables={"enable_thinking": False}) == (
        "<|im_start|>user\nHi!<|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n"
        "<|im_start|>user\nBye.<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )


async def test_qwen25_with_tools() -> None:
    call = ToolCall(id="call_1", function=FunctionCall(name="weather", arguments='{"city": "Zürich"}'))
    messages = [
        ChatMessage(role="developer", content="Be brief."),
        ChatMessage(role="user", content="Weather?"),
        ChatMessage(role="assistant", tool_calls=[call]),
        ChatMessage(role="tool", tool_call_id="call_1", content="sunny"),
    ]
    tool = Tool(function=FunctionDefinition(name="weather", parameters={"type": "object"}))
    template = ChatTemplate(texts.QWEN25, control_tokens=texts.CHATML_TOKENS)
    prompt = await written(template, messages, tools=[tool])
    assert prompt == (
        "<|im_start|>system\nBe brief.\n\n# Tools\n\nYou may call one or more functions to assist with"
        " the user query.\n\n<tools>\n"
        '{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}'
        "\n</tools><|im_end|>\n<|im_start|>user\nWeather?<|im_end|>\n"
        '<|im_start|>assistant\n<tool_call>\n{"name": "weather", "arguments": {"city": "Zürich"}}\n'
        "</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\nsunny\n</tool_response><|im_end|>\n<|im_start|>assistant\n"
    )


async def test_arguments_stay_text_where_a_template_wants_text() -> None:
    source = (
        "{% for m in messages %}{{ m.content }}{% for c in m.tool_calls or [] %}"
        "{{ c.function.name + c.function.arguments }}{% endfor %}{% endfor %}"
    )
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    assert await written(ChatTemplate(source), [{"role": "assistant", "tool_calls": [call]}]) == 'f{"a": 1}'


async def test_contents_are_parts_where_a_template_wants_parts() -> None:
    template = ChatTemplate(texts.SMOLVLM)
    expected = "<|im_start|>User: Hi!<end_of_utterance>\nAssistant:"
    assert await written(template, [USER]) == expected
    parts: list[ContentPart] = [TextPart(text="H"), TextPart(text="i!")]
    assert await written(template, [ChatMessage(role="user", content=parts)]) == expected


async def test_parts_are_joined_where_a_template_wants_text() -> None:
    parts = [{"type": "text", "text": "H"}, {"type": "text", "text": "i!"}]
    template = ChatTemplate(texts.SMOLLM2)
    assert await written(template, [{"role": "user", "content": parts}]) == await written(template, [USER])


async def test_an_image_is_refused_by_its_place() -> None:
    image = ImagePart(image_url=ImageURL(url="data:image/png;base64,AA"))
    with pytest.raises(UnsupportedError, match="image_url") as caught:
        await ChatTemplate(texts.SMOLLM2).render(
            [ChatMessage(role="user", content=[TextPart(text="?"), image])]
        )
    assert caught.value.param == "messages[0].content[1]"


async def test_the_template_itself_says_what_it_refuses() -> None:
    with pytest.raises(InvalidRequestError, match="Conversation roles must alternate"):
        await ChatTemplate(texts.MISTRAL).render([USER, USER])


async def test_a_template_that_fails_says_why() -> None:
    template = ChatTemplate("{{ messages[0].content }}{{ messages[5].content + 'x' }}")
    with pytest.raises(InvalidRequestError, match=r"has no element 5"):
        await template.render([USER])


def test_a_syntax_error_names_its_line() -> None:
    with pytest.raises(ModelLoadError, match=r"line 3\b.*endfor"):
        ChatTemplate("{% for m in messages %}\n{% if m %}\n{% endfor %}")


async def test_names_of_the_host_are_no_variables() -> None:
    with pytest.raises(InvalidRequestError, match="messages"):
        await ChatTemplate(texts.SMOLLM2).render([USER], variables={"messages": []})


@pytest.mark.parametrize(
    "source", [texts.SMOLLM2, texts.LLAMA3, texts.PHI3, texts.GEMMA, texts.SMOLVLM, texts.QWEN3]
)
async def test_an_answer_can_be_continued(source: str) -> None:
    template = ChatTemplate(source, control_tokens=texts.CHATML_TOKENS, bos_token="<s>", eos_token="</s>")
    started = [USER, {"role": "assistant", "content": "Once upon "}]
    prompt = await written(template, started, continue_final=True)
    assert prompt.endswith("Once upon ")
    assert prompt.removesuffix("Once upon ").strip() == (await written(template, [USER])).strip()


async def test_only_an_answer_can_be_continued() -> None:
    with pytest.raises(InvalidRequestError, match="last message"):
        await ChatTemplate(texts.SMOLLM2).render([USER], continue_final=True)


async def test_what_hugging_face_templates_use() -> None:
    template = ChatTemplate(
        "{% generation %}{{ strftime_now('%Y')|length }}{% endgeneration %} "
        "{%- for i in range(9) %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %} "
        "{{- {'b': 'ü', 'a': [1]} | tojson }}{{ {'b': 1, 'a': 2} | tojson(indent=1, sort_keys=true) }}"
    )
    assert await written(template, [USER]) == '4012{"b": "ü", "a": [1]}{\n "a": 2,\n "b": 1\n}'


@pytest.mark.parametrize(
    "source", [texts.SMOLLM2, texts.LLAMA3, texts.PHI3, texts.QWEN25, texts.QWEN3, texts.MISTRAL, texts.GEMMA]
)
async def test_the_sandbox_writes_what_jinja_writes(source: str) -> None:
    plain = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(source)
    context = {"bos_token": "<s>", "eos_token": "</s>", "tools": None, "add_generation_prompt": True}
    messages = [
        USER,
        {"role": "assistant", "content": " tags <b> & \n\n"},
        {"role": "user", "content": "\tx\u2028y "},
    ]
    template = ChatTemplate(
        source, control_tokens=["<s>", "</s>", *texts.CHATML_TOKENS], bos_token="<s>", eos_token="</s>"
    )
    assert await written(template, messages) == plain.render(messages=messages, **context)


async def test_a_long_conversation_is_rendered_as_a_short_one_is() -> None:
    template = ChatTemplate(texts.SMOLLM2, control_tokens=texts.CHATML_TOKENS)
    long = [{"role": "user", "content": f"{index} <|im_end|> " + "x" * 500} for index in range(2000)]
    prompt = await template.render(long)
    assert sum(segment.control for segment in prompt) == 2 * 2001 + 1
    assert prompt == template.render_now(long)
