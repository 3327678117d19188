"""Reasoning that a model writes before its answer, between tags."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from jan_host.kit.tools.feed import Feed, Steps
from jan_host.kit.tools.said import Sink


class Tags(NamedTuple):
    """What stands around reasoning."""

    opening: str
    closing: str


_KNOWN: Final = (
    Tags(
        "<think>", "</think>"
    ),  # DeepSeek R1, Qwen 3, Phi-4 reasoning, Granite 3.3, Nemotron and most others
    Tags("[THINK]", "[/THINK]"),  # Magistral
    Tags("<|START_THINKING|>", "<|END_THINKING|>"),  # Command R7B and Command A
    Tags("<seed:think>", "</seed:think>"),  # Seed-OSS
    Tags("<|channel>thought", "<channel|>"),  # Gemma 4
    Tags("Here is my thought process:", "Here is my response:"),  # Granite 3.2
)


def known_tags(template: str) -> tuple[Tags, ...]:
    """The tags that a template's text names; models write them without being asked."""
    return tuple(tags for tags in _KNOWN if tags.closing in template)


def opened(tags: Sequence[Tags], prompt: str) -> Tags | None:
    """The tags whose opening ends the prompt, so that the model goes on inside."""
    end = prompt.rstrip()
    return next((each for each in tags if end.endswith(each.opening)), None)


def read_reasoning(feed: Feed, sink: Sink, tags: Sequence[Tags], inside: Tags | None) -> Steps[None]:
    """Take the reasoning where an answer begins with it; without an end, all of the answer is reasoning.

    Args:
        feed: The answer, from its beginning.
        sink: Where the reasoning goes.
        tags: Those that the model may write.
        inside: Those that the prompt has opened.
    """
    found = inside
    if inside is not None:
        yield from feed.space()
        yield from feed.starts_with(inside.opening)  # some write it again
    else:
        feed.mark()
        yield from feed.space()
        for each in tags:
            if (yield from feed.starts_with(each.opening)):
                found = each
                break
        else:
            feed.rewind()
            return
        feed.forget()
    if found is not None:
        sink.is_reasoning = True
        yield from feed.until((found.closing,), sink.reasoning)
        sink.is_reasoning = False
        sink.reasoned()
