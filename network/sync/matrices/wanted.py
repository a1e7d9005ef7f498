"""This module knows the wanted matrices, and which runs of them were requested from which peers. It does no I/O."""

from collections.abc import Callable, Collection, Hashable, Iterable
from typing import Final, Generic, TypeAlias, TypeVar, assert_never

from msgspec import Struct

from inos.core.bounded import ExpiringSet
from inos.mesh.store import MatrixInfo
from inos.primitives.units import MatrixId

K = TypeVar("K", bound=Hashable)
MAX_WANTS: Final = 512
MAX_UNSIZED: Final = 64
"""At most this many matrices to prefetch have no known size, so that they leave places for those that are needed."""
LACKING_S: Final = 1.0
"""A peer that does not have a matrix is not asked for it again for this long."""
SEARCH_FIRST_S: Final = 2.0
SEARCH_MOST_S: Final = 60.0
"""Two searches for a provider of a matrix are this far apart; the time doubles from the first value to this one."""
MAX_RUNS_CONSIDERED: Final = 512
"""This many runs of one matrix are considered at a time."""
MAX_ASKED: Final = 2
SLOW_S: Final = 3.0
"""A run requested this long ago is requested from another peer too, if there is nothing else to request from it."""


class FetchHead(Struct, frozen=True):
    """Request the head of a matrix, which tells its shape."""

    id: MatrixId


class Allocate(Struct, frozen=True):
    """Allocate a matrix whose shape is known; this step needs no request."""

    id: MatrixId
    info: MatrixInfo


class FetchRun(Struct, frozen=True):
    """Request one run of an allocated matrix."""

    id: MatrixId
    index: int


FetchStep: TypeAlias = FetchHead | Allocate | FetchRun


class WantedMatrix(Generic[K]):
    """Holds what is known of one wanted matrix."""

    def __init__(self, info: MatrixInfo | None, until: float, is_prefetch: bool, max_bytes: int | None) -> None:
        self.info = info
        self.until = until
        self.is_prefetch = is_prefetch
        self.max_bytes = max_bytes
        """A larger matrix is not fetched; None for no limit."""
        self.head_asked: K | None = None
        self.is_begun = False
        self.is_beginning = False
        self.asked: dict[int, dict[K, float]] = {}
        """For each requested run these peers were asked, at these times."""
        self.lacking: set[K] = set()
        """These peers did not deliver when last asked."""
        self.search_at = 0.0
        self.searches = 0


class WantedMatrices(Generic[K]):
    """Holds all wanted matrices, oldest first; K is the type that names peers."""

    def __init__(self, prefetch_bytes: int) -> None:
        self._prefetch_bytes = prefetch_bytes
        self._wants: dict[MatrixId, WantedMatrix[K]] = {}
        self._lacking: ExpiringSet[tuple[K, MatrixId]] = ExpiringSet(8192)

    def __len__(self) -> int:
        return len(self._wants)

    def __contains__(self, id: object) -> bool:
        return id in self._wants

    def get(self, id: MatrixId) -> WantedMatrix[K] | None:
        return self._wants.get(id)

    def add(
        self,
        id: MatrixId,
        info: MatrixInfo | None,
        until: float,
        *,
        is_prefetch: bool = False,
        max_bytes: int | None = None,
    ) -> bool:
        """Want a matrix until a time; return True if it is wanted now.

        If `is_prefetch`, no task needs the matrix yet, so it must fit the budget. The largest `max_bytes` counts,
        and None is larger than all.
        """
        want = self._wants.get(id)
        if want is not None:
            want.until = max(want.until, until)
            want.is_prefetch = want.is_prefetch and is_prefetch
            want.info = want.info or info
            if want.max_bytes is not None:
                want.max_bytes = None if max_bytes is None else max(want.max_bytes, max_bytes)
            return True
        if len(self._wants) >= MAX_WANTS:
            return False
        if is_prefetch and not self._may_prefetch(info):
            return False
        self._wants[id] = WantedMatrix(info, until, is_prefetch, max_bytes)
        return True

    def set_info(self, id: MatrixId, info: MatrixInfo) -> None:
        """Note the shape that a peer has told of a wanted matrix; one to prefetch is given up if it is too large."""
        want = self._wants.get(id)
        if want is None or want.info is not None:
            return
        if want.is_prefetch and not self._may_prefetch(info):
            del self._wants[id]
            return
        want.info = info

    def _may_prefetch(self, info: MatrixInfo | None) -> bool:
        """Return True if the budget has room for a matrix, whose size may not be known yet."""
        known = [want.info for want in self._wants.values() if want.is_prefetch]
        if info is None:
            return bool(self._prefetch_bytes) and known.count(None) < MAX_UNSIZED
        return sum(each.data_bytes for each in known if each is not None) + info.data_bytes <= self._prefetch_bytes

    def remove(self, id: MatrixId) -> None:
        self._wants.pop(id, None)

    def expire(self, now: float) -> list[MatrixId]:
        """Remove and return the matrices that have been wanted for too long."""
        old = [id for id, want in self._wants.items() if want.until <= now]
        for id in old:
            del self._wants[id]
        return old

    def list_unserved(self, peers: Collection[K], now: float) -> list[MatrixId]:
        """Return the matrices that are needed now and that none of `peers`, all connected ones, has.

        Matrices that were just searched are left out.
        """
        unserved = []
        for id, want in self._wants.items():
            want.lacking.intersection_update(peers)
            is_asked = want.head_asked is not None or want.is_beginning or want.asked
            if not want.is_prefetch and not is_asked and want.search_at <= now and len(want.lacking) == len(peers):
                unserved.append(id)
        return unserved

    def on_searched(self, id: MatrixId, now: float) -> None:
        """Note that a search is over, successful or not."""
        want = self._wants.get(id)
        if want is not None:
            want.search_at = now + min(SEARCH_MOST_S, SEARCH_FIRST_S * 2**want.searches)
            want.searches = min(want.searches + 1, 16)

    def take(
        self,
        peer: K,
        now: float,
        list_missing: Callable[[MatrixId, int], Iterable[int]],
        only: MatrixId | None = None,
    ) -> FetchStep | None:
        """Return the next step to do with `peer`, for any matrix or for `only` one; the caller releases it when it is
        over."""
        for id, want in self._wants.items() if only is None else self._list_one(only):
            if self._lacking.has((peer, id), now):
                continue
            step = self._choose(id, want, peer, now, list_missing)
            if step is not None:
                return step
        return None

    def _choose(
        self,
        id: MatrixId,
        want: WantedMatrix[K],
        peer: K,
        now: float,
        list_missing: Callable[[MatrixId, int], Iterable[int]],
    ) -> FetchStep | None:
        if want.info is None:
            if want.head_asked is not None:
                return None
            want.head_asked = peer
            return FetchHead(id)
        if not want.is_begun:
            if want.is_beginning:
                return None
            want.is_beginning = True
            return Allocate(id, want.info)
        missing = set(list_missing(id, MAX_RUNS_CONSIDERED))
        index = min(missing - want.asked.keys(), default=None)
        if index is None:
            # All runs are requested already; the slowest peer is helped, so that the last run does not stall the
            # matrix.
            slow = [
                (min(asked.values()), index)
                for index, asked in want.asked.items()
                if index in missing
                and peer not in asked
                and len(asked) < MAX_ASKED
                and min(asked.values()) <= now - SLOW_S
            ]
            if not slow:
                return None
            index = min(slow)[1]
        want.asked.setdefault(index, {})[peer] = now
        return FetchRun(id, index)

    def set_begun(self, id: MatrixId) -> None:
        """Note that a matrix is allocated, so that its missing runs are known."""
        want = self._wants.get(id)
        if want is not None:
            want.is_begun = True

    def _list_one(self, id: MatrixId) -> list[tuple[MatrixId, WantedMatrix[K]]]:
        want = self._wants.get(id)
        return [] if want is None else [(id, want)]

    def release(self, peer: K, step: FetchStep, now: float, *, is_lacking: bool) -> None:
        """Note that a step is over. If `is_lacking`, the peer did not deliver, and other peers come first for a
        while."""
        if is_lacking:
            self._lacking.add((peer, step.id), now + LACKING_S)
        want = self._wants.get(step.id)
        if want is None:
            return
        if is_lacking:
            want.lacking.add(peer)
        elif not isinstance(step, Allocate):
            want.lacking.discard(peer)
        match step:
            case FetchHead():
                want.head_asked = None
            case Allocate():
                want.is_beginning = False
            case FetchRun():
                asked = want.asked.get(step.index, {})
                asked.pop(peer, None)
                if not asked:
                    want.asked.pop(step.index, None)
            case _:
                assert_never(step)
