"""The throttle holds filler to a rate."""

import pytest

from inos.miner.filler import Throttle


def test_the_throttle_spreads_tickets_over_time() -> None:
    throttle = Throttle(100.0)
    assert throttle.limit(1000) == 25
    assert throttle.get_pause(5.0) == 0
    throttle.spend(25, 5.0)
    assert throttle.get_pause(5.1) == pytest.approx(0.15)
    assert throttle.get_pause(6.0) == 0
    free = Throttle(0.0)
    free.spend(10**6, 1.0)
    assert (free.limit(1000), free.get_pause(1.0)) == (1000, 0)
