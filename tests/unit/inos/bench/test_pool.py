"""Tests that `inos bench pool` measures a pool which counts every share."""

from inos.bench.pool import measure_pool


def test_a_small_pool_is_measured() -> None:
    found = measure_pool(5, 1000)
    assert (found.members, found.shares) == (5, 1000)
    assert 0 < found.share_us < 10_000
    assert 0 < found.message_us < 100_000
    assert found.slowest_ms * 1000 >= found.share_us / 10
    assert min(found.target_us, found.block_ms, found.opening_ms, found.disk_bytes) > 0
