"""A plan fetches a long chain of headers in segments from all peers. It does no I/O and reads no clock.

One peer, the skeleton peer, names every 512th block. Any peer may send the headers between two of these blocks, because
they prove themselves: they must lead from the one block to the other. A skeleton peer that names blocks for which no
peer has headers costs this node one plan and nothing more.
"""

from collections.abc import Hashable, Sequence
from typing import Final, Generic, TypeVar

from inos.primitives.blocks import Header, compute_block_id
from inos.primitives.units import BlockId

K = TypeVar("K", bound=Hashable)
MAX_AHEAD_SEGMENTS: Final = 16
"""This many segments beyond the lowest missing one are requested, which is about 4 MB of headers in memory."""


class Segment(Generic[K]):
    """Holds the headers above `start` up to and including `end`."""

    def __init__(self, start: BlockId, end: BlockId, height: int) -> None:
        self.start = start
        self.end = end
        self.height = height
        """The block `end` has this height."""
        self.asked: K | None = None
        self.asked_at = 0.0
        self.lacking: set[K] = set()
        self.source: K | None = None
        self.headers: tuple[Header, ...] = ()


class HeaderPlan(Generic[K]):
    """Holds the segments above a block that this node knows; K is the type that names peers.

    Args:
        skeleton_peer: the peer that named the blocks.
        step: the distance between two of these blocks.
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
        """Return the lowest segment to request from `peer`, whose blocks reach up to `height`.

        A segment without an answer after `limit_s` may be requested from another peer.
        """
        for segment in self._segments[:MAX_AHEAD_SEGMENTS]:
            if segment.source is not None or segment.height > height or peer in segment.lacking:
                continue
            if segment.asked is None or now - segment.asked_at >= limit_s:
                segment.asked, segment.asked_at = peer, now
                return segment
        return None

    def put(self, peer: K, segment: Segment[K], headers: Sequence[Header]) -> bool:
        """Process the answer of `peer`; return True if it is the segment. The first right answer is used."""
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
        """Note that `peer` did not answer."""
        segment.lacking.add(peer)
        if segment.asked == peer:
            segment.asked = None

    def is_hopeless(self) -> bool:
        """Return True if not even the skeleton peer has what it named."""
        return any(
            self.skeleton_peer in segment.lacking and segment.source is None
            for segment in self._segments[:MAX_AHEAD_SEGMENTS]
        )

    def pop_ready(self) -> Segment[K] | None:
        """Remove and return the lowest segment, if its headers are here."""
        if self._segments and self._segments[0].source is not None:
            return self._segments.pop(0)
        return None


def is_chain(start: BlockId, headers: Sequence[Header]) -> bool:
    """Return True if there are headers, the first is the child of `start`, and each other one is the child of the one
    before."""
    parent = start
    for header in headers:
        if header.parent != parent:
            return False
        parent = compute_block_id(header)
    return bool(headers)
