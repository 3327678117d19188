"""Tools through a real server and OpenAI's client, over both engines of this machine: the whole loop."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.cli.conftest import environment
from tests.examples.servers import serving
from tests.plugins.onnx.decoder.folders import decoder_folder

CITY = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 30}}, "required": ["city"]}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather.", "parameters": CITY},
}
QUESTION = {"role": "user", "content": "What is the weather in Paris?"}
MODELS = ("gguf", "onnx")


@pytest.fixture(scope="module")
def client(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    root = tmp_path_factory.mktemp("root")
    models = root / "models"
    (models / "gguf").mkdir(parents=True)
    (models / "gguf" / smollm2.name).symlink_to(smollm2)
    source = decoder_folder("gqa")
    for path in source.rglob("*.*"):
        if path.is_file():
            target = models / "onnx" / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(path)
    for name in MODELS:
        document = {"settings": {"ctx_len": 768, "n_parallel": 2}}
        (models / name / "model.json").write_text(json.dumps(document))
    command = [sys.executable, "-m", "jan_host.cli", "serve", "--root", str(root)]
    with (
        serving(command, environment(), root) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=120) as client,
    ):
        yield client


def create(client: openai.OpenAI, **options: Any) -> Any:
    given = {"messages": [QUESTION], "tools": [TOOL], "temperature": 0, "max_tokens": 100, **options}
    return client.chat.completions.create(**given)


@pytest.mark.parametrize("model", MODELS)
def test_a_call_its_result_and_the_answer(client: openai.OpenAI, model: str) -> None:
    called = create(client, model=model, tool_choice="required", parallel_tool_calls=False)

    choice = called.choices[0]
    (call,) = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert call.function.name == "get_weather"
    assert set(json.loads(call.function.arguments)) == {"city"}

    result = {"role": "tool", "tool_call_id": call.id, "content": "It is sunny in Paris, 21 degrees."}
    messages = [QUESTION, choice.message.model_dump(exclude_none=True), result]
    answered = create(client, model=model, messages=messages, tools=openai.NOT_GIVEN)

    assert answered.choices[0].finish_reason == "stop"
    assert "Paris" in answered.choices[0].message.content


@pytest.mark.parametrize("model", MODELS)
def test_a_stream_put_together_is_the_plain_answer(client: openai.OpenAI, model: str) -> None:
    plain = create(client, model=model, tool_choice="required", parallel_tool_calls=False)
    pieces: list[str] = []
    with client.chat.completions.stream(
        model=model,
        messages=[QUESTION],  # type: ignore[list-item]  # plain dicts, as users send them
        tools=[TOOL],  # type: ignore[list-item]  # the same
        tool_choice="required",
        parallel_tool_calls=False,
        temperature=0,
        max_tokens=100,
    ) as stream:
        pieces.extend(
            event.arguments_delta for event in stream if event.type == "tool_calls.function.arguments.delta"
        )
        streamed = stream.get_final_completion()

    (call,), (expected,) = streamed.choices[0].message.tool_calls or [], plain.choices[0].message.tool_calls
    assert call.function.name == expected.function.name
    assert call.function.arguments == expected.function.arguments == "".join(pieces)
    assert len(pieces) > 1
    assert streamed.choices[0].finish_reason == "tool_calls"
    assert streamed.choices[0].message.content is None


@pytest.mark.parametrize("model", MODELS)
def test_a_chunk_has_one_piece_of_a_call(client: openai.OpenAI, model: str) -> None:
    # What the schema leaves no choice about comes at once. Some clients take each piece of the first chunk
    # for a call of its own.
    strict = {**TOOL["function"], "strict": True, "parameters": {**CITY, "additionalProperties": False}}
    choice = {"type": "function", "function": {"name": "get_weather"}}
    tools = [{**TOOL, "function": strict}]
    chunks = create(client, model=model, tools=tools, tool_choice=choice, stream=True)

    pieces = [chunk.choices[0].delta.tool_calls or [] for chunk in chunks if chunk.choices]
    assert max(map(len, pieces)) == 1
    written = "".join(piece.function.arguments for each in pieces for piece in each)
    assert set(json.loads(written)) == {"city"}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("choice", ["auto", "none"])
def test_words_are_words_in_a_stream_and_whole(client: openai.OpenAI, model: str, choice: str) -> None:
    options: dict[str, Any] = {"model": model, "tool_choice": choice, "max_tokens": 24}
    whole = create(client, **options).choices[0]
    chunks = list(create(client, stream=True, **options))

    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.message.content
    assert not whole.message.tool_calls
    assert chunks[-1].choices[0].finish_reason == whole.finish_reason


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "options",
    [
        {"tools": [TOOL, TOOL]},
        {"tool_choice": {"type": "function", "function": {"name": "rm"}}},
        {"tools": [], "tool_choice": "required"},
    ],
)
def test_what_makes_no_sense_is_400(client: openai.OpenAI, model: str, options: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError):
        create(client, model=model, **options)


@pytest.mark.parametrize("model", MODELS)
def test_no_tools_at_all_are_no_tools(client: openai.OpenAI, model: str) -> None:
    assert create(client, model=model, tools=[], max_tokens=8).choices[0].message.content


@pytest.mark.parametrize("model", MODELS)
def test_a_result_of_an_unknown_call_is_passed_on(client: openai.OpenAI, model: str) -> None:
    stray = {"role": "tool", "tool_call_id": "call_nobody", "content": "It is sunny in Oslo."}

    answer = create(client, model=model, messages=[QUESTION, stray], tools=openai.NOT_GIVEN, max_tokens=16)
    assert answer.choices[0].message.content


@pytest.mark.parametrize("model", MODELS)
def test_the_arguments_become_a_model_of_the_client(client: openai.OpenAI, model: str) -> None:
    strict = {"type": "function", "function": {**TOOL["function"], "strict": True}}
    strict["function"]["parameters"] = {**CITY, "additionalProperties": False}  # type: ignore[index]  # plain dicts
    parsed = client.chat.completions.parse(
        model=model,
        messages=[QUESTION],  # type: ignore[list-item]  # plain dicts, as users send them
        tools=[strict],  # type: ignore[list-item]  # the same
        tool_choice="required",
        parallel_tool_calls=False,
        temperature=0,
    )

    (call,) = parsed.choices[0].message.tool_calls or []
    assert isinstance(call.function.parsed_arguments, dict)
