"""However an upstream's stream is cut, merged and written: it yields the same deltas."""

import itertools
import json
from collections.abc import Iterable
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from jan_host import Delta
from jan_host_openai.answers import decode_answer
from jan_host_openai.deltas import Deltas
from jan_host_openai.sse import EventReader

TEXTS = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("\r\n\u2028\u0085\x00😀é:"), max_size=8
)
LOGPROB = st.builds(
    lambda text: {"token": text, "logprob": -0.5, "bytes": None, "id": 7, "top_logprobs": []}, TEXTS
)
CALL = st.builds(
    lambda index, name, text: {"index": index, "id": name, "function": {"name": name, "arguments": text}},
    st.integers(0, 2),
    st.none() | st.sampled_from(["a", "b"]),
    TEXTS,
)
PIECE = st.fixed_dictionaries(
    {},
    optional={
        "role": st.just("assistant"),
        "content": st.none() | TEXTS,
        "reasoning": TEXTS,
        "refusal": st.none() | TEXTS,
        "tool_calls": st.lists(CALL, max_size=2),
        "own": TEXTS,
    },
)
LOGPROBS = st.builds(lambda each: {"content": each}, st.lists(LOGPROB, max_size=2))
CHOICE = st.fixed_dictionaries(
    {"index": st.integers(0, 1), "delta": PIECE},
    optional={
        "logprobs": st.none() | st.builds(lambda each: {"content": each}, st.lists(LOGPROB, max_size=2))
    },
)
CHUNK = st.fixed_dictionaries(
    {"choices": st.lists(CHOICE, max_size=2)},
    optional={"usage": st.none() | st.just({"prompt_tokens": 1}), "own": TEXTS},
)
END: list[dict[str, Any]] = [
    {"choices": [{"index": index, "delta": {}, "finish_reason": "stop"}]} for index in (0, 1)
]
NOISE = [b"", b": a comment", b":", b"id: 7", b"event: message", b"retry: 10", b"data", b"x: data: 1"]
"""Lines that say nothing; an empty one alone ends no event."""


@st.composite
def streams(draw: st.DrawFn, chunks: list[dict[str, Any]]) -> bytes:
    """A stream of events, in any of the ways that it may be written."""
    end = draw(st.sampled_from([b"\n", b"\r\n"]))
    parts = [draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))]
    for chunk in chunks:
        # Where nothing is escaped, JSON's own spaces are good places for the lines of one event.
        text = json.dumps(chunk, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1])))
        name = draw(st.sampled_from([b"data:", b"data: "]))
        lines = [name + line.encode() for line in text.split("\n")]
        noise = draw(st.lists(st.sampled_from(NOISE[1:]), max_size=2))
        parts += [line + end for line in (*noise, *lines, b"")]
        parts += [line + end for line in draw(st.lists(st.sampled_from(NOISE[:2]), max_size=1))]
    return b"".join(parts)


def deltas_of(pieces: Iterable[bytes]) -> list[Delta]:
    reader, deltas = EventReader(), Deltas()
    events = [event for piece in pieces for event in reader.feed(piece)] + reader.end()
    found = [delta for event in events for delta in deltas.add(decode_answer(event))]
    return found + deltas.end()


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_cuts_and_forms_change_nothing(data: st.DataObject) -> None:
    chunks: list[dict[str, Any]] = [*data.draw(st.lists(CHUNK, max_size=5)), *END]
    expected = deltas_of(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
    stream = data.draw(streams(chunks))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=20)))
    pieces = [stream[begin:end] for begin, end in itertools.pairwise([0, *cuts, len(stream)])]
    assert deltas_of(pieces) == expected
    assert deltas_of([stream]) == expected
    assert deltas_of(stream[place : place + 1] for place in range(len(stream))) == expected


def test_what_is_written_here_is_what_the_deltas_say() -> None:
    """The comparison above is none of nothing with nothing."""
    chunk = {"choices": [{"index": 1, "delta": {"content": "é\n😀"}, "logprobs": {"content": [{
        "token": "t", "logprob": -1.0, "id": 5, "top_logprobs": [{"token": "u", "logprob": -2.0, "id": 6}],
    }]}}], "usage": {"prompt_tokens": 4}}  # fmt: skip
    first, *ends = deltas_of([b"data: " + json.dumps(event).encode() + b"\n\n" for event in (chunk, *END)])
    assert (first.index, first.text, first.usage and first.usage.prompt_tokens) == (1, "é\n😀", 4)
    assert first.logprobs[0].extra == {"id": 5}
    assert first.logprobs[0].top_logprobs[0].extra == {"id": 6}
    assert [msgspec.structs.asdict(end)["finish_reason"] for end in ends] == ["stop", "stop"]
