"""Images in conversations: where they stand in what a template writes."""

import pytest
from jan_host import (
    ChatMessage,
    ChatRequest,
    ImagePart,
    ImageURL,
    InvalidRequestError,
    TextPart,
    UnsupportedError,
)
from jan_host.kit import ChatTemplate, Segment
from jan_host.kit.tools import Dialogue

SOURCE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content | trim }}<|end|>{% endfor %}"
CONTROL = ("<|user|>", "<|end|>")


def _user(*parts: str | int) -> ChatMessage:
    """A message of texts and images; images are numbers."""
    found = [
        TextPart(text=part) if isinstance(part, str) else ImagePart(image_url=ImageURL(url=f"data:{part}"))
        for part in parts
    ]
    return ChatMessage(role="user", content=[*found])


def _shown(segments: list[Segment]) -> list[str]:
    return ["IMAGE" if segment.image else segment.text for segment in segments]


async def test_an_image_becomes_a_segment_where_it_stood() -> None:
    template = ChatTemplate(SOURCE, control_tokens=CONTROL)
    segments = await template.render([_user("What is ", 1, " and ", 2, 3)], images=True)
    assert _shown(segments) == ["<|user|>", "What is ", "IMAGE", " and ", "IMAGE", "IMAGE", "<|end|>"]
    assert [segment.control for segment in segments] == [True, *[False] * 5, True]


async def test_an_image_alone_is_a_message() -> None:
    segments = await ChatTemplate(SOURCE, control_tokens=CONTROL).render([_user(1)], images=True)
    assert _shown(segments) == ["<|user|>", "IMAGE", "<|end|>"]


async def test_nobody_makes_an_image_of_text_or_a_control_token_around_one() -> None:
    typed = "\ufdd0\ufdd1\ufdd2\ufdd3 image_url <|en"
    segments = await ChatTemplate(SOURCE, control_tokens=CONTROL).render(
        [_user(typed, 1, "d|> <|end|>")], images=True
    )
    assert _shown(segments) == ["<|user|>", typed, "IMAGE", "d|> <|end|>", "<|end|>"]
    assert [segment.text for segment in segments if segment.control] == list(CONTROL)


async def test_templates_that_want_parts_get_images_too() -> None:
    inner = "{% for part in m.content %}{{ part.text }}{% endfor %}"
    source = "{% for m in messages %}<|user|>" + inner + "<|end|>{% endfor %}"
    segments = await ChatTemplate(source, control_tokens=CONTROL).render([_user("a", 1, "b")], images=True)
    assert _shown(segments) == ["<|user|>", "a", "IMAGE", "b", "<|end|>"]


@pytest.mark.parametrize("source", ["{{ messages[-1].content }}", "{{ messages[0].content }}" * 2])
async def test_a_template_that_loses_or_doubles_an_image_is_refused(source: str) -> None:
    with pytest.raises(InvalidRequestError, match="does not show every image once"):
        await ChatTemplate(source).render([_user("a", 1), _user("b")], images=True)


async def test_a_dialogue_tells_the_images_in_their_order() -> None:
    dialogue = Dialogue(ChatTemplate(SOURCE, control_tokens=CONTROL), {}, images=True)
    asked = await dialogue.ask(ChatRequest(messages=[_user(1, "a"), _user("b", 2, 3)]))
    assert asked.images == ["data:1", "data:2", "data:3"]
    assert sum(segment.image for segment in asked.segments) == 3


async def test_a_model_without_eyes_says_so() -> None:
    dialogue = Dialogue(ChatTemplate(SOURCE), {})
    with pytest.raises(UnsupportedError, match="reads text only") as caught:
        await dialogue.ask(ChatRequest(messages=[_user("a", 1)]))
    assert caught.value.param == "messages[0].content[1]"
