"""What models write beside their format's documentation, and what it means all the same."""

import json

from jan_host.kit.tools.formats.deepseek import DeepSeekFormat
from jan_host.kit.tools.formats.functionary import PartedFunctionary
from jan_host.kit.tools.formats.gemma import GemmaFormat
from jan_host.kit.tools.formats.generic import GenericFormat
from jan_host.kit.tools.formats.harmony import HarmonyFormat
from jan_host.kit.tools.formats.hermes import HermesFormat
from jan_host.kit.tools.formats.llama3 import Llama3Format

from tests.core.kit.tools.answers import BAR, PARIS, ROME, Sample

_CALL = json.dumps({"name": "get_weather", "arguments": PARIS[1]})
_OTHER = json.dumps({"name": "get_weather", "arguments": ROME[1]})
_OPEN, _CLOSE = "<tool_call>\n", "\n</tool_call>"


def _code(written: str, meant: object) -> Sample:
    text = f'{_OPEN}{{"name": "python", "arguments": {{"code": {written}}}}}{_CLOSE}'
    return Sample(HermesFormat, text, calls=(("python", {"code": meant}),))


DRIFTED: dict[str, Sample] = {
    "a bracket too much": Sample(HermesFormat, f"{_OPEN}{_CALL}}}{_CLOSE}", calls=(PARIS,)),
    "a bracket too few": Sample(HermesFormat, f"{_OPEN}{_CALL[:-1]}{_CLOSE}", calls=(PARIS,)),
    "two calls between one pair of tags": Sample(
        HermesFormat, f"{_OPEN}{_CALL}\n{_OTHER}{_CLOSE}", calls=(PARIS, ROME)
    ),
    "a list between tags": Sample(HermesFormat, f"{_OPEN}[{_CALL}, {_OTHER}]{_CLOSE}", calls=(PARIS, ROME)),
    "a block between tags": Sample(
        HermesFormat, f"Well.{_OPEN}```json\n{_CALL}\n```{_CLOSE}", "Well.", calls=(PARIS,)
    ),
    "tags that don't close": Sample(HermesFormat, f"{_OPEN}{_CALL}\n{_OPEN}{_OTHER}", calls=(PARIS, ROME)),
    "no arguments but empty text": Sample(
        HermesFormat, f'{_OPEN}{{"name": "python", "arguments": ""}}{_CLOSE}', calls=(("python", {}),)
    ),
    "line breaks inside a string": _code('"a\n\tb\r\n"', "a\n\tb\r\n"),
    "backslashes that escape nothing": _code('"\\d+\\."', "\\d+\\."),
    "an apostrophe escaped": _code('"it\\\'s"', "it's"),
    "a backslash before a line break": _code('"a\\\nb"', "a\\\nb"),
    "Python's words": _code('[True, False, None, {"a": None}]', [True, False, None, {"a": None}]),
    "commas before brackets": _code('[1, [2 , ], {"a": {}, } ,]', [1, [2], {"a": {}}]),
    "quotes in quotes": _code('"say(\\"\\\\\\"é\\\\\\" 漢 😀\\")"', 'say("\\"é\\" 漢 😀")'),
    "llama, a call on each line": Sample(
        Llama3Format, f"{_CALL}\n{_OTHER}\nThat is all.", "That is all.", calls=(PARIS, ROME)
    ),
    "llama, a list": Sample(Llama3Format, f"[{_CALL}, {_OTHER}]", calls=(PARIS, ROME)),
    "llama, its own tool beside an interpreter": Sample(
        Llama3Format,
        '<|python_tag|>brave_search.call(query="a \\"b\\" c")',
        calls=(("brave_search", {"query": 'a "b" c'}),),
    ),
    "llama, code that begins with a name": Sample(
        Llama3Format,
        "<|python_tag|>brave_search.calls += 1",
        calls=(("python", {"code": "brave_search.calls += 1"}),),
    ),
    "functionary, words with its sign": Sample(
        PartedFunctionary, "all\nPython says >>> and ... there.", "Python says >>> and ... there."
    ),
    "functionary, code with its sign": Sample(
        PartedFunctionary,
        f"python\nprint('>>> é')\n>>>get_weather\n{json.dumps(PARIS[1])}>>>all\nDone.",
        "Done.",
        calls=(("python", {"code": "print('>>> é')\n"}), PARIS),
    ),
    "gemma, words before a tool_code block": Sample(
        GemmaFormat,
        'Let me look.\n```tool_code\nget_weather(city="Paris")\n```',
        "Let me look.",
        calls=(PARIS,),
    ),
    "generic, words before a block, and a block of something else": Sample(
        GenericFormat,
        f'As ```json\n{{"a": 1}}\n``` says:\n```json\n{_CALL}\n```',
        'As ```json\n{"a": 1}\n``` says:',
        calls=(PARIS,),
    ),
    "gpt-oss, no arguments": Sample(
        HarmonyFormat,
        "<|channel|>commentary to=functions.python <|constrain|>json<|message|><|call|>",
        calls=(("python", {}),),
    ),
    "deepseek, a line break behind the block": Sample(
        DeepSeekFormat,
        f"<{BAR}tool▁calls▁begin{BAR}><{BAR}tool▁call▁begin{BAR}>function<{BAR}tool▁sep{BAR}>get_weather\n"
        f"```json\n{json.dumps(PARIS[1])}\n```\n<{BAR}tool▁call▁end{BAR}><{BAR}tool▁calls▁end{BAR}>",
        calls=(PARIS,),
    ),
}
"""Each was seen in models' answers or in reports about them."""

NOT_CALLED: dict[str, Sample] = {
    name: Sample(make, text, text)
    for name, make, text in (
        (
            "half a surrogate pair",
            HermesFormat,
            f'{_OPEN}{{"name": "python", "arguments": "\\ud800"}}{_CLOSE}',
        ),
        ("a set", GemmaFormat, "[get_weather(city={1, 2})]"),
        ("bytes", GemmaFormat, "[get_weather(city=b'x')]"),
        ("half a surrogate pair in Python", GemmaFormat, "[get_weather(city='\\ud800')]"),
        ("an endless number", GemmaFormat, "[get_weather(city=1e999)]"),
        ("code and no interpreter", GemmaFormat, "Look:\n```tool_code\nimport os\n```\n"),
    )
}
"""Content: JSON has nothing for it."""
