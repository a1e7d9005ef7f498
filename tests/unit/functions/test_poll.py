"""poll_oneoff: streams answer at once, clocks pass time, and the order is that of the subscriptions."""

import struct

from inos.functions.poll import poll
from inos.functions.preview1 import EBADF, EINVAL

NOW = 10**18


def subscribe(userdata: int, kind: int, which: int, timeout: int = 0, flags: int = 0) -> bytes:
    return struct.pack("<QB7xI4xQQH6x", userdata, kind, which, timeout, 0, flags)


def read(event: bytes) -> tuple[int, int, int, int, int]:
    found = struct.unpack("<QHB5xQH6x", event)
    assert len(event) == 32
    return found[0], found[1], found[2], found[3], found[4]


def test_the_earliest_clock_is_waited_for() -> None:
    asked = subscribe(1, 0, 1, 900) + subscribe(2, 0, 0, 500) + subscribe(3, 0, 1, NOW + 500, flags=1)
    now, events = poll(asked, NOW, 0)
    assert now == NOW + 500
    assert [read(event) for event in events] == [(2, 0, 0, 0, 0), (3, 0, 0, 0, 0)]


def test_a_time_that_has_passed_leaves_the_clock() -> None:
    now, events = poll(subscribe(1, 0, 1, 5, flags=1), NOW, 0)
    assert (now, len(events)) == (NOW, 1)


def test_streams_are_ready_and_no_time_passes() -> None:
    asked = b"".join(
        (subscribe(1, 0, 1, 900), subscribe(2, 1, 0), subscribe(3, 2, 1), subscribe(4, 2, 2), subscribe(5, 0, 1, 0))
    )
    now, events = poll(asked, NOW, 12)
    assert now == NOW
    assert [read(event) for event in events] == [
        (2, 0, 1, 12, 0),
        (3, 0, 2, 65536, 0),
        (4, 0, 2, 65536, 0),
        (5, 0, 0, 0, 0),
    ]
    _, events = poll(subscribe(2, 1, 0), NOW, 0)
    assert read(events[0]) == (2, 0, 1, 0, 1)


def test_wrong_subscriptions_answer_an_error() -> None:
    asked = subscribe(1, 0, 4) + subscribe(2, 1, 7) + subscribe(3, 2, 0) + subscribe(4, 9, 0)
    now, events = poll(asked, NOW, 0)
    assert now == NOW
    assert [read(event)[1] for event in events] == [EINVAL, EBADF, EBADF, EINVAL]


def test_the_end_of_time_is_not_exceeded() -> None:
    now, _ = poll(subscribe(1, 0, 1, 2**64 - 1), NOW, 0)
    assert now == 2**64 - 1
