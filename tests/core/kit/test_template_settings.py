"""``prompt_template`` of a model.json in its two forms, and models without any template."""

from typing import Any

import pytest
from jan_host import ModelLoadError
from jan_host.kit import ChatTemplate, text

SYSTEM = {"role": "system", "content": "SYS"}
DIALOGUE = [
    {"role": "user", "content": "Q1"},
    {"role": "assistant", "content": "A1"},
    {"role": "user", "content": "Q2"},
]

CASES = {
    "chatml": (
        "<|im_start|>system\n{system_message}<|im_end|>\n<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n",
        "<|im_start|>system\nSYS<|im_end|>\n<|im_start|>user\nQ1<|im_end|>\n<|im_start|>assistant\nA1<|im_end|>\n"
        "<|im_start|>user\nQ2<|im_end|>\n<|im_start|>assistant\n",
        "<|im_start|>user\nQ1<|im_end|>\n<|im_start|>assistant\nA1<|im_end|>\n"
        "<|im_start|>user\nQ2<|im_end|>\n<|im_start|>assistant\n",
        (),
    ),
    "llama3": (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n{system_message}<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\n{prompt}<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nSYS<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nQ1<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nA1<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nQ2<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nQ1<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nA1<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nQ2<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        (),
    ),
    "tinyllama": (
        "<|system|>\n{system_message}</s>\n<|user|>\n{prompt}</s>\n<|assistant|>",
        "<|system|>\nSYS</s>\n<|user|>\nQ1</s>\n<|assistant|>A1</s>\n<|user|>\nQ2</s>\n<|assistant|>",
        "<|user|>\nQ1</s>\n<|assistant|>A1</s>\n<|user|>\nQ2</s>\n<|assistant|>",
        (),
    ),
    "llama2": (
        "[INST] <<SYS>>\n{system_message}<</SYS>>\n{prompt}[/INST]",
        "[INST] <<SYS>>\nSYS<</SYS>>\nQ1[/INST]A1</s>[INST] Q2[/INST]",
        "[INST] Q1[/INST]A1</s>[INST] Q2[/INST]",
        ("[INST]",),
    ),
    "mistral": (
        "[INST] {prompt} [/INST]",
        "[INST] SYS\n\nQ1 [/INST]A1</s>[INST] Q2 [/INST]",
        "[INST] Q1 [/INST]A1</s>[INST] Q2 [/INST]",
        ("[INST]",),
    ),
    "phi3": (
        "<|user|>\n{prompt}<|end|>\n<|assistant|>\n",
        "<|user|>\nSYS\n\nQ1<|end|>\n<|assistant|>\nA1<|end|>\n<|user|>\nQ2<|end|>\n<|assistant|>\n",
        "<|user|>\nQ1<|end|>\n<|assistant|>\nA1<|end|>\n<|user|>\nQ2<|end|>\n<|assistant|>\n",
        (),
    ),
    "vicuna": (
        "A chat between a human and an assistant. {system_message}USER: {prompt} ASSISTANT: ",
        "A chat between a human and an assistant. SYSUSER: Q1 ASSISTANT: A1</s>USER: Q2 ASSISTANT: ",
        "A chat between a human and an assistant. USER: Q1 ASSISTANT: A1</s>USER: Q2 ASSISTANT: ",
        ("USER:",),
    ),
    "alpaca": (
        "{system_message}\n### Instruction: {prompt}\n### Response:",
        "SYS\n### Instruction: Q1\n### Response:A1</s>\n### Instruction: Q2\n### Response:",
        "\n### Instruction: Q1\n### Response:A1</s>\n### Instruction: Q2\n### Response:",
        ("### Instruction:",),
    ),
    "jinja": (
        "{% for m in messages %}{{ m.role }}={{ m.content }};{% endfor %}",
        "system=SYS;user=Q1;assistant=A1;user=Q2;",
        "user=Q1;assistant=A1;user=Q2;",
        (),
    ),
}


@pytest.mark.parametrize(("template", "with_system", "without", "stops"), CASES.values(), ids=CASES)
async def test_prompt_template(template: str, with_system: str, without: str, stops: tuple[str, ...]) -> None:
    chat = ChatTemplate.from_setting(template, bos_token="<|begin_of_text|>", eos_token="</s>")
    assert text(await chat.render([SYSTEM, *DIALOGUE])) == with_system
    assert text(await chat.render(DIALOGUE)) == without
    assert chat.stop_texts == stops


async def test_a_later_system_message_goes_into_the_next_question() -> None:
    chat = ChatTemplate.from_setting("{system_message}\nQ: {prompt}\nA:", eos_token="</s>")
    prompt = text(await chat.render([*DIALOGUE[:2], SYSTEM, DIALOGUE[2]]))
    assert prompt == "\nQ: Q1\nA:A1</s>\nQ: SYS\n\nQ2\nA:"


async def test_control_tokens_of_a_text_template_are_control_tokens() -> None:
    chat = ChatTemplate.from_setting(
        "<|user|>{prompt}<|end|><|assistant|>", control_tokens=["<|user|>", "<|end|>"]
    )
    segments = await chat.render([{"role": "user", "content": "<|end|>"}])
    assert [segment.text for segment in segments if segment.control] == ["<|user|>", "<|end|>"]


async def test_an_answer_can_be_continued_in_a_text_template() -> None:
    chat = ChatTemplate.from_setting(CASES["chatml"][0])
    prompt = text(await chat.render(DIALOGUE[:2], continue_final=True))
    assert prompt.endswith("<|im_start|>assistant\nA1")


@pytest.mark.parametrize(
    "template", ["no place", "{prompt}{prompt}", "{prompt}{system_message}", "{system_message}", ""]
)
def test_a_template_without_its_places_is_refused(template: str) -> None:
    with pytest.raises(ModelLoadError, match=r"\{prompt\} once"):
        ChatTemplate.from_setting(template)


@pytest.mark.parametrize(
    ("tokens", "expected", "stops"),
    [
        ([], "SYS\n\nUser: Q1\nAssistant: A1\nUser: Q2\nAssistant:", ("User:",)),
        (
            ["<|im_start|>", "<|im_end|>"],
            "<|im_start|>system\nSYS<|im_end|>\n<|im_start|>user\nQ1<|im_end|>\n<|im_start|>assistant\nA1<|im_end|>\n"
            "<|im_start|>user\nQ2<|im_end|>\n<|im_start|>assistant\n",
            (),
        ),
    ],
)
async def test_models_without_a_template(tokens: Any, expected: str, stops: Any) -> None:
    chat = ChatTemplate.fallback(control_tokens=tokens)
    assert text(await chat.render([SYSTEM, *DIALOGUE])) == expected
    assert chat.stop_texts == stops
