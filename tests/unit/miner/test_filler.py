"""The throttle holds filler to a rate; filler keeps no rows, and grows for fast engines."""

import numpy as np
import pytest
from msgspec.structs import replace

from inos.miner.filler import Throttle, choose_filler_rows, make_filler
from support.miner_kernel import SETTINGS


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


def test_filler_keeps_no_rows() -> None:
    filler = make_filler(replace(SETTINGS, filler_rows=48), np.random.default_rng(1))
    assert filler.strips == 3
    filler.keep(0, 2, np.zeros((0, 48), np.int32))
    assert (filler.strips_done, filler.rows_done) == (2, 32)
    with pytest.raises(ValueError, match="do not follow"):
        filler.keep(0, 1, np.zeros((0, 48), np.int32))
    filler.keep(2, 3, np.zeros((16, 48), np.int32))
    with pytest.raises(ValueError, match="nowhere"):
        filler.result()
    larger = make_filler(SETTINGS, np.random.default_rng(1), 64)
    assert (larger.x.ref.rows, larger.w.ref.rows) == (64, 64)


def test_filler_grows_where_one_slice_takes_all_of_it() -> None:
    own = replace(SETTINGS, filler_rate=0.0, filler_rows=1024, filler_depth=1024, slice_ms=250)
    large = replace(own, max_filler_rows=16_384)
    assert choose_filler_rows(own, 1024, 1e9) == 2048
    assert choose_filler_rows(own, 4096, 1e9) == 4096, "an engine of this machine's processor"
    assert choose_filler_rows(replace(own, filler_rate=200.0), 1024, 1e9) == 1024, "a slice has 50 tickets"
    assert choose_filler_rows(large, 1024, 4 * 4096) == 1024, "4,096 tickets are a slice"
    assert choose_filler_rows(large, 1024, 4 * 4097) == 2048
    assert choose_filler_rows(large, 16_384, 1e9) == 16_384
    assert choose_filler_rows(replace(large, max_filler_rows=1500), 1024, 1e9) == 1500
