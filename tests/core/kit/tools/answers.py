"""What models write, in the form that each format's documentation shows, and what it means."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from jan_host import FinishReason
from jan_host.kit.tools.formats import Format
from jan_host.kit.tools.formats.deepseek import DeepSeekFormat
from jan_host.kit.tools.formats.functionary import PartedFunctionary, TaggedFunctionary
from jan_host.kit.tools.formats.gemma import GemmaFormat, GemmaTokens
from jan_host.kit.tools.formats.generic import GenericFormat
from jan_host.kit.tools.formats.harmony import HarmonyFormat
from jan_host.kit.tools.formats.hermes import HermesFormat
from jan_host.kit.tools.formats.llama3 import Llama3Format
from jan_host.kit.tools.formats.mistral import MistralFormat
from jan_host.kit.tools.reading import Reading
from jan_host.kit.tools.reasoning import Tags

NAMES = ("get_weather", "python", "brave_search")
THINK = Tags("<think>", "</think>")
BAR = "\N{FULLWIDTH VERTICAL LINE}"


@dataclass
class Answer:
    """An answer put together."""

    content: str = ""
    reasoning: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Name and arguments."""
    ids: list[str] = field(default_factory=list)
    reason: FinishReason = "stop"


def read(reading: Reading, pieces: Sequence[bytes], reason: FinishReason = "stop") -> Answer:
    """The answer that a reader makes of what a model wrote."""
    reader = reading.reader()
    answer = Answer()
    for said in [*map(reader.push, pieces), reader.flush()]:
        answer.content += said.text
        answer.reasoning += said.reasoning
        for call in said.tool_calls:
            assert call.function is not None
            if call.id is not None:
                assert call.index == len(answer.calls)
                assert call.type == "function"
                answer.ids.append(call.id)
                answer.calls.append((call.function.name or "", ""))
            assert call.id is not None or call.function.name is None
            name, arguments = answer.calls[call.index]
            answer.calls[call.index] = (name, arguments + (call.function.arguments or ""))
    answer.reason = reader.reason(reason)
    return answer


class Sample(NamedTuple):
    """What a model wrote, and what it means."""

    format: Callable[[], Format]
    written: str
    content: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, Any], ...] = ()

    def reading(self, **options: Any) -> Reading:
        """How to read it."""
        return Reading(**{"format": self.format(), "names": NAMES, "tags": (THINK,), **options})


PARIS = ("get_weather", {"city": "Paris"})
ROME = ("get_weather", {"city": "Rome"})
_PARIS = json.dumps(PARIS[1])
_ROME = json.dumps(ROME[1])
_FUNCTION_GEMMA = ("<start_function_call>", "<end_function_call>", "<escape>", "<start_function_response>")


def _deepseek(*calls: str) -> str:
    joined = "\n".join(f"<{BAR}tool▁call▁begin{BAR}>{call}<{BAR}tool▁call▁end{BAR}>" for call in calls)
    return f"<{BAR}tool▁calls▁begin{BAR}>{joined}<{BAR}tool▁calls▁end{BAR}>"


SAMPLES: dict[str, Sample] = {
    "hermes": Sample(
        HermesFormat,
        f'<tool_call>\n{{"name": "get_weather", "arguments": {_PARIS}}}\n</tool_call>',
        calls=(PARIS,),
    ),
    "hermes, the arguments first": Sample(
        HermesFormat,
        f'<tool_call>{{"arguments": {_PARIS}, "name": "get_weather"}}</tool_call>',
        calls=(PARIS,),
    ),
    "hermes, the arguments as text": Sample(
        HermesFormat,
        f'<tool_call>{{"name": "get_weather", "arguments": {json.dumps(_PARIS)}}}</tool_call>',
        calls=(PARIS,),
    ),
    "qwen 3, two calls behind thoughts and words": Sample(
        HermesFormat,
        "<think>\nTwo cities.\n</think>\n\nLet me look.\n"
        f'<tool_call>\n{{"name": "get_weather", "arguments": {_PARIS}}}\n</tool_call>\n'
        f'<tool_call>\n{{"name": "get_weather", "arguments": {_ROME}}}\n</tool_call>',
        "Let me look.",
        "Two cities.",
        (PARIS, ROME),
    ),
    "hermes, a tag inside the arguments": Sample(
        HermesFormat,
        '<tool_call>{"name": "python", "arguments": {"code": "</tool_call> \\" é 漢"}}</tool_call>',
        calls=(("python", {"code": '</tool_call> " é 漢'}),),
    ),
    "llama 3": Sample(Llama3Format, f'{{"name": "get_weather", "parameters": {_PARIS}}}', calls=(PARIS,)),
    "llama 3, with a type, two of them": Sample(
        Llama3Format,
        f'{{"type": "function", "name": "get_weather", "parameters": {_PARIS}}}; '
        f'{{"name": "get_weather", "parameters": {_ROME}}}',
        calls=(PARIS, ROME),
    ),
    "llama 3, code": Sample(
        Llama3Format, '<|python_tag|>print("hi")\n', calls=(("python", {"code": 'print("hi")\n'}),)
    ),
    "llama 3, JSON behind the tag": Sample(
        Llama3Format, f'<|python_tag|>{{"name": "get_weather", "parameters": {_PARIS}}}', calls=(PARIS,)
    ),
    "llama 3, a tagged function": Sample(
        Llama3Format, f"<function=get_weather>{_PARIS}</function>", calls=(PARIS,)
    ),
    "mistral v3": Sample(
        MistralFormat,
        f'[TOOL_CALLS][{{"name": "get_weather", "arguments": {_PARIS}}}, '
        f'{{"name": "get_weather", "arguments": {_ROME}, "id": "abcdefghi"}}]',
        calls=(PARIS, ROME),
    ),
    "mistral v11": Sample(
        MistralFormat,
        f"Sure.[TOOL_CALLS]get_weather[ARGS]{_PARIS}[TOOL_CALLS]get_weather[CALL_ID]abcdefghi[ARGS]{_ROME}",
        "Sure.",
        calls=(PARIS, ROME),
    ),
    "functionary v3.1": Sample(
        TaggedFunctionary,
        f"<function=get_weather>{_PARIS}</function><function=get_weather>{_ROME}</function>",
        calls=(PARIS, ROME),
    ),
    "functionary v3.2": Sample(
        PartedFunctionary,
        f"all\nLet me look.\n>>>get_weather\n{_PARIS}\n>>>get_weather\n{_ROME}",
        "Let me look.",
        calls=(PARIS, ROME),
    ),
    "functionary v3.2, words alone": Sample(PartedFunctionary, "all\nIt is 2 > 1.", "It is 2 > 1."),
    "functionary v3.2, code": Sample(
        PartedFunctionary, 'python\nprint("hi")', calls=(("python", {"code": 'print("hi")'}),)
    ),
    "gemma, JSON": Sample(GemmaFormat, f'{{"name": "get_weather", "parameters": {_PARIS}}}', calls=(PARIS,)),
    "gemma, JSON in a block": Sample(
        GemmaFormat,
        f'```json\n{{"name": "get_weather", "parameters": {_PARIS}}}\n```',
        calls=(PARIS,),
    ),
    "gemma, a tool_code block": Sample(
        GemmaFormat, '```tool_code\nprint(get_weather(city="Paris"))\n```', calls=(PARIS,)
    ),
    "gemma, Python calls": Sample(
        GemmaFormat, '[get_weather(city="Paris"), get_weather(city="Rome")]', calls=(PARIS, ROME)
    ),
    "function gemma": Sample(
        lambda: GemmaTokens(*_FUNCTION_GEMMA),
        "<start_function_call>call:get_weather{city:<escape>Paris<escape>}<end_function_call>"
        '<start_function_call>call:python{code:<escape>a"{<escape>,n:[1,-2.5e3],o:{on:true,word:bare}}'
        "<end_function_call><start_function_response>response:get_weather{}",
        calls=(PARIS, ("python", {"code": 'a"{', "n": [1, -2500.0], "o": {"on": True, "word": "bare"}})),
    ),
    "gemma 4": Sample(
        lambda: GemmaTokens("<|tool_call>", "<tool_call|>", '<|"|>', "<|tool_response>"),
        '<|tool_call>call:get_weather{city:<|"|>Paris<|"|>}<tool_call|>',
        calls=(PARIS,),
    ),
    "gpt-oss": Sample(
        HarmonyFormat,
        "<|channel|>analysis<|message|>Need the weather.<|end|><|start|>assistant<|channel|>commentary"
        " to=functions.get_weather <|constrain|>json<|message|>" + _PARIS + "<|call|>",
        reasoning="Need the weather.",
        calls=(PARIS,),
    ),
    "gpt-oss, the recipient in the role": Sample(
        HarmonyFormat,
        " to=functions.get_weather<|channel|>commentary json<|message|>" + _PARIS,
        calls=(PARIS,),
    ),
    "gpt-oss, an answer": Sample(
        HarmonyFormat,
        "<|channel|>analysis<|message|>Easy.<|end|><|start|>assistant<|channel|>final<|message|>It is 4.",
        "It is 4.",
        "Easy.",
    ),
    "gpt-oss, a preamble": Sample(
        HarmonyFormat,
        "<|channel|>commentary<|message|>I will look.<|end|><|start|>assistant<|channel|>commentary"
        " to=functions.get_weather<|message|>" + _PARIS,
        "I will look.",
        calls=(PARIS,),
    ),
    "deepseek v3 and r1": Sample(
        DeepSeekFormat,
        "Two of them.\n\n</think>\n\n"
        + _deepseek(
            f"function<{BAR}tool▁sep{BAR}>get_weather\n```json\n{_PARIS}\n```",
            f"function<{BAR}tool▁sep{BAR}>get_weather\n```json\n{_ROME}\n```",
        ),
        reasoning="Two of them.",
        calls=(PARIS, ROME),
    ),
    "deepseek v3.1": Sample(
        DeepSeekFormat, "Hm." + _deepseek(f"get_weather<{BAR}tool▁sep{BAR}>{_PARIS}"), "Hm.", calls=(PARIS,)
    ),
    "generic": Sample(
        GenericFormat,
        f'{{"tool_calls": [{{"name": "get_weather", "arguments": {_PARIS}}},'
        f' {{"name": "get_weather", "arguments": {_ROME}}}]}}',
        calls=(PARIS, ROME),
    ),
    "generic, OpenAI's own shape in a block": Sample(
        GenericFormat,
        "```json\n"
        '{"type": "function", "function": {"name": "get_weather", "arguments": '
        f"{json.dumps(_PARIS)}}}}}\n```",
        calls=(PARIS,),
    ),
    "generic, without arguments": Sample(GenericFormat, '{"name": "python"}', calls=(("python", {}),)),
}
"""Every form that is read as calls, by its family. DeepSeek R1's prompt has opened the thoughts."""

NO_CALLS: dict[str, Sample] = {
    name: Sample(make, text, text)
    for name, make, text in (
        ("words", GenericFormat, " It is *sunny*. \n"),
        ("an unknown tool", HermesFormat, '<tool_call>{"name": "rm", "arguments": {}}</tool_call> done'),
        ("half a call", HermesFormat, '<tool_call>\n{"name": "get_wea'),
        ("a tag alone", HermesFormat, "Write <tool_call> before a call, and </tool_call> behind it."),
        ("half a tag", HermesFormat, "a <tool_ca"),
        ("JSON that is no call", Llama3Format, '{"temperature": 3}'),
        ("an array of numbers", MistralFormat, "[TOOL_CALLS][1, 2]"),
        ("a name and no more", MistralFormat, "[TOOL_CALLS]get_weather"),
        ("a tool nobody has", TaggedFunctionary, "<function=rm>{}</function>"),
        ("no part", PartedFunctionary, "rm\n{}"),
        ("other code", GemmaFormat, "```python\nimport os\nos.remove('x')\n```"),
        ("a list", GemmaFormat, "[a, b]"),
        ("code that computes", GemmaFormat, "[get_weather(city=open('x'))]"),
        ("a call of nothing", lambda: GemmaTokens(*_FUNCTION_GEMMA), "<start_function_call>call:rm{}"),
        ("words without a channel", HarmonyFormat, "It is to=you."),
        ("tokens and no call", DeepSeekFormat, f"<{BAR}tool▁calls▁begin{BAR}>none"),
        ("other JSON", GenericFormat, '{"tool_calls": [{"name": "rm", "arguments": {}}]}'),
        ("numbers", GenericFormat, "[1, 2, 3]"),
        ("an empty object", GenericFormat, "{}"),
        ("deep envelopes", GenericFormat, '{"tool_calls": ' * 500),
        ("deep functions", GenericFormat, '{"function": ' * 500),
        ("deep lists", GenericFormat, "[" * 5000),
    )
}
"""What is content, to the last character."""
