"""What models write is told apart: content, reasoning, calls; however it arrives."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jan_host.kit.tools.formats.functionary import PartedFunctionary
from jan_host.kit.tools.formats.generic import GenericFormat
from jan_host.kit.tools.formats.harmony import HarmonyFormat
from jan_host.kit.tools.formats.hermes import HermesFormat
from jan_host.kit.tools.formats.mistral import MistralFormat
from jan_host.kit.tools.reading import Reading

from tests.core.kit.tools.answers import NAMES, NO_CALLS, PARIS, SAMPLES, THINK, Answer, Sample, read
from tests.core.kit.tools.drifted import DRIFTED, NOT_CALLED

CALLING = {**SAMPLES, **DRIFTED}
SILENT = {**NO_CALLS, **NOT_CALLED}
ALL = {**CALLING, **SILENT}
CALL = json.dumps({"name": "get_weather", "arguments": PARIS[1]})


def _reading(name: str, **options: object) -> Reading:
    inside = THINK if name == "deepseek v3 and r1" else None
    return ALL[name].reading(inside=inside, **options)


def _same(one: Answer, other: Answer) -> None:
    """Ids are drawn anew each time."""
    assert (one.content, one.reasoning, one.calls, one.reason) == (
        other.content,
        other.reasoning,
        other.calls,
        other.reason,
    )


@pytest.mark.parametrize("name", CALLING)
def test_each_format_is_read_as_its_documentation_says_and_as_models_write_it(name: str) -> None:
    sample = CALLING[name]
    answer = read(_reading(name), [sample.written.encode()])

    assert answer.content == sample.content
    assert answer.reasoning == sample.reasoning
    assert [(call, json.loads(arguments)) for call, arguments in answer.calls] == list(sample.calls)
    assert len(set(answer.ids)) == len(answer.calls)
    assert answer.reason == ("tool_calls" if sample.calls else "stop")


@pytest.mark.parametrize("name", SILENT)
def test_what_is_no_call_is_content_to_the_last_character(name: str) -> None:
    sample = SILENT[name]
    answer = read(_reading(name), [sample.written.encode()])

    assert answer.content == sample.written
    assert not answer.calls
    assert answer.reason == "stop"


@pytest.mark.parametrize("name", ALL)
def test_it_does_not_matter_where_the_text_is_split(name: str) -> None:
    data = ALL[name].written.encode()
    whole = read(_reading(name), [data])

    _same(read(_reading(name), [bytes([byte]) for byte in data]), whole)
    for place in range(0, len(data), 1 if len(data) < 400 else 97):
        _same(read(_reading(name), [data[:place], data[place:]]), whole)


@pytest.mark.parametrize("name", CALLING)
def test_an_answer_that_is_cut_is_what_there_is(name: str) -> None:
    data = CALLING[name].written.encode()
    for size in range(0, len(data), 3):
        cut = data[:size]
        whole = read(_reading(name), [cut], reason="length")
        _same(read(_reading(name), [bytes([byte]) for byte in cut], reason="length"), whole)
        assert whole.reason == "length"


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_any_mixture_of_any_pieces_is_read_the_same_in_any_pieces(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(ALL)))
    bits = [sample.written for sample in ALL.values() if sample.format is ALL[name].format]
    cuts = st.tuples(st.sampled_from(bits), st.integers(0, 60), st.integers(0, 200))
    chosen = data.draw(st.lists(cuts, max_size=5))
    written = "".join(bit[start : start + size] for bit, start, size in chosen).encode()
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=5))
    pieces, at, turn = [], 0, 0
    while at < len(written):
        size = sizes[turn % len(sizes)]
        pieces.append(written[at : at + size])
        at, turn = at + size, turn + 1

    for options in ({}, {"stops": ["ris", "</"], "most": 1}):
        _same(read(_reading(name, **options), pieces), read(_reading(name, **options), [written]))


def test_arguments_are_told_as_they_come() -> None:
    reader = _reading("hermes").reader()
    told = [reader.push(bytes([byte])) for byte in SAMPLES["hermes"].written.encode()]
    arguments = [call.function.arguments for said in told for call in said.tool_calls if call.function]

    assert "".join(text or "" for text in arguments) == '{"city": "Paris"}'
    assert len(arguments) > len("Paris")


def test_reasoning_is_told_as_it_comes_and_known_while_it_lasts() -> None:
    reader = _reading("hermes").reader()

    assert reader.push(b"<think>\nOne").reasoning == "One"
    assert reader.is_reasoning
    assert reader.push(b" two").reasoning == " two"
    assert reader.push(b"\n</think>\n\nThree").text == "Three"
    assert not reader.is_reasoning


def test_reasoning_without_an_end_is_all_there_is() -> None:
    answer = read(_reading("hermes"), [b"<think>for ever"])

    assert (answer.content, answer.reasoning) == ("", "for ever")


def test_reasoning_that_is_not_wanted_stays_in_the_text() -> None:
    text = b"<think>\nOne\n</think>\n\nTwo"

    assert read(_reading("hermes", tags=()), [text]).content == text.decode()
    harmony = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Two"
    answer = read(Reading(format=HarmonyFormat(reasons=False)), [harmony.encode()])
    assert answer.content == "<|channel|>analysis<|message|>Hm.<|end|>Two"
    assert answer.reasoning == ""


def test_without_tools_calls_are_content() -> None:
    written = f"<tool_call>{CALL}</tool_call>"

    assert read(Reading(format=HermesFormat()), [written.encode()]).content == written


def test_a_stop_string_inside_a_call_or_reasoning_does_not_stop() -> None:
    sample = SAMPLES["qwen 3, two calls behind thoughts and words"]
    answer = read(_reading("hermes", stops=["Two", "Paris", "name", "</"]), [sample.written.encode()])

    assert [json.loads(arguments) for _, arguments in answer.calls] == [{"city": "Paris"}, {"city": "Rome"}]
    assert answer.reason == "tool_calls"


def test_a_stop_string_in_the_content_stops() -> None:
    reading = _reading("hermes", stops=["look"])
    reader = reading.reader()
    said = reader.push(SAMPLES["qwen 3, two calls behind thoughts and words"].written.encode())

    assert said.text == "Let me "
    assert not said.tool_calls
    assert reader.stopped


def test_a_stop_string_does_not_reach_over_a_call() -> None:
    written = f"a EN<tool_call>{CALL}</tool_call>D b"
    answer = read(_reading("hermes", stops=["END"]), [written.encode()])

    assert answer.content == "a END b"
    assert len(answer.calls) == 1


@pytest.mark.parametrize("name", [name for name, sample in CALLING.items() if len(sample.calls) == 2])
def test_one_call_is_the_most_where_no_more_are_wanted(name: str) -> None:
    reader = _reading(name, most=1).reader()
    reader.push(CALLING[name].written.encode())
    reader.flush()

    assert reader.stopped
    answer = read(_reading(name, most=1), [CALLING[name].written.encode()])
    assert len(answer.calls) == 1
    assert answer.reason == "tool_calls"


def test_text_behind_a_call_is_content() -> None:
    written = f"<tool_call>{CALL}</tool_call>\nThat was it."

    assert read(_reading("hermes"), [written.encode()]).content == "That was it."


def test_arguments_that_break_are_told_as_far_as_they_went() -> None:
    answer = read(_reading("hermes"), [b'<tool_call>{"name": "python", "arguments": {"a": 1</tool_call> end'])

    assert answer.calls == [("python", '{"a": 1')]
    assert answer.content == "end"
    assert answer.reason == "tool_calls"


def test_ids_of_mistral_have_nine_letters_and_digits() -> None:
    answer = read(_reading("mistral v11"), [SAMPLES["mistral v11"].written.encode()])

    assert all(len(each) == 9 and each.isalnum() for each in answer.ids)
    assert answer.ids[1] == "abcdefghi"
    known = MistralFormat().known_id
    assert known("abcdefghi") == "abcdefghi"
    assert len(known("call_123")) == 9
    assert known("call_123") == known("call_123") != known("call_124")


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    assert read(Reading(format=GenericFormat(), names=NAMES), [b"a\xff", b"\xc3"]).content == "a\ufffd\ufffd"


def test_no_number_of_parts_is_too_many() -> None:
    written = ">>>".join(["python\nx"] * 3000)

    assert len(read(Reading(format=PartedFunctionary(), names=NAMES), [written.encode()]).calls) == 3000


@pytest.mark.parametrize("sample", [SAMPLES["hermes"], SAMPLES["generic"]])
def test_long_answers_take_time_in_proportion(sample: Sample) -> None:
    text = "x " * 200_000 + sample.written

    assert read(sample.reading(), [text.encode()]).content.startswith("x x")
