"""Which matrices are here, the room they take, and what gives way when there is none left.

Nothing gives way before the store was told what is needed, and never what is needed, pinned, or being fetched.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from inos.mesh.book import MAX_PINS, Book
from inos.mesh.errors import MeshError, explain
from inos.mesh.eviction import Candidate, choose_victims
from inos.mesh.files import PART_SUFFIX, PARTIAL_SUFFIX, SUFFIX, MatrixInfo, read_info, set_aside
from inos.primitives.units import MatrixId

MAX_RESERVE: Final = 256 << 20
RESERVE_PART: Final = 32
"""Of the disk, one part in so many, but at most MAX_RESERVE, is left to the chain: a node that cannot write blocks any
more has lost more than a matrix."""


LENT_PART: Final = 4
"""Of the room one part in so many, at most, is taken by copies kept for others that nobody promised."""


FRESH_MS: Final = 10 * 60 * 1000
"""What was given here so lately is about to be used: operands are stored before their job is posted."""
STALE_MS: Final = 24 * 3600 * 1000
"""A fetch that did not go on for a day was given up by whoever wanted it."""


class Entry(Struct, frozen=True):
    """One matrix as its owner sees it."""

    id: MatrixId
    info: MatrixInfo
    is_complete: bool
    is_pinned: bool
    is_needed: bool
    is_own: bool
    """Given or made on this machine, and not fetched."""
    demand: float
    """Requests of others that count now."""
    used_ms: int


class Shelf:
    """Safe to call from several threads; `lock` is held wherever it changes.

    Args:
        quota: bytes of all files at most; None for no limit but the disk's. One set while the node ran counts instead.
        reserve: bytes left free on the disk; None for the usual part of it.
        now_ms: wall clock.
    """

    def __init__(self, path: Path, quota: int | None, reserve: int | None, now_ms: Callable[[], int]) -> None:
        self.path = path
        self.lock = threading.RLock()
        self.whole: dict[MatrixId, MatrixInfo] = {}
        self.parts: dict[MatrixId, MatrixInfo] = {}
        """On their way, or found damaged: their room is taken, their files are not whole."""
        self.bytes = 0
        """Of all these files, and of those being written."""
        self.found_short: set[MatrixId] = set()
        """Files that were shorter than their shape when the folder was read; they are among the parts."""
        self.evicted = 0
        """Matrices that gave way since the start."""
        self._quota = quota
        self._now_ms = now_ms
        self._needed: frozenset[MatrixId] | None = None
        self._late: frozenset[MatrixId] = frozenset()
        self._busy: dict[MatrixId, int] = {}
        path.mkdir(parents=True, exist_ok=True)
        self._reserve = self._compute_reserve() if reserve is None else reserve
        self.book = Book(path)
        self._scan()

    @property
    def quota(self) -> int | None:
        return self._quota if self.book.quota is None else self.book.quota

    def get_path(self, matrix: MatrixId) -> Path:
        """Of the file of a whole matrix."""
        name = matrix.hex()
        return self.path / name[:2] / f"{name}{SUFFIX}"

    def get_part_path(self, matrix: MatrixId) -> Path:
        """Of the file of one that is not whole."""
        return self.get_path(matrix).with_suffix(PART_SUFFIX)

    def set_needed(self, ids: Collection[MatrixId], late: Collection[MatrixId]) -> None:
        """What open jobs, challenge windows and whatever else the chain promises need now, and what jobs settled lately
        needed, which gives way last; it replaces what was."""
        self._needed, self._late = frozenset(ids), frozenset(late)

    def is_needed(self, matrix: MatrixId) -> bool:
        return self._needed is not None and matrix in self._needed

    def is_late(self, matrix: MatrixId) -> bool:
        return matrix in self._late

    def is_kept(self, matrix: MatrixId) -> bool:
        """Whether it may not be dropped."""
        return self._needed is None or matrix in self._needed or matrix in self.book.pins or matrix in self._busy

    @contextmanager
    def keep_busy(self, matrix: MatrixId) -> Iterator[None]:
        """While the block runs it is not dropped."""
        with self.lock:
            self._busy[matrix] = self._busy.get(matrix, 0) + 1
        try:
            yield
        finally:
            with self.lock:
                self._busy[matrix] -= 1
                if not self._busy[matrix]:
                    del self._busy[matrix]

    def note(self, matrix: MatrixId, requests: float = 0.0, *, is_own: bool = False, is_lent: bool = False) -> None:
        """It was used, `requests` times by others or as much as that."""
        with self.lock:
            self.book.note(matrix, self._now_ms(), requests, is_own=is_own, is_lent=is_lent)

    def get_demand(self, matrix: MatrixId) -> float:
        return self.book.get(matrix).demand.get(self._now_ms())

    def may_lend(self, info: MatrixInfo) -> bool:
        """Whether there is room for a copy kept for others: all of those within their share, and nothing gives way."""
        with self.lock:
            free = self.count_free() - self._reserve
            room = free if self.quota is None else min(free, self.quota - self.bytes)
            if info.file_bytes > room:
                return False
            all_bytes = self.bytes + free if self.quota is None else self.quota
            held = (*self.whole.items(), *self.parts.items())
            lent = sum(each.file_bytes for id, each in held if self.book.get(id).is_lent)
            return lent + info.file_bytes <= all_bytes // LENT_PART

    def may_let_go(self, matrix: MatrixId) -> bool:
        """Whether a copy that the network has enough of may be dropped: where room is short, and not one's own."""
        with self.lock:
            is_tight = self.quota is not None and self.bytes > self.quota // 2
            return (
                is_tight and not self.is_kept(matrix) and not self.is_late(matrix) and not self.book.get(matrix).is_own
            )

    def list_entries(self) -> list[Entry]:
        """All, by id."""
        with self.lock:
            now = self._now_ms()
            return [self._make_entry(id, info, now) for id, info in sorted((self.whole | self.parts).items())]

    def list_stale(self) -> list[MatrixId]:
        """What is not whole and was not written to for STALE_MS, by the file's own clock."""
        found = []
        for id in self.parts:
            with suppress(OSError):
                age_s = time.time() - self.get_part_path(id).stat().st_mtime
                if age_s * 1000 > STALE_MS and not self.is_kept(id):
                    found.append(id)
        return found

    def take_room(self, info: MatrixInfo, *, is_new_file: bool = True, is_urgent: bool = True) -> None:
        """Count a file's bytes before it is written; what is least wanted gives way for it.

        What was given here a moment ago gives way to what is `is_urgent`, given here or needed by the chain, alone.

        Raises:
            MeshError: "store-full", "disk-full": what may give way does not suffice, and nothing has.
        """
        with self.lock:
            self.check_room(info.file_bytes if is_new_file else 0, info.file_bytes, is_urgent=is_urgent)
            self.bytes += info.file_bytes

    def check_room(self, disk_bytes: int, quota_bytes: int, *, is_urgent: bool = True) -> None:
        """Make room for a file, without counting it; raises as `take_room`."""
        quota = self.quota
        over = 0 if quota is None else self.bytes + quota_bytes - quota
        short = disk_bytes + self._reserve - self.count_free() if disk_bytes else 0
        if max(over, short) <= 0:
            return
        victims = choose_victims(self._list_candidates(is_urgent), max(over, short))
        if victims is None:
            raise self._refuse(quota_bytes, quota if over > 0 else None)
        for victim in victims:
            self.drop(victim)
            self.evicted += 1

    def give_back(self, info: MatrixInfo) -> None:
        """A file whose room was taken is not there."""
        with self.lock:
            self.bytes -= info.file_bytes

    def drop(self, matrix: MatrixId) -> bool:
        """Delete a matrix's file, whole or not, whatever needs it; False where there is none."""
        with self.lock:
            info = self.whole.pop(matrix, None) or self.parts.pop(matrix, None)
            if info is None:
                return False
            self.get_path(matrix).unlink(missing_ok=True)
            self.get_part_path(matrix).unlink(missing_ok=True)
            self.bytes -= info.file_bytes
            self.book.forget(matrix)
            return True

    def pin(self, matrix: MatrixId) -> None:
        """Never drop it, here or not yet; on disk when this returns.

        Raises:
            MeshError: "too-many-pins", "disk-refuses"; then it is not pinned.
        """
        with self.lock:
            if matrix in self.book.pins:
                return
            if len(self.book.pins) >= MAX_PINS:
                raise MeshError("too-many-pins", f"{MAX_PINS} matrices are pinned", hint="unpin some: inos mesh unpin")
            self.book.pins[matrix] = None
            try:
                self.save()
            except MeshError:
                del self.book.pins[matrix]
                raise

    def unpin(self, matrix: MatrixId) -> bool:
        """Whether it was pinned. Raises as `pin`."""
        with self.lock:
            if matrix not in self.book.pins:
                return False
            del self.book.pins[matrix]
            self.save()
            return True

    def set_quota(self, quota: int | None) -> None:
        """Another quota from now on, over restarts too; None for the one given at the start. What is over it goes.

        Raises:
            MeshError: "store-full" where what is kept exceeds it, and nothing is changed; "disk-refuses".
        """
        with self.lock:
            before, self.book.quota = self.book.quota, quota
            try:
                self.check_room(0, 0)
            except MeshError:
                self.book.quota = before
                raise
            self.save()

    def save(self) -> None:
        """Write the book.

        Raises:
            MeshError: "disk-full", "disk-refuses".
        """
        with self.lock:
            self.book.keep_only(self.whole.keys() | self.parts.keys())
            try:
                self.book.save()
            except OSError as error:
                raise explain(error, self.path) from error

    def copy_book(self, folder: Path) -> None:
        """Write the book into another store's folder; OSError where the disk refuses."""
        with self.lock:
            self.book.save(folder)

    def _list_candidates(self, is_urgent: bool) -> Iterator[Candidate]:
        now = self._now_ms()
        for id, info in (*self.whole.items(), *self.parts.items()):
            use = self.book.get(id)
            is_fresh = use.is_own and now - use.used_ms < FRESH_MS
            is_kept = self.is_kept(id) or (is_fresh and not is_urgent)
            demand = use.demand.get(now)
            yield Candidate(id, info.file_bytes, demand, use.used_ms, is_kept, self.is_late(id), is_fresh)

    def _make_entry(self, id: MatrixId, info: MatrixInfo, now: int) -> Entry:
        use = self.book.get(id)
        is_pinned = id in self.book.pins
        is_whole = id in self.whole
        demand = use.demand.get(now)
        return Entry(id, info, is_whole, is_pinned, self.is_needed(id), use.is_own, demand, use.used_ms)

    def _refuse(self, needed: int, quota: int | None) -> MeshError:
        if quota is None:
            return MeshError(
                "disk-full",
                f"the disk under {self.path} has {self.count_free()} bytes left, of which {self._reserve} are kept for"
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
                f"what is pinned or needed in {self.path} takes more than {quota} bytes",
                hint="unpin something first (inos mesh unpin)",
            )
        return MeshError(
            "store-full",
            f"the matrix store {self.path} holds {self.bytes} of {quota} bytes; {needed} more do not fit, and what is"
            " stored is pinned or needed",
            hint="raise the quota (inos mesh quota) or unpin something (inos mesh unpin)",
        )

    def count_free(self) -> int:
        disk = os.statvfs(self.path)
        return disk.f_bavail * disk.f_frsize

    def _compute_reserve(self) -> int:
        disk = os.statvfs(self.path)
        return min(MAX_RESERVE, disk.f_blocks * disk.f_frsize // RESERVE_PART)

    def _scan(self) -> None:
        """What is there. Names of files being written go; of a file shorter than its shape what is right is kept."""
        for path in self.path.glob(f"*/*{PARTIAL_SUFFIX}"):
            path.unlink(missing_ok=True)
        for path in (*self.path.glob(f"*/*{SUFFIX}"), *self.path.glob(f"*/*{PART_SUFFIX}")):
            info = read_info(path)
            if info is None:
                set_aside(path)
            elif path.suffix == PART_SUFFIX:
                self._take_part(path, info)
            elif path.stat().st_size != info.file_bytes:
                self._take_part(path, info)
                self.found_short.add(info.id)
            else:
                self.whole[info.id] = info
                self.bytes += info.file_bytes

    def _take_part(self, path: Path, info: MatrixInfo) -> None:
        if info.id in self.whole or info.id in self.parts:
            path.unlink(missing_ok=True)
            return
        path.replace(self.get_part_path(info.id))
        self.parts[info.id] = info
        self.bytes += info.file_bytes
