"""The real openai client against a real server."""

from collections.abc import Iterator

import openai
import pytest
from openai.types.chat import ChatCompletionUserMessageParam

from tests.api.conftest import MODEL, Server


@pytest.fixture
def ai(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=30) as client:
        yield client


def user(text: str) -> list[ChatCompletionUserMessageParam]:
    return [{"role": "user", "content": text}]


def test_models(ai: openai.OpenAI) -> None:
    assert MODEL in [model.id for model in ai.models.list()]
    assert ai.models.retrieve(MODEL).owned_by == "you"
    with pytest.raises(openai.NotFoundError) as caught:
        ai.models.retrieve("none")
    assert caught.value.code == "model_not_found"
    assert caught.value.request_id


def test_chat(ai: openai.OpenAI) -> None:
    answer = ai.chat.completions.create(model=MODEL, messages=user("count 3"), n=2)
    assert [choice.message.content for choice in answer.choices] == ["0 1 2 ", "0 1 2 "]
    assert answer.usage is not None
    assert answer.usage.total_tokens == 9


def test_a_streamed_chat(ai: openai.OpenAI) -> None:
    chunks = list(
        ai.chat.completions.create(
            model=MODEL, messages=user("count 3"), stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == "0 1 2 "
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 3


def test_the_clients_own_accumulation(ai: openai.OpenAI) -> None:
    with ai.chat.completions.stream(model=MODEL, messages=user("call")) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls
    assert calls is not None
    assert [call.function.arguments for call in calls] == ['{"at": 0}', '{"at": 1}']


def test_an_error_in_a_stream_is_raised(ai: openai.OpenAI) -> None:
    stream = ai.chat.completions.create(model=MODEL, messages=user("break"), stream=True)
    assert [next(stream).choices[0].delta.content for _ in range(2)] == ["", "so far "]
    with pytest.raises(openai.APIError, match="grew beyond 128") as caught:
        next(stream)
    assert caught.value.code == "context_length_exceeded"


def test_errors_before_a_stream_have_their_class(ai: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        ai.chat.completions.create(model=MODEL, messages=user("refuse"), stream=True)
    assert refused.value.code == "context_length_exceeded"
    with pytest.raises(openai.UnprocessableEntityError):
        ai.chat.completions.create(model=MODEL, messages=[])


def test_completions(ai: openai.OpenAI) -> None:
    answer = ai.completions.create(model=MODEL, prompt="count 2", logprobs=1)
    assert answer.choices[0].text == "0 1 "
    pieces = ai.completions.create(model=MODEL, prompt="count 2", stream=True)
    assert "".join(choice.text for piece in pieces for choice in piece.choices) == "0 1 "


def test_embeddings_which_the_client_asks_for_in_base64(ai: openai.OpenAI) -> None:
    answer = ai.embeddings.create(model=MODEL, input=["a", "bc"])
    assert [item.embedding for item in answer.data] == [[1.0, 0.25, -1.5], [2.0, 0.25, -1.5]]
