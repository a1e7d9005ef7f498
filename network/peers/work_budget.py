"""Peers may cause a limited amount of work: each has a small reserve, and all share half of a core in turns."""

from typing import Final

from inos.core.bounded import TokenBucket
from inos.network.wire.base import Message, Request
from inos.network.wire.limits import (
    BYTES_COST_MS,
    LEAST_COST_MS,
    RECEIVED_COST_MS,
    RESERVE_MS_BURST,
    RESERVE_MS_PER_S,
    SHARED_MS_BURST,
    SHARED_MS_PER_S,
    Lane,
    get_limit,
)

MAX_WAIT_S: Final = 2.0
"""A peer's messages are read again after at most this long, so that its pings are answered."""


def make_shared_budget(now: float) -> TokenBucket:
    """Return the budget that all peers share, in milliseconds of work.

    It slows a flood from many peers as a whole, and a flood from few peers by their own turns.
    """
    return TokenBucket(SHARED_MS_PER_S, SHARED_MS_BURST, now)


class PeerWorkBudget:
    """Holds the reserve of one peer, and charges the shared budget beyond it."""

    def __init__(self, shared: TokenBucket, now: float) -> None:
        self._shared = shared
        self._reserve = TokenBucket(RESERVE_MS_PER_S, RESERVE_MS_BURST, now)

    def charge(self, now: float, cost_ms: float) -> float:
        """Return the seconds for which the peer waits after causing this much work; 0 within its reserve."""
        if self._reserve.take(now, cost_ms):
            return 0.0
        return min(MAX_WAIT_S, self._shared.spend(now, cost_ms))


def compute_cost(kind: type[Message], size: int) -> float:
    """Return the milliseconds that processing a message of `size` bytes costs at most, without answering a request."""
    limit = get_limit(kind)
    received = size * RECEIVED_COST_MS
    if issubclass(kind, Request):
        return LEAST_COST_MS + received
    # The header and seal of a block cost the same for each size; lists cost by their length.
    part = 1.0 if limit.lane <= Lane.BLOCKS else size / limit.max_bytes
    return max(LEAST_COST_MS, limit.cost_ms * part) + received


def compute_answer_cost(kind: type[Message], answer_bytes: int) -> float:
    """Return the milliseconds that answering a request costs at most, with this many bytes outside the bulk lane."""
    return get_limit(kind).cost_ms + answer_bytes * BYTES_COST_MS
