"""Bytes become text: whole characters, no trace of a stop string, whatever the pieces."""

import itertools
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jan_host.kit import TextStream

ALPHABET = st.text("ab\u00e9\u20ac\U0001f600\ufffd", max_size=30)
UNHURRIED = settings(deadline=None)  # the machine may be busy
DATA = st.lists(
    st.one_of(
        ALPHABET.map(str.encode), st.binary(max_size=4), st.sampled_from([b"\xe2\x82", b"\xf0\x9f", b"\xff"])
    )
).map(b"".join)
STOPS = st.lists(st.text("ab\u00e9\ufffd", max_size=4), max_size=4)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]


def expected(text: str, stops: list[str]) -> tuple[str, str | None]:
    """The definition, word for word: the earliest end, then the longest."""
    for end in range(1, len(text) + 1):
        there = [stop for stop in stops if stop and text[:end].endswith(stop)]
        if there:
            stop = max(there, key=len)
            return text[: end - len(stop)], stop
    return text, None


@UNHURRIED
@given(DATA, STOPS, st.lists(st.integers(0, 10_000), max_size=12))
def test_any_split_gives_the_text_before_the_stop(data: bytes, stops: list[str], cuts: list[int]) -> None:
    stream = TextStream(stops)
    shown = "".join([stream.push(piece) for piece in pieces(data, cuts)]) + stream.flush()
    assert (shown, stream.stopped) == expected(data.decode("utf-8", "replace"), stops)


@UNHURRIED
@given(DATA, STOPS)
def test_what_was_shown_is_never_taken_back(data: bytes, stops: list[str]) -> None:
    stream = TextStream(stops)
    final = expected(data.decode("utf-8", "replace"), stops)[0]
    shown = ""
    for byte in data:
        shown += stream.push(bytes([byte]))
        assert final.startswith(shown)


@UNHURRIED
@given(ALPHABET, STOPS)
def test_no_more_is_held_back_than_may_begin_a_stop(text: str, stops: list[str]) -> None:
    stream = TextStream(stops)
    shown = stream.push(text.encode())
    if stream.stopped is None:
        held = text[len(shown) :]
        assert not held or any(stop.startswith(held) for stop in stops)


def test_incomplete_characters_wait() -> None:
    stream = TextStream()
    assert [stream.push(bytes([byte])) for byte in "€".encode()] == ["", "", "€"]


def test_an_incomplete_character_at_the_end_is_a_replacement_character() -> None:
    stream = TextStream()
    assert stream.push(b"a\xe2\x82") + stream.flush() == "a\ufffd"


def test_a_stop_across_tokens_leaves_no_trace() -> None:
    stream = TextStream(["\nUSER:"])
    assert [stream.push(piece) for piece in (b"Paris.", b"\nUS", b"ER", b": next")] == ["Paris.", "", "", ""]
    assert stream.stopped == "\nUSER:"
    assert stream.push(b"more") == ""
    assert stream.flush() == ""


def test_what_only_looked_like_a_stop_comes_out() -> None:
    stream = TextStream(["</s>"])
    assert stream.push(b"a </") == "a "
    assert stream.push(b"b>") == "</b>"


def test_flush_gives_what_was_held_back() -> None:
    stream = TextStream(["stop"])
    assert stream.push(b"non-st") == "non-"
    assert stream.flush() == "st"
    assert stream.stopped is None


def test_the_stop_that_ends_first_wins_and_then_the_longest() -> None:
    first = TextStream(["abcd", "bc"])
    assert first.push(b"xabcd") == "xa"
    assert first.stopped == "bc"
    longest = TextStream(["c", "bc"])
    assert longest.push(b"abc") == "a"
    assert longest.stopped == "bc"


def test_all_choices_of_a_request_share_what_is_known_of_its_stops() -> None:
    stops = [f"{number}{'ab' * 500}" for number in range(16)]
    TextStream(stops)
    tracemalloc.start()
    try:
        streams = [TextStream(list(stops)) for _ in range(64)]
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1_000_000  # 4 MB each, were it not so
    assert streams[0].push(b"a" + stops[3].encode()) == "a"
    assert (streams[0].stopped, streams[1].stopped) == (stops[3], None)


def test_empty_stops_are_ignored() -> None:
    stream = TextStream([""])
    assert stream.push(b"all") == "all"


@pytest.mark.parametrize("stop", ["a" * 2000 + "b", "ab" * 1000 + "c", "a" * 2000 + "ba" * 500])
def test_hard_stops_cost_linear_time(stop: str) -> None:
    # Quadratic work would be 400 million steps here; the timeout of the test run would end it.
    stream = TextStream([stop, *(stop[:-size] + "x" for size in range(1, 12))])
    shown = "".join([stream.push(b"a" * 20) for _ in range(10_000)]) + stream.flush()
    assert shown == "a" * 200_000


@UNHURRIED
@given(DATA, STOPS, st.lists(st.integers(0, 10_000), max_size=12))
def test_a_stop_that_is_shown_ends_the_text_behind_it(data: bytes, stops: list[str], cuts: list[int]) -> None:
    stream = TextStream(stops, shown=stops)
    shown = "".join([stream.push(piece) for piece in pieces(data, cuts)]) + stream.flush()
    before, stop = expected(data.decode("utf-8", "replace"), stops)
    assert (shown, stream.stopped) == (before + (stop or ""), stop)


def test_only_those_stops_are_shown_that_shall_be() -> None:
    assert TextStream(["b", "c"], shown=["c"]).push(b"abc") == "a"
    assert TextStream(["x", "c"], shown=["c"]).push(b"abc") == "abc"
