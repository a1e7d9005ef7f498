"""Decides what a matrix store keeps (pins, what the chain needs, how much each matrix is wanted), and what it
evicts.

Nothing is evicted before the store was told what is needed, and never what is needed, pinned, or in use.
"""

import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from inos.mesh.book import MAX_PINS, Book
from inos.mesh.errors import MeshError, explain
from inos.mesh.eviction import Candidate, choose_victims
from inos.mesh.files import MatrixInfo
from inos.mesh.inventory import Inventory
from inos.primitives.units import MatrixId

MAX_RESERVE: Final = 256 << 20
RESERVE_PART: Final = 32
"""One part in this many of the disk, but at most MAX_RESERVE, is left to the chain: a node that cannot write blocks
has lost more than a matrix."""


LENT_PART: Final = 4
"""Copies that are kept for others and not promised take at most one part in this many of the room."""


FRESH_MS: Final = 10 * 60 * 1000
"""A matrix stored here so lately is about to be used: operands are stored before their job is posted."""


class Entry(Struct, frozen=True):
    """Describes one matrix for the node's owner."""

    id: MatrixId
    info: MatrixInfo
    is_complete: bool
    is_pinned: bool
    is_needed: bool
    is_own: bool
    """It was stored or made on this machine, and not fetched."""
    demand: float
    """Counts the requests of others, weighted by age."""
    used_ms: int


class Retention:
    """Decides what stays in the store. Several threads may call it.

    Args:
        quota: all files may have this many bytes; None for no limit but the disk's. One set while the node runs comes
            first.
        reserve: this many bytes of the disk are left free; None for the default share of it.
        now_ms: wall clock.
    """

    def __init__(self, inventory: Inventory, quota: int | None, reserve: int | None, now_ms: Callable[[], int]) -> None:
        self._inventory = inventory
        self.evicted = 0
        """So many matrices were evicted since the start."""
        self._quota = quota
        self._now_ms = now_ms
        self._needed: frozenset[MatrixId] | None = None
        self._late: frozenset[MatrixId] = frozenset()
        self._reserve = self._compute_reserve() if reserve is None else reserve
        self._book = Book(inventory.path)

    @property
    def quota(self) -> int | None:
        """Return how many bytes all files may have; None for no limit but the disk's."""
        return self._quota if self._book.quota is None else self._book.quota

    def set_needed(self, ids: Collection[MatrixId], late: Collection[MatrixId] = ()) -> None:
        """Replace the set of what the chain needs now, which is never dropped, and of what it needed lately, which
        is evicted last.

        Before the first call nothing is dropped at all.
        """
        self._needed, self._late = frozenset(ids), frozenset(late)

    def is_needed(self, matrix: MatrixId) -> bool:
        """Return True if an open job, a challenge window or a waiting transaction needs the matrix."""
        return self._needed is not None and matrix in self._needed

    def is_pinned(self, matrix: MatrixId) -> bool:
        """Return True if the owner pinned the matrix."""
        return matrix in self._book.pins

    def is_promised(self, matrix: MatrixId) -> bool:
        """Return True if the network may not lose the matrix: the chain needs it, or did lately, or the owner pinned
        it."""
        return self.is_needed(matrix) or matrix in self._late or self.is_pinned(matrix)

    def is_kept(self, matrix: MatrixId) -> bool:
        """Return True if the matrix may not be dropped."""
        return (
            self._needed is None
            or matrix in self._needed
            or matrix in self._book.pins
            or self._inventory.is_busy(matrix)
        )

    def note(self, matrix: MatrixId, requests: float = 0.0, *, is_own: bool = False) -> None:
        """Record that a matrix was used, `requests` times by others."""
        with self._inventory.lock:
            self._book.note(matrix, self._now_ms(), requests, is_own=is_own)

    def set_lent(self, matrix: MatrixId) -> None:
        """Record that a matrix is kept for others."""
        with self._inventory.lock:
            self._book.note(matrix, self._now_ms(), is_lent=True)

    def get_demand(self, matrix: MatrixId) -> float:
        """Return the requests of others, weighted by age."""
        return self._book.get(matrix).demand.get(self._now_ms())

    def count_room(self) -> int:
        """Return how many bytes all files may have: the quota, or what they and the disk have together."""
        held = self._inventory
        with held.lock:
            return max(0, held.bytes + held.count_free() - self._reserve) if self.quota is None else self.quota

    def count_lending_room(self) -> tuple[int, int]:
        """Return how many bytes copies for others may take, and how many of these are left without evicting
        anything."""
        held = self._inventory
        with held.lock:
            share = self.count_room() // LENT_PART
            lent = sum(held.count(id) for id in (*held.whole, *held.parts) if self._book.get(id).is_lent)
            return max(0, share), max(0, min(self.count_free_room(), share - lent))

    def count_free_room(self) -> int:
        """Return how many bytes more fit without evicting anything."""
        with self._inventory.lock:
            free = self._inventory.count_free() - self._reserve
            return max(0, free if self.quota is None else min(free, self.quota - self._inventory.bytes))

    def may_let_go(self, matrix: MatrixId) -> bool:
        """Return True if a copy that the network has enough of may be dropped: if room is short, and it is not the
        owner's."""
        with self._inventory.lock:
            is_tight = self.quota is not None and self._inventory.bytes > self.quota // 2
            is_free = not self.is_kept(matrix) and matrix not in self._late
            return is_tight and is_free and not self._book.get(matrix).is_own

    def list_entries(self) -> list[Entry]:
        """Return all matrices, complete or not, by id."""
        with self._inventory.lock:
            now, held = self._now_ms(), self._inventory
            return [self._make_entry(id, info, now) for id, info in sorted((held.whole | held.parts).items())]

    # Room

    def begin_part(self, info: MatrixInfo) -> None:
        """Note a matrix that will arrive in runs.

        A promised matrix takes all of its room now. Any other takes room as its runs arrive, since
        everybody can name a matrix of 16 GiB that does not exist.

        Raises:
            MeshError: "store-full", "disk-full": it cannot fit, or not now.
        """
        held = self._inventory
        with held.lock:
            if self.is_promised(info.id):
                self.take_room(info)
                held.bytes -= info.file_bytes
                held.add_part(info, info.file_bytes)
                return
            self._choose_victims(info.file_bytes, info.file_bytes, is_urgent=False)
            held.add_part(info, 0)

    def grow_part(self, info: MatrixInfo, size: int) -> None:
        """Count this many more bytes of a part before they are written; raises as `take_room`."""
        with self._inventory.lock:
            more = min(size, info.file_bytes - self._inventory.booked.get(info.id, info.file_bytes))
            if more > 0:
                self.check_room(more, more, is_urgent=self.is_needed(info.id))
                self._inventory.book(info, more)

    def grow(self, name: str, size: int) -> None:
        """Count this many more bytes of a growing matrix before they are written; raises as `take_room`."""
        with self._inventory.lock:
            self.check_room(size, size)
            self._inventory.set_growing(name, self._inventory.growing.get(name, 0) + size)

    def take_room(self, info: MatrixInfo, *, is_new_file: bool = True, is_urgent: bool = True) -> None:
        """Count a file's bytes before it is written, and evict the least wanted matrices for it.

        A matrix that was stored here a moment ago is evicted only for one that `is_urgent`: stored here, or needed
        by the chain.

        Args:
            is_new_file: the file is not counted yet.

        Raises:
            MeshError: "store-full", "disk-full": evicting all that may be is not enough, so nothing was evicted.
        """
        with self._inventory.lock:
            self.check_room(info.file_bytes if is_new_file else 0, info.file_bytes, is_urgent=is_urgent)
            self._inventory.bytes += info.file_bytes

    def check_room(self, disk_bytes: int, quota_bytes: int, *, is_urgent: bool = True) -> None:
        """Make room for a file, without counting it; raises as `take_room`."""
        for victim in self._choose_victims(disk_bytes, quota_bytes, is_urgent=is_urgent):
            self.drop(victim)
            self.evicted += 1

    def _choose_victims(self, disk_bytes: int, quota_bytes: int, *, is_urgent: bool) -> list[MatrixId]:
        """Return what must be evicted to make room for a file; raises as `take_room`."""
        quota, held = self.quota, self._inventory
        over = 0 if quota is None else held.bytes + quota_bytes - quota
        short = disk_bytes + self._reserve - held.count_free() if disk_bytes else 0
        if max(over, short) <= 0:
            return []
        victims = choose_victims(self._list_candidates(is_urgent), max(over, short))
        if victims is None:
            raise self._refuse(quota_bytes, quota if over > 0 else None)
        return victims

    def drop(self, matrix: MatrixId) -> bool:
        """Delete a matrix even if it is needed, and return False if it is not here."""
        with self._inventory.lock:
            is_here = self._inventory.delete(matrix)
            if is_here:
                self._book.forget(matrix)
            return is_here

    def drop_stale(self) -> int:
        """Delete downloads without progress for a day, and copies for others that an earlier run of the node did not
        complete, unless they are kept; return how many there were."""
        with self._inventory.lock:
            left = [id for id in self._inventory.found_parts if self._book.get(id).is_lent]
            stale = dict.fromkeys((*left, *self._inventory.list_stale()))
            return sum(self.drop(id) for id in stale if not self.is_kept(id))

    # The owner decides these.

    def list_pins(self) -> list[MatrixId]:
        """Return the pinned matrices, whether or not they are here."""
        with self._inventory.lock:
            return list(self._book.pins)

    def pin(self, matrix: MatrixId) -> None:
        """Never drop a matrix, even one that arrives later; the pin is on disk when this returns.

        Raises:
            MeshError: "too-many-pins", "disk-refuses"; then it is not pinned.
        """
        with self._inventory.lock:
            pins = self._book.pins
            if matrix in pins:
                return
            if len(pins) >= MAX_PINS:
                raise MeshError("too-many-pins", f"{MAX_PINS} matrices are pinned", hint="unpin some: inos mesh unpin")
            pins[matrix] = None
            try:
                self.save()
            except MeshError:
                del pins[matrix]
                raise

    def unpin(self, matrix: MatrixId) -> bool:
        """Remove a pin, and return False if there was none. It raises the errors of `pin`."""
        with self._inventory.lock:
            if matrix not in self._book.pins:
                return False
            del self._book.pins[matrix]
            self.save()
            return True

    def set_quota(self, quota: int | None) -> None:
        """Set another quota, kept over restarts, and evict what exceeds it; None for the one given at the start.

        Raises:
            MeshError: "store-full" if what is kept exceeds it, and nothing is changed; "disk-refuses".
        """
        with self._inventory.lock:
            before, self._book.quota = self._book.quota, quota
            try:
                self.check_room(0, 0)
            except MeshError:
                self._book.quota = before
                raise
            self.save()

    def save(self) -> None:
        """Write pins, quota and demand to disk.

        Raises:
            MeshError: "disk-full", "disk-refuses".
        """
        with self._inventory.lock:
            self._book.keep_only(self._inventory.whole.keys() | self._inventory.parts.keys())
            try:
                self._book.save()
            except OSError as error:
                raise explain(error, self._inventory.path) from error

    def copy_to(self, folder: Path) -> None:
        """Write pins, quota and demand into another store's folder. OSError: the disk refuses."""
        with self._inventory.lock:
            self._book.save(folder)

    def _list_candidates(self, is_urgent: bool) -> Iterator[Candidate]:
        now = self._now_ms()
        for id in (*self._inventory.whole, *self._inventory.parts):
            use = self._book.get(id)
            is_fresh = use.is_own and now - use.used_ms < FRESH_MS
            is_kept = self.is_kept(id) or (is_fresh and not is_urgent)
            demand = use.demand.get(now)
            size = self._inventory.count(id)
            yield Candidate(id, size, demand, use.used_ms, is_kept, id in self._late, is_fresh)

    def _make_entry(self, id: MatrixId, info: MatrixInfo, now: int) -> Entry:
        use, is_whole = self._book.get(id), id in self._inventory.whole
        demand = use.demand.get(now)
        return Entry(id, info, is_whole, self.is_pinned(id), self.is_needed(id), use.is_own, demand, use.used_ms)

    def _refuse(self, needed: int, quota: int | None) -> MeshError:
        held = self._inventory
        if quota is None:
            return MeshError(
                "disk-full",
                f"the disk under {held.path} has {held.count_free()} bytes left, of which {self._reserve} are kept for"
                f" the chain; {needed} more do not fit, and what is stored is pinned or needed",
                hint="make room on the disk",
            )
        if needed > quota:
            return MeshError(
                "store-full",
                f"a matrix of {needed} bytes is more than the whole quota of {quota}",
                hint="raise the quota (inos mesh quota)",
            )
        if not needed:
            return MeshError(
                "store-full",
                f"what is pinned or needed in {held.path} takes more than {quota} bytes",
                hint="unpin something first (inos mesh unpin)",
            )
        return MeshError(
            "store-full",
            f"the matrix store {held.path} holds {held.bytes} of {quota} bytes; {needed} more do not fit, and what is"
            " stored is pinned or needed",
            hint="raise the quota (inos mesh quota) or unpin something (inos mesh unpin)",
        )

    def _compute_reserve(self) -> int:
        disk = os.statvfs(self._inventory.path)
        return min(MAX_RESERVE, disk.f_blocks * disk.f_frsize // RESERVE_PART)
