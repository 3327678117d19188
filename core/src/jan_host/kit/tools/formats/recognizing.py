"""Which format a model was taught: its chat template tells by the tokens that it writes."""

from collections.abc import Callable
from typing import Final

from jan_host.kit.tools.formats.base import Format
from jan_host.kit.tools.formats.deepseek import ALL_BEGIN, DeepSeekFormat
from jan_host.kit.tools.formats.functionary import PartedFunctionary, TaggedFunctionary
from jan_host.kit.tools.formats.gemma import GemmaFormat, GemmaTokens
from jan_host.kit.tools.formats.generic import GenericFormat
from jan_host.kit.tools.formats.harmony import HarmonyFormat
from jan_host.kit.tools.formats.hermes import HermesFormat
from jan_host.kit.tools.formats.llama3 import Llama3Format
from jan_host.kit.tools.formats.mistral import MistralFormat

_Make = Callable[[], Format]

_OTHER_TAGS: Final = ("<function=", "<arg_key>", "<parameter=", "<tool_sep>")
"""Families that write ``<tool_call>`` and no JSON behind it."""
_FUNCTION_GEMMA: Final = (
    *("<start_function_call>", "<end_function_call>", "<escape>", "<start_function_response>"),
)
_GEMMA_4: Final = ("<|tool_call>", "<tool_call|>", '<|"|>', "<|tool_response>")
_SIGNS: Final[tuple[tuple[tuple[str, ...], tuple[str, ...], _Make], ...]] = (
    (("<|channel|>", "<|message|>"), (), HarmonyFormat),
    ((">>>all",), (), PartedFunctionary),
    (("<|start_header_id|>", "<function="), ("<tool_call>",), TaggedFunctionary),
    (("<start_function_call>",), (), lambda: GemmaTokens(*_FUNCTION_GEMMA)),
    (("<|tool_call>", "<tool_call|>"), (), lambda: GemmaTokens(*_GEMMA_4)),
    ((ALL_BEGIN, "```json"), (), lambda: DeepSeekFormat(fenced=True)),
    ((ALL_BEGIN,), (), DeepSeekFormat),
    (("<tool_call>",), _OTHER_TAGS, HermesFormat),
    (("[TOOL_CALLS]", "[ARGS]"), (), lambda: MistralFormat(names_first=True)),
    (("[TOOL_CALLS]",), (), MistralFormat),
    (("<|python_tag|>",), (), Llama3Format),
    (("<|start_header_id|>ipython", '"parameters"'), (), Llama3Format),
    (("<start_of_turn>",), (), GemmaFormat),
)
"""What must be in a template, what must not, and the format; the first that fits is taken."""


def recognize(template: str) -> Format:
    """The format of the model whose chat template has this text; a generic one where none is known."""
    for there, absent, make in _SIGNS:
        if all(sign in template for sign in there) and not any(sign in template for sign in absent):
            return make()
    return GenericFormat()
