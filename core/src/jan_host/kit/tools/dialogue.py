"""A conversation with a model that reasons and calls tools: what it is asked, and how its answer is read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from jan_host.contract.chat import ChatMessage, ChatRequest
from jan_host.contract.errors import InvalidRequestError
from jan_host.contract.unknown import as_plain
from jan_host.kit.conversation import Message, image_urls
from jan_host.kit.segments import Segment, text
from jan_host.kit.structure import Form, LazyForm
from jan_host.kit.template import ChatTemplate
from jan_host.kit.tools.formats import Format, recognize
from jan_host.kit.tools.formats.harmony import HarmonyFormat
from jan_host.kit.tools.grammar import Calling
from jan_host.kit.tools.history import history, one_at_a_time
from jan_host.kit.tools.reading import Reader, Reading
from jan_host.kit.tools.reasoning import Tags, known_tags, opened
from jan_host.kit.tools.wanted import WantedTools, wanted_tools

_END: Final = 64
"""Characters of a prompt's end in which an opened tag is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request became."""

    segments: Sequence[Segment] = ()
    """The prompt."""
    images: Sequence[str] = ()
    """Where the images are that stand among the segments, in their order."""
    stops: Sequence[str] = ()
    """Stop strings; a reader looks for them itself."""
    reader: Callable[[], Reader] | None = None
    """Makes what reads one choice; ``None``: the answer is plain text."""
    shown: Mapping[int, bytes] = field(default_factory=dict)
    """The bytes of control tokens that the reader needs to see."""
    form: Form | None = None
    """What the answer must match, since it must call a tool."""
    calls: LazyForm | None = None
    """What calls match in an answer that may call tools."""


@dataclass(frozen=True, slots=True)
class _Manner:
    """How a model's answers are written, and what of that a reader tells apart."""

    format: Format
    tags: tuple[Tags, ...]
    """Those of reasoning; none where it stays in the text."""
    shown: Mapping[int, bytes]
    """The bytes of control tokens that the reader needs to see."""

    @classmethod
    def of(cls, template: str, control: Mapping[str, int], *, reasoning: bool) -> "_Manner":
        """What a template's text tells.

        Args:
            template: The text.
            control: The vocabulary's control tokens by their text.
            reasoning: Whether reasoning is told apart from content.
        """
        found = recognize(template)
        if isinstance(found, HarmonyFormat):
            found = HarmonyFormat(reasons=reasoning)
        tags = known_tags(template) if reasoning else ()
        special = (*found.special, *(tag for each in tags for tag in each))
        return cls(found, tags, {control[token]: token.encode() for token in special if token in control})


class Dialogue:
    """Makes prompts for one model.

    Args:
        template: The model's chat template; its text tells how the model calls tools and reasons.
        control: The vocabulary's control tokens by their text.
        system_prompt: For conversations without a system message.
        variables: For the template; those of a request go over them.
        reasoning: Whether reasoning is told apart from content, where a request does not say.
        images: Whether the model takes images.
    """

    def __init__(
        self,
        template: ChatTemplate,
        control: Mapping[str, int],
        *,
        system_prompt: str | None = None,
        variables: Mapping[str, Any] = MappingProxyType({}),
        reasoning: bool = True,
        images: bool = False,
    ) -> None:
        self._template = template
        self._control = control
        self._system_prompt = system_prompt
        self._variables = dict(variables)
        self._images = images
        self._manner = _Manner.of(template.source, control, reasoning=reasoning)
        self._untold = _Manner.of(template.source, control, reasoning=False)
        self._thinks = ".thinking" in template.source

    async def ask(self, request: ChatRequest) -> Asked:
        """The prompt of a conversation, and how to read the answers.

        An answer that the conversation ends with is gone on with.

        Raises:
            InvalidRequestError: The template refuses the conversation, or the tools make no sense.
            UnsupportedError: A tool of another type than function, or a part that the model can't read.
        """
        wanted = wanted_tools(request)
        manner = self._untold if request.reasoning_format == "none" else self._manner
        messages = self._messages(request, wanted)
        images = image_urls(request.messages)
        segments = await self._template.render(
            messages,
            tools=wanted.tools if self._template.shows.tools else None,
            add_generation_prompt=request.add_generation_prompt is not False,
            continue_final=_goes_on(request),
            variables={**self._variables, **_variables(request)},
            images=self._images and bool(images),
        )
        stops = [*request.stops(), *self._template.stop_texts]
        inside = opened(manner.tags, text(segments[-3:])[-_END:])
        reader = _reader(manner, wanted, stops, request.shown_stops(), inside)
        form, calls = self._forms(manner, wanted, inside)
        return Asked(
            segments=segments,
            images=images,
            stops=stops,
            reader=reader,
            shown=manner.shown,
            form=form,
            calls=calls,
        )

    def _forms(
        self, manner: _Manner, wanted: WantedTools, inside: Tags | None
    ) -> tuple[Form | None, LazyForm | None]:
        """What the answer matches where it must call, or what its calls match where it may."""
        if not wanted.tools:
            return None, None
        given = Calling(manner.format, wanted, self._control, tags=manner.tags, inside=inside)
        return (given.must_call(), None) if wanted.must else (None, given.may_call())

    def _messages(self, request: ChatRequest, wanted: WantedTools) -> list[Message | ChatMessage]:
        messages = request.messages
        if self._system_prompt and not any(each.role in ("system", "developer") for each in messages):
            messages = [ChatMessage(role="system", content=self._system_prompt), *messages]
        shown = self._template.shows
        told = wanted.tools and not shown.tools
        instructions = self._manner.format.instructions(wanted.tools) if told else ""
        found = history(messages, shown, self._manner.format, instructions)
        if shown.calls and not shown.several:
            found = one_at_a_time(found)
        return [_with_thinking(each) for each in found] if self._thinks else found


def _reader(
    manner: _Manner, wanted: WantedTools, stops: list[str], shown_stops: list[str], inside: Tags | None
) -> Callable[[], Reader] | None:
    if not wanted.tools and not manner.tags and not manner.format.structured:
        return None
    return Reading(
        format=manner.format,
        names=wanted.names,
        must=wanted.must,
        most=wanted.most,
        tags=manner.tags,
        inside=inside,
        stops=stops,
        shown_stops=shown_stops,
    ).reader


def _goes_on(request: ChatRequest) -> bool:
    """Whether the answer goes on with the last message: where that is the assistant's, unless said otherwise.

    Raises:
        InvalidRequestError: The answer is to go on with it, and to be one of its own.
    """
    if request.continue_final_message is not None:
        if request.continue_final_message and request.add_generation_prompt:
            raise InvalidRequestError(
                "continue_final_message goes on with the last message, add_generation_prompt opens another"
                " one. Send one of them.",
                param="continue_final_message",
            )
        return request.continue_final_message
    last = request.messages[-1]
    is_begun = last.role == "assistant" and not last.tool_calls and bool(last.content)
    return is_begun and not request.add_generation_prompt


def _variables(request: ChatRequest) -> dict[str, Any]:
    effort: dict[str, Any] = {}
    if request.reasoning_effort is not None:
        effort["reasoning_effort"] = request.reasoning_effort
    if request.reasoning_effort == "none":
        effort["enable_thinking"] = False  # what the templates of models that need not reason call it
    return {**effort, **(request.chat_template_kwargs or {})}


def _with_thinking(message: Message | ChatMessage) -> Message | ChatMessage:
    """The message with its reasoning under the name that gpt-oss's template reads.

    That template takes a call with words or with reasoning, not with both.
    """
    plain: Message = as_plain(message, unknown=False) if isinstance(message, ChatMessage) else message
    reasoning = plain.get("reasoning_content")
    if not reasoning or (plain.get("tool_calls") and plain.get("content")):
        return message
    return {**plain, "thinking": reasoning}
