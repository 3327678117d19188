"""Events reach every follower, late ones too; whoever is too late is told."""

from jan_host import EventsMissed, LibraryEvent
from jan_host.host.bus import BACKLOG, EventBus


def event(number: int) -> LibraryEvent:
    return LibraryEvent(models=[str(number)])


async def test_a_follower_sees_what_is_published_after_the_call() -> None:
    bus = EventBus()
    bus.publish(event(0))
    happening = bus.subscribe()
    bus.publish(event(1))
    assert await anext(happening) == event(1)


async def test_a_slow_follower_is_told_that_it_missed_events_and_goes_on() -> None:
    bus = EventBus()
    happening = bus.subscribe()
    for number in range(BACKLOG + 5):
        bus.publish(event(number))
    assert await anext(happening) == EventsMissed()
    assert await anext(happening) == event(5)


async def test_ids_lead_back_to_the_place() -> None:
    bus = EventBus()
    start = bus.last_id
    for number in range(3):
        bus.publish(event(number))
    followed = bus.follow(start)
    first_id, first = await anext(followed)
    assert first == event(0)
    assert await anext(bus.follow(first_id)) == await anext(followed)


async def test_an_id_of_another_run_is_no_place_in_this_one() -> None:
    other, bus = EventBus(), EventBus()
    for number in range(3):
        other.publish(event(number))
        bus.publish(event(number))
    followed = bus.follow(other.last_id)
    assert (await anext(followed))[1] == EventsMissed()
    assert (await anext(followed))[1] == event(0)
