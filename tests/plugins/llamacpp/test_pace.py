"""How much of prompts a step may have while others stream."""

from jan_host_llamacpp.planning import Pace

CAPACITY = 512


def pace_of(seconds_per_token: float) -> Pace:
    pace = Pace()
    pace.learn(seconds_per_token * 100, 100)
    return pace


def test_a_quick_model_reads_what_a_short_stall_allows() -> None:
    assert pace_of(0.001).budget(CAPACITY, 4, 1, deep=False) == 200
    assert pace_of(0.001).budget(CAPACITY, 4, 1, deep=True) == 200


def test_behind_a_long_past_it_reads_in_blocks() -> None:
    assert pace_of(0.01).budget(CAPACITY, 4, 1, deep=False) == 32
    assert pace_of(0.01).budget(CAPACITY, 4, 1, deep=True) == 65


def test_a_slow_model_is_no_worse_a_neighbour_for_it() -> None:
    assert pace_of(0.1).budget(CAPACITY, 4, 1, deep=True) == 32


def test_the_more_wait_for_each_stream_the_longer_a_step_may_be() -> None:
    assert pace_of(0.005).budget(CAPACITY, 2, 4, deep=False) == 80
    assert pace_of(0.005).budget(CAPACITY, 0, 4, deep=False) == 200
