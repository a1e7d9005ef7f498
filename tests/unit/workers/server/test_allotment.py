"""Which pieces a worker gets: those it returns before the product would be done without it."""

from types import SimpleNamespace
from typing import Any

import pytest

from inos.primitives.units import Hash, MatrixId
from inos.workers.limits import STRANGER_PART
from inos.workers.server.allotment import Allotment, Line

ROOM = 1 << 30
MB = 10**6


class Source:
    """Satisfies inos.workers.ports.PieceSource as far as an allotment looks: a product of 4096 x 4096 x `depth`."""

    def __init__(self, own_speed: float, left: int = 256, depth: int = 16_384) -> None:
        self.x, self.w = (
            SimpleNamespace(ref=SimpleNamespace(id=MatrixId(Hash(bytes([at] * 32))), rows=4096, cols=depth), strips=256)
            for at in (1, 2)
        )
        self.own_speed = own_speed
        self.tickets_per_strip = 256 * depth // 1024
        self.tickets_left = left * self.tickets_per_strip
        self.taken: tuple[int, float] | None = None

    def take(
        self, taker: int, tickets: int, speed: float, total: float, transfer_s: float, most: int | None
    ) -> tuple[int, int]:
        strips = tickets // self.tickets_per_strip
        self.taken = strips, tickets / speed + transfer_s
        return 0, strips


def make_shared(**changes: float) -> Any:
    values = {"rows_room": ROOM, "total_speed": 50_000.0, "fleet_speed": 0.0, "local_speed": 0.0}
    return SimpleNamespace(**values | changes)


def take(source: Source, line: Line, shared: Any, *, speed: float = 50_000, proven: int | None = 10**7) -> float | None:
    """Return the seconds that the worker has for its piece, or None if it gets none."""
    found = Allotment(speed, line, ROOM, proven).take(source, 1, shared)  # type: ignore[arg-type]
    return None if found is None else found[2]


def test_a_page_gets_a_piece_that_its_line_takes_little_of() -> None:
    assert take(Source(200_000), Line(1000 * MB, 1000 * MB), make_shared()) == pytest.approx(2, abs=0.6)


@pytest.mark.parametrize(("down", "up"), [(0, 0), (1000 * MB, 0), (0, 1000 * MB), (12 * MB, 2 * MB)])
def test_a_page_on_an_unknown_line_or_on_that_of_a_home_gets_none(down: int, up: int) -> None:
    assert take(Source(200_000), Line(down, up), make_shared()) is None


def test_no_piece_takes_longer_than_the_product_would_without_the_worker() -> None:
    """The engine needs 0.02 s for a strip. The page needs 0.05 s to fetch W, and 0.09 s for a strip."""
    line = Line(1500 * MB, 1500 * MB)
    for left in range(1, 256):
        source = Source(200_000, left)
        seconds = take(source, line, make_shared())
        assert (seconds is None) == (left < 7), left
        assert seconds is None or seconds <= source.tickets_left / source.own_speed
    line.note_sent(Source(1).w.ref.id)
    assert take(Source(200_000, 5), line, make_shared()) is not None, "W is there already"


def test_a_piece_that_nobody_else_can_do_is_given_on_any_line_that_is_measured() -> None:
    line = Line(1500 * MB, 1500 * MB)
    assert take(Source(0, left=0), line, make_shared()) is not None
    assert take(Source(0), Line(12 * MB, 4 * MB), make_shared()) is not None
    assert take(Source(0), Line(12 * MB, 0), make_shared()) is None
    assert take(Source(0), Line(1 * MB, 1 * MB), make_shared()) is None, "it would take more than 20 s"
    assert take(Source(200_000, left=0), line, make_shared()) is None


def test_a_stranger_waits_for_the_fleet_and_a_distant_worker_for_those_on_the_node_s_machine() -> None:
    line, source = Line(1500 * MB, 1500 * MB), Source(0, left=4)
    fleet = make_shared(fleet_speed=200_000.0)
    assert take(source, line, fleet) is None
    assert take(source, line, fleet, proven=None) is not None
    near = make_shared(fleet_speed=200_000.0, local_speed=200_000.0)
    assert take(source, line, near, proven=None) is None
    line.is_local = True
    assert take(source, line, near, proven=None) is not None


def test_a_stranger_s_piece_has_at_most_a_part_of_what_its_shares_proved() -> None:
    source, line = Source(0), Line(1000 * MB, 1000 * MB)
    strip = source.tickets_per_strip
    assert take(source, line, make_shared(), proven=STRANGER_PART * strip - 1) is None
    assert take(source, line, make_shared(), proven=3 * STRANGER_PART * strip) is not None
    assert source.taken is not None
    assert source.taken[0] == 3


def test_a_measurement_of_nothing_keeps_what_is_known() -> None:
    line = Line(5, 6)
    line.note_measured(7, 0)
    assert (line.down, line.up) == (7, 6)
    line.note_measured(0, 9)
    assert (line.down, line.up) == (7, 9)
