"""A long chain of headers in segments, each asked of any peer, put together in order. No I/O, no clock of its own.

One peer, the pilot, names every 512th block; who gives the headers between two of them is nobody's claim: they must
lead from the one to the other. A pilot that names blocks nobody can give headers for costs a plan, not more.
"""

from collections.abc import Hashable, Sequence
from typing import Final, Generic, TypeVar

from inos.primitives.blocks import Header, compute_block_id
from inos.primitives.units import BlockId

K = TypeVar("K", bound=Hashable)
AHEAD: Final = 16
"""Segments asked for beyond the lowest one that is missing: some 4 MB of headers in memory."""


class Segment(Generic[K]):
    """The headers above `start` up to and including `end`."""

    def __init__(self, start: BlockId, end: BlockId, height: int) -> None:
        self.start = start
        self.end = end
        self.height = height
        """Of `end`."""
        self.asked: K | None = None
        self.asked_at = 0.0
        self.lacking: set[K] = set()
        self.source: K | None = None
        self.headers: tuple[Header, ...] = ()


class HeaderPlan(Generic[K]):
    """Segments above a block that is known here; K names peers.

    Args:
        pilot: who named the blocks. step: how far apart they are.
    """

    def __init__(self, skeleton_peer: K, start: BlockId, height: int, ids: Sequence[BlockId], step: int) -> None:
        self.skeleton_peer = skeleton_peer
        self._step = step
        self._segments: list[Segment[K]] = []
        for number, end in enumerate(ids, 1):
            self._segments.append(Segment(start, end, height + number * step))
            start = end

    @property
    def is_done(self) -> bool:
        return not self._segments

    def take(self, peer: K, height: int, now: float, limit_s: float) -> Segment[K] | None:
        """The lowest segment to ask `peer` for, which has blocks up to `height`; after `limit_s` one is asked again."""
        for segment in self._segments[:AHEAD]:
            if segment.source is not None or segment.height > height or peer in segment.lacking:
                continue
            if segment.asked is None or now - segment.asked_at >= limit_s:
                segment.asked, segment.asked_at = peer, now
                return segment
        return None

    def put(self, peer: K, segment: Segment[K], headers: Sequence[Header]) -> bool:
        """What `peer` answered; whether it is the segment. The first one that is counts."""
        if segment.asked == peer:
            segment.asked = None
        headers = headers[: self._step]
        if not is_chain(segment.start, headers) or compute_block_id(headers[-1]) != segment.end:
            segment.lacking.add(peer)
            return False
        if segment.source is None:
            segment.source, segment.headers = peer, tuple(headers)
        return True

    def give_back(self, peer: K, segment: Segment[K]) -> None:
        """`peer` gave no answer."""
        segment.lacking.add(peer)
        if segment.asked == peer:
            segment.asked = None

    def is_hopeless(self) -> bool:
        """Whether not even the pilot has what it named."""
        return any(
            self.skeleton_peer in segment.lacking and segment.source is None for segment in self._segments[:AHEAD]
        )

    def pop_ready(self) -> Segment[K] | None:
        """The lowest segment, where it is here."""
        if self._segments and self._segments[0].source is not None:
            return self._segments.pop(0)
        return None


def is_chain(start: BlockId, headers: Sequence[Header]) -> bool:
    """Whether there are headers, and each is the child of the one before it, the first of `start`."""
    parent = start
    for header in headers:
        if header.parent != parent:
            return False
        parent = compute_block_id(header)
    return bool(headers)
