"""Chat templates: a conversation becomes the prompt of a model."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self

from jan_host.contract.errors import InvalidRequestError
from jan_host.kit import turns
from jan_host.kit.budget import SECONDS, Budget, TemplateTimeError
from jan_host.kit.conversation import (
    Habits,
    Message,
    conversation,
    folded,
    has_system,
    plain_tools,
    shaped,
)
from jan_host.kit.probing import find_habits, find_shown
from jan_host.kit.rendering import Asked, Messages, Tools, Variables, checked, cut, left_open, shown_images
from jan_host.kit.segments import ControlTokens, Segment, strings

_QUICK_SECONDS = 0.02


class ChatTemplate:
    """A chat template in Jinja, rendered in a sandbox with limits on time and size.

    It takes conversations in OpenAI's shape and adapts them to what the template expects: it puts
    a system message into the user's where the template knows none, gives contents as parts and the
    arguments of tool calls as objects where it wants them so.

    Control tokens that a user typed stay text: see `Segment`.

    Args:
        source: The template.
        control_tokens: The texts of the vocabulary's control tokens (not of tokens that may occur in
            ordinary text, such as ``</think>``: templates look for these in messages).
        bos_token: Its text, or nothing.
        eos_token: Its text, or nothing.
        constants: Further variables, the same for each rendering.
        stop_texts: What ends an answer, beside the vocabulary's tokens.

    Raises:
        ModelLoadError: The template can't be read; names the line.
    """

    def __init__(
        self,
        source: str,
        *,
        control_tokens: Collection[str] = (),
        bos_token: str = "",
        eos_token: str = "",
        constants: Mapping[str, object] | None = None,
        stop_texts: Sequence[str] = (),
    ) -> None:
        from jan_host.kit.program import Program  # Jinja is heavy

        self.source = source
        self.stop_texts = tuple(stop_texts)
        """Texts at which generation must stop so that the model does not go on in the user's name.

        Only templates whose turns no control token ends have any.
        """
        self._control = ControlTokens(control_tokens)
        self._constants = {
            **(constants or {}),
            "documents": None,
            "bos_token": bos_token,
            "eos_token": eos_token,
        }
        self._program = Program(source)
        self._habits = find_habits(self._run, source)
        self.shows = find_shown(self._run, source, self._habits)
        """What it has a place for: tools, calls, results."""

    @classmethod
    def from_setting(
        cls, template: str, *, control_tokens: Collection[str] = (), bos_token: str = "", eos_token: str = ""
    ) -> Self:
        """The template of a model.json's ``prompt_template``: Jinja, or text with places.

        The second form is ``"...{system_message}...{prompt}..."``, the first place being optional;
        `turns.parse` says how it is repeated for the turns of a conversation.

        Raises:
            ModelLoadError: It is neither.
        """
        if "{{" in template or "{%" in template:
            return cls(template, control_tokens=control_tokens, bos_token=bos_token, eos_token=eos_token)
        parts = turns.parse(template, bos_token=bos_token, eos_token=eos_token)
        return cls._of_turns(parts, control_tokens, bos_token, eos_token)

    @classmethod
    def fallback(
        cls, *, control_tokens: Collection[str] = (), bos_token: str = "", eos_token: str = ""
    ) -> Self:
        """The template for a model that has none.

        ChatML when ``<|im_start|>`` and ``<|im_end|>`` are among the control tokens; else a transcript of
        lines ``User: ...`` and ``Assistant: ...`` behind the system message, with ``User:`` as a stop text.
        """
        chatml = {"<|im_start|>", "<|im_end|>"} <= set(control_tokens)
        return cls._of_turns(turns.CHATML if chatml else turns.PLAIN, control_tokens, bos_token, eos_token)

    @classmethod
    def _of_turns(
        cls, parts: turns.Turns, control_tokens: Collection[str], bos_token: str, eos_token: str
    ) -> Self:
        return cls(
            turns.SOURCE,
            control_tokens=control_tokens,
            bos_token=bos_token,
            eos_token=eos_token,
            constants=parts.variables(),
            stop_texts=parts.stop_texts(),
        )

    async def render(
        self,
        messages: Messages,
        *,
        tools: Tools = None,
        add_generation_prompt: bool = True,
        continue_final: bool = False,
        variables: Variables = None,
        images: bool = False,
    ) -> list[Segment]:
        """The prompt for a conversation.

        Short work is done at once, on the event loop; what is large or takes longer than 20 ms goes to
        a thread, with 2 seconds to end.

        Args:
            messages: In OpenAI's shape; contents are texts or lists of parts.
            tools: In OpenAI's shape.
            add_generation_prompt: End with what opens the assistant's turn.
            continue_final: The last message is the beginning of the answer: end with it, its turn open.
            variables: For the template, such as ``enable_thinking``.
            images: Whether parts may be images; in their order, each becomes a segment of its own.

        Raises:
            InvalidRequestError: The template refuses the conversation, or fails on it; says why.
            UnsupportedError: A message holds something other than text, and than images where they are
                taken.
            ModelError: The template uses more time or memory than it may.
        """
        asked = Asked(messages, tools, add_generation_prompt, continue_final, variables, images)
        if asked.is_short():
            try:
                return self._segments(asked, Budget(_QUICK_SECONDS))
            except TemplateTimeError:
                pass  # once more, with more time, where nobody waits
        return await asyncio.to_thread(self._patient, asked)

    def render_now(
        self,
        messages: Messages,
        *,
        tools: Tools = None,
        add_generation_prompt: bool = True,
        continue_final: bool = False,
        variables: Variables = None,
        images: bool = False,
    ) -> list[Segment]:
        """`render` on this thread, for callers without an event loop."""
        return self._patient(Asked(messages, tools, add_generation_prompt, continue_final, variables, images))

    def _patient(self, asked: Asked) -> list[Segment]:
        from jan_host.kit.program import exceeded

        try:
            return self._segments(asked, Budget(SECONDS))
        except TemplateTimeError as error:
            raise exceeded(error) from error

    def _segments(self, asked: Asked, budget: Budget) -> list[Segment]:
        messages = conversation(asked.messages, self._habits, "" if asked.images else None)
        context = {**checked(asked.variables), "tools": plain_tools(asked.tools)}
        budget.allow(sum(map(len, strings([messages, context]))))
        control = self._control
        budget.marker = marker = control.marker([messages, context], self.source)
        end = control.marker([messages, context], self.source + marker) if asked.continue_final else ""
        image = control.marker([messages, context], self.source + marker + end) if asked.images else ""
        if image:
            messages = conversation(asked.messages, self._habits, image)
        count = sum(message["content"].count(image) for message in messages) if image else 0
        if end:
            messages = left_open(messages, end)
        messages = [{**control.mark(message, marker), "role": message["role"]} for message in messages]
        context = control.mark(context, marker)
        context["add_generation_prompt"] = asked.add_generation_prompt and not asked.continue_final
        written = self._written(messages, context, budget)
        segments = control.split(cut(written, end) if end else written, marker)
        return shown_images(segments, image, count) if image else segments

    def _written(self, messages: Sequence[Message], context: Mapping[str, Any], budget: Budget) -> str:
        """What the template writes, also when it refuses a system message where this conversation has one."""
        from jan_host.kit.program import RefusedError

        try:
            return self._run(messages, self._habits, context, budget)
        except RefusedError as refusal:
            if not has_system(messages):
                raise
            try:
                return self._run(folded(messages), self._habits, context, budget)
            except InvalidRequestError:
                raise refusal from None

    def _run(
        self, messages: Sequence[Message], habits: Habits, context: Mapping[str, Any], budget: Budget
    ) -> str:
        variables = {**self._constants, **context, "messages": shaped(messages, habits)}
        return self._program.run(variables, budget)
