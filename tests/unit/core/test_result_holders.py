"""Tests the wait of each result: for half of the peers, or a block spacing."""

from inos.core.result_holders import MAX_ANNOUNCED, MAX_RESULTS, ResultHolders
from inos.primitives.units import DurationMs, TimeMs, TxId

RESULT = TxId(b"\1" * 32)


class HandClock:
    at = 0.0

    def monotonic(self) -> float:
        return self.at

    def now_ms(self) -> TimeMs:
        return TimeMs(0)


def make(peers: int) -> tuple[ResultHolders, HandClock]:
    clock = HandClock()
    holders = ResultHolders(DurationMs(30_000), clock)
    for peer in range(peers):
        holders.add_peer(peer)
    holders.on_added(RESULT)
    return holders, clock


def test_half_of_the_peers_is_enough() -> None:
    for peers, needed in ((0, 0), (1, 1), (2, 1), (3, 2), (8, 4)):
        holders, _ = make(peers)
        for peer in range(needed):
            assert not holders.is_ready(RESULT)
            holders.on_announced(peer, [RESULT])
            holders.on_announced(peer, [RESULT])
        assert holders.is_ready(RESULT)


def test_the_wait_ends_after_a_spacing_whatever_is_told_again() -> None:
    holders, clock = make(4)
    clock.at = 29.9
    holders.on_added(RESULT)
    assert not holders.is_ready(RESULT)
    clock.at = 30.0
    assert holders.is_ready(RESULT)


def test_what_a_peer_announced_before_the_result_came_counts() -> None:
    holders, _ = make(2)
    later = TxId(b"\2" * 32)
    holders.on_announced(1, [later])
    holders.on_added(later)
    assert holders.is_ready(later)
    holders.drop_peer(1)
    assert not holders.is_ready(later)
    holders.on_announced(1, [later])  # it is gone
    assert not holders.is_ready(later)


def test_what_this_node_did_not_see_arrive_is_ready() -> None:
    holders, _ = make(4)
    assert holders.is_ready(TxId(b"\3" * 32))


def test_memory_is_bounded() -> None:
    holders, _ = make(1)
    ids = [TxId(n.to_bytes(32, "big")) for n in range(MAX_RESULTS + 1)]
    holders.on_announced(0, ids)
    for id in ids:
        holders.on_added(id)
    assert holders.is_ready(ids[-1])
    assert not holders.is_ready(ids[-MAX_ANNOUNCED - 1])
    assert holders.is_ready(RESULT)
