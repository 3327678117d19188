"""Chat templates that are not Jinja: what stands around a system prompt, a question and an answer."""

import re
from dataclasses import asdict, dataclass
from typing import Any

from jan_host.contract.errors import ModelLoadError

SOURCE = """\
{%- set wrapped = system_in_user and messages[0].role == 'system' -%}
{{- start -}}
{%- for message in messages -%}
  {%- if message.role == 'system' -%}
    {%- if not loop.first -%}{{- raise_exception('The system message must be the first one.') -}}{%- endif -%}
    {%- if not takes_system -%}{{- raise_exception('This model knows no system message.') -}}{%- endif -%}
    {{- system_prefix + message.content + system_suffix -}}
  {%- elif message.role == 'assistant' -%}
    {{- assistant_prefix + message.content + assistant_suffix -}}
  {%- else -%}
    {%- if not (wrapped and loop.index0 == 1) -%}{{- user_prefix -}}{%- endif -%}
    {{- message.content + user_suffix -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- generation_prefix -}}{%- endif -%}
"""
"""The Jinja template that all `Turns` share; their fields are its variables."""

_PLACE = re.compile(r"\{(system_message|prompt)\}")
_CLOSER = re.compile(r"\s*<[^<>\s]+>\s*")
_MARKUP = re.compile(r"<[^<>\s]+>")
_WRAP = "<<SYS>>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """What stands around each part of a conversation."""

    start: str = ""
    takes_system: bool = True
    """Whether there is a place for a system message; without one it goes into the first question."""
    system_prefix: str = ""
    system_suffix: str = ""
    system_in_user: bool = False
    """`system_prefix` opens the first user's turn too, as in Llama 2."""
    user_prefix: str
    user_suffix: str = ""
    assistant_prefix: str = ""
    assistant_suffix: str = ""
    generation_prefix: str
    """Where the model goes on."""

    def variables(self) -> dict[str, object]:
        """The fields, for `SOURCE`."""
        return asdict(self)

    def stop_texts(self) -> tuple[str, ...]:
        """What a model writes that goes on in the user's name; nothing where control tokens end a turn."""
        prefix = self.user_prefix.strip()
        around = self.user_prefix + self.user_suffix
        return (prefix,) if prefix and not _MARKUP.search(around) else ()


PLAIN = Turns(
    system_suffix="\n\n",
    user_prefix="User: ",
    user_suffix="\n",
    assistant_prefix="Assistant: ",
    assistant_suffix="\n",
    generation_prefix="Assistant:",
)
"""For models without a template: a transcript, which base models go on with."""

CHATML = Turns(
    system_prefix="<|im_start|>system\n",
    system_suffix="<|im_end|>\n",
    user_prefix="<|im_start|>user\n",
    user_suffix="<|im_end|>\n",
    assistant_prefix="<|im_start|>assistant\n",
    assistant_suffix="<|im_end|>\n",
    generation_prefix="<|im_start|>assistant\n",
)
"""For models without a template whose vocabulary has ChatML's tokens."""


def parse(template: str, *, bos_token: str = "", eos_token: str = "") -> Turns:
    """The turns of a template with the places ``{system_message}`` (may be missing) and ``{prompt}``.

    Such a template shows one turn. What repeats is read out of it: the text between the two places
    closes the system message and opens the user's; the text behind ``{prompt}`` closes the user's
    and opens the assistant's. Where a closing begins with a token in angle brackets, such as
    ``<|im_end|>``, the same token closes an answer; else the vocabulary's `eos_token` does, or a line break.

    Raises:
        ModelLoadError: ``{prompt}`` is missing, stands twice, or before ``{system_message}``.
    """
    pieces = _PLACE.split(template)
    places = pieces[1::2]
    if places not in (["prompt"], ["system_message", "prompt"]):
        raise ModelLoadError(
            "The prompt_template needs {prompt} once, and {system_message} at most once and before it."
            " Correct it in the model's model.json, or leave it out to use the template in the model file.",
            param="prompt_template",
        )
    start = bos_token if bos_token and template.startswith(bos_token) else ""
    head, tail = pieces[0][len(start) :], pieces[-1]
    closer, opening = _halves(tail)
    closing: dict[str, Any] = {
        "start": start,
        "user_suffix": closer,
        "assistant_prefix": opening,
        "assistant_suffix": closer if closer.strip() else eos_token or "\n",
        "generation_prefix": opening,
    }
    if places == ["prompt"]:
        return Turns(takes_system=False, user_prefix=head, **closing)
    return _with_system(head, pieces[2], closing)


def _with_system(head: str, between: str, closing: dict[str, Any]) -> Turns:
    if _WRAP in head:
        user = head.partition(_WRAP)[0]
        return Turns(
            system_prefix=head, system_suffix=between, system_in_user=True, user_prefix=user, **closing
        )
    closer, opening = _halves(between)
    preamble = "" if _MARKUP.search(head) or head.rstrip().endswith(":") else head
    closing["start"] += preamble  # a text of its own stands there with or without a system message
    return Turns(system_prefix=head[len(preamble) :], system_suffix=closer, user_prefix=opening, **closing)


def _halves(between: str) -> tuple[str, str]:
    """What closes the part before, and what opens the part behind."""
    found = _CLOSER.match(between)
    if found is None or not between[found.end() :].strip():
        return "", between
    return found[0], between[found.end() :]
