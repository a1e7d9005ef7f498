"""The matrices a node holds, and those on their way to it."""

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct
from numpy.typing import NDArray

from inos.mesh.arrivals import Arrivals
from inos.mesh.errors import MeshError, explain
from inos.mesh.files import MatrixInfo, copy_file, set_aside, write_head, write_matrix
from inos.mesh.growing import GrowingMatrix
from inos.mesh.growth import Growth
from inos.mesh.reading import Reader
from inos.mesh.runs import Run, count_runs
from inos.mesh.scrub import Scrubber
from inos.mesh.shelf import Entry, Shelf
from inos.primitives.matrices import MatrixRef, StripRow, make_matrix_ref
from inos.primitives.units import Hash, MatrixId
from inos.work.strips import InvalidMatrix, StripTree, compute_leaf_row, get_dtype

__all__ = ["MatrixInfo", "MatrixStore", "MeshError", "StoreStatus"]

T = TypeVar("T")


def _read_clock() -> int:
    return time.time_ns() // 1_000_000


class StoreStatus(Struct, frozen=True, kw_only=True):
    """The store in figures."""

    matrices: int
    """Whole ones."""
    incomplete: int
    bytes: int
    quota: int | None
    """Bytes; None for no limit but the disk's."""
    free_bytes: int
    """Of the disk."""
    pinned: int
    needed: int
    """Held, and needed by the chain."""
    evicted: int
    """Since the start, as the next two."""
    damaged: int
    """Files found spoiled."""
    scrubbed_bytes: int


class MatrixStore:
    """Matrices by id in a folder; safe to call from several threads.

    Whatever is read back is checked: what is no longer what it was counts as not here, and is fetched again where it
    is spoiled, so that a bad disk never makes a right result look wrong.

    Args:
        max_bytes: the quota: what is least wanted gives way beyond it; None for no limit but the disk's.
        reserve: bytes left free on the disk; None for the usual part of it.
        now_ms: wall clock.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int | None = None,
        reserve: int | None = None,
        now_ms: Callable[[], int] = _read_clock,
    ) -> None:
        self._shelf = Shelf(path, max_bytes, reserve, now_ms)
        self._reader = Reader(self._shelf)
        self._arrivals = Arrivals(self._shelf, lambda info: self._reader.set_verified(info.id))
        self._growth = Growth(self._shelf)
        self.scrubber = Scrubber(self._shelf, self.set_damaged)
        self._damaged = set(self._shelf.found_short)
        self._damage_count = len(self._damaged)

    @property
    def total_bytes(self) -> int:
        """Bytes of all files, as stored, matrices on their way among them."""
        return self._shelf.bytes

    def list_ids(self) -> list[MatrixId]:
        """All that are complete."""
        with self._shelf.lock:
            return sorted(self._shelf.whole)

    def has(self, matrix: MatrixId) -> bool:
        """Whether the matrix is complete here."""
        return matrix in self._shelf.whole

    def info(self, matrix: MatrixId) -> MatrixInfo | None:
        """Data type, size and root of a complete matrix."""
        return self._shelf.whole.get(matrix)

    # What is stored

    def put(self, array: NDArray[Any], *, is_own: bool = True) -> MatrixRef:
        """Store an int8 operand or int32 result; nothing is written where it is here already.

        Args:
            is_own: whether it was given or made here, and not merely brought from elsewhere.

        Raises:
            InvalidMatrix: it is no matrix. MeshError: "store-full", "disk-full", "disk-refuses".
        """
        dtype = get_dtype(array)
        tree = StripTree(compute_leaf_row(array))
        ref = make_matrix_ref(dtype, array.shape[0], array.shape[1], tree.root)
        info = MatrixInfo(dtype, ref.rows, ref.cols, ref.root)
        with self._shelf.keep_busy(info.id):
            self._write(info, tree.leaves, array)
        self._shelf.note(info.id, 1.0, is_own=is_own)
        return ref

    def open_growing(self, name: str, dtype: int, rows: int, cols: int) -> GrowingMatrix:
        """A matrix to be written a slice of rows at a time, as far as it was written before under this name.

        Args:
            name: letters and digits; who calls chooses it, and finds the matrix by it after a restart.

        Raises:
            InvalidMatrix: no matrix can have this shape. MeshError: "store-full", "disk-full", "disk-refuses".
        """
        return self._growth.open(name, dtype, rows, cols)

    def adopt(self, growing: GrowingMatrix) -> MatrixRef:
        """Take a growing matrix whose rows are all there into the store; nothing is copied.

        Raises:
            ValueError: rows are missing. MeshError: "store-full", "disk-full", "disk-refuses".
        """
        info = self._growth.adopt(growing)
        self._reader.set_verified(info.id)
        self._shelf.note(info.id, 1.0, is_own=True)
        return make_matrix_ref(info.dtype, info.rows, info.cols, Hash(info.root))

    def find_adopted(self, name: str) -> MatrixRef | None:
        """What was stored of the growing matrix of this name, until `drop_growing`; None where it is not here."""
        return self._growth.find_adopted(name)

    def drop_growing(self, name: str) -> None:
        """Forget a growing matrix, if there is one under this name; it must be closed. What was stored of it stays."""
        self._growth.drop(name)

    def begin(self, info: MatrixInfo) -> None:
        """Make room for a matrix that comes in runs, or take it up where it was left; nothing where it is here.

        Raises:
            InvalidMatrix: no matrix can have this shape. MeshError: "store-full", "disk-full", "disk-refuses".
        """
        self._arrivals.begin(info)

    def add_run(self, matrix: MatrixId, index: int, data: bytes, path: Sequence[bytes]) -> bool:
        """Verify and keep one run (inos.mesh.runs); True where the matrix is complete with it.

        Raises:
            InvalidMatrix: it is not run `index` of this matrix.
            MeshError: "unknown-matrix" without `begin`; "disk-full", "disk-refuses": the run counts as missing.
        """
        return self._arrivals.add_run(matrix, index, data, path)

    def missing_runs(self, matrix: MatrixId, limit: int) -> list[int]:
        """At most `limit` indices of runs not here yet, lowest first; none where it is complete or unknown."""
        return self._arrivals.list_missing(matrix, limit)

    # What is read

    def get(self, matrix: MatrixId) -> NDArray[Any] | None:
        """The matrix, read-only, or None."""
        found = self._read(matrix, lambda info: self._reader.read(matrix, info))
        if found is not None:
            self._shelf.note(matrix)
        return found

    def get_strips(self, matrix: MatrixId, first: int, count: int) -> list[tuple[bytes, tuple[Hash, ...]]]:
        """Strips [first, first + count) of a complete matrix with their paths; fewer at its end, none if unknown."""
        if first < 0:
            return []
        return self._read(matrix, lambda info: self._reader.read_strips(matrix, info, first, count)) or []

    def open_row(self, matrix: MatrixId, first: int, count: int) -> StripRow | None:
        """Strips [first, first + count) of a complete matrix with their range path; None where not all are here."""
        info = self.info(matrix)
        if info is None or not 0 <= first <= first + count <= info.strips:
            return None
        return self._read(matrix, lambda info: self._reader.read_row(matrix, info, first, count))

    def get_run(self, matrix: MatrixId, index: int) -> Run | None:
        """One run for a peer, which counts towards how much the matrix is wanted; None where it is not here."""
        info = self.info(matrix)
        if info is None or not 0 <= index < count_runs(info):
            return None
        found = self._read(matrix, lambda info: self._reader.read_run(matrix, info, index))
        if found is not None:
            self._shelf.note(matrix, 1 / count_runs(info))
        return found

    # What is kept

    def set_needed(self, ids: Collection[MatrixId], late: Collection[MatrixId] = ()) -> None:
        """What the chain needs now, which is never dropped, and what it needed lately, which gives way last.

        It replaces what was. Before the first time nothing is dropped at all.
        """
        self._shelf.set_needed(ids, late)

    def is_needed(self, matrix: MatrixId) -> bool:
        return self._shelf.is_needed(matrix)

    def is_pinned(self, matrix: MatrixId) -> bool:
        return matrix in self._shelf.book.pins

    def list_pins(self) -> list[MatrixId]:
        """Pinned ones, here or not."""
        with self._shelf.lock:
            return list(self._shelf.book.pins)

    def pin(self, matrix: MatrixId) -> None:
        """Never drop a matrix, here or yet to come; on disk when this returns. MeshError: "too-many-pins", ..."""
        self._shelf.pin(matrix)

    def unpin(self, matrix: MatrixId) -> bool:
        """Whether it was pinned."""
        return self._shelf.unpin(matrix)

    def set_quota(self, quota: int | None) -> None:
        """Another quota from now on; see Shelf.set_quota."""
        self._shelf.set_quota(quota)

    def get_demand(self, matrix: MatrixId) -> float:
        """Requests of others that count now."""
        return self._shelf.get_demand(matrix)

    def is_promised(self, matrix: MatrixId) -> bool:
        """Whether the chain needs it, or did lately, or this node's owner does: the network may not lose it."""
        return self.is_needed(matrix) or self._shelf.is_late(matrix) or self.is_pinned(matrix)

    def may_lend(self, info: MatrixInfo) -> bool:
        """Whether this node takes a copy for others: what is promised always, as far as there can be room for it."""
        return self.is_promised(info.id) or self._shelf.may_lend(info)

    def set_lent(self, matrix: MatrixId) -> None:
        """It is kept for others."""
        self._shelf.note(matrix, is_lent=True)

    def may_let_go(self, matrix: MatrixId) -> bool:
        """Whether this copy may go where the network has enough others; see Shelf.may_let_go."""
        return self._shelf.may_let_go(matrix)

    def drop(self, matrix: MatrixId) -> bool:
        """Delete a matrix; False where it is pinned, needed, being read or written, or not here."""
        with self._shelf.lock:
            if self._shelf.is_kept(matrix) or not self._shelf.drop(matrix):
                return False
        self._reader.forget(matrix)
        return True

    def list_entries(self) -> list[Entry]:
        """All, whole or not, by id."""
        return self._shelf.list_entries()

    def get_status(self) -> StoreStatus:
        entries = self.list_entries()
        whole = sum(each.is_complete for each in entries)
        return StoreStatus(
            matrices=whole,
            incomplete=len(entries) - whole,
            bytes=self._shelf.bytes,
            quota=self._shelf.quota,
            free_bytes=self._shelf.count_free(),
            pinned=len(self._shelf.book.pins),
            needed=sum(each.is_needed for each in entries),
            evicted=self._shelf.evicted,
            damaged=self._damage_count,
            scrubbed_bytes=self.scrubber.bytes_read,
        )

    def save(self) -> None:
        """Write down pins and how much each matrix is wanted; MeshError where the disk refuses."""
        self._shelf.save()

    def copy_file(self, matrix: MatrixId, folder: Path) -> int:
        """Copy a complete matrix into another store's folder, and how many bytes; 0 where it is not here any more.

        Raises:
            OSError: the disk refuses.
        """
        with self._shelf.keep_busy(matrix):
            info = self.info(matrix)
            if info is None:
                return 0
            target = folder / self._shelf.get_path(matrix).relative_to(self._shelf.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            copy_file(self._shelf.get_path(matrix), target)
            return info.file_bytes

    def copy_book(self, folder: Path) -> None:
        """Copy pins and demand into another store's folder; OSError where the disk refuses."""
        self._shelf.copy_book(folder)

    def close(self) -> None:
        """Save, and let go of files; it may be used again."""
        self._arrivals.close()
        with suppress(MeshError):
            self._shelf.save()

    # What is spoiled

    def set_damaged(self, matrix: MatrixId) -> None:
        """Its file is not what it was: whatever of it is still right is kept, and the rest is to be fetched again."""
        with self._shelf.lock:
            info = self._shelf.whole.pop(matrix, None)
            if info is None:
                return
            self._damage_count += 1
            try:
                write_head(self._shelf.get_path(matrix), info)
                self._shelf.get_path(matrix).replace(self._shelf.get_part_path(matrix))
                self._shelf.parts[matrix] = info
                self._damaged.add(matrix)
            except OSError:
                self._shelf.give_back(info)
                set_aside(self._shelf.get_path(matrix))
        self._reader.forget(matrix)

    def list_missing(self) -> list[tuple[MatrixId, MatrixInfo | None]]:
        """What is to be fetched, with its shape where that is known: what was found damaged, and what is not whole of
        what is pinned or needed."""
        with self._shelf.lock:
            self._damaged = {id for id in self._damaged if id in self._shelf.parts}
            needed = (id for id in self._shelf.parts if self._shelf.is_needed(id))
            pinned = (id for id in self._shelf.book.pins if id not in self._shelf.whole)
            ids = dict.fromkeys((*sorted(self._damaged), *needed, *pinned))
            return [(id, self._shelf.parts.get(id)) for id in ids]

    def drop_stale(self) -> int:
        """Delete what began to come and did not go on for a day, unless it is pinned or needed; how many there were."""
        with self._shelf.lock:
            return sum(self._shelf.drop(id) for id in self._shelf.list_stale())

    def _read(self, matrix: MatrixId, read: Callable[[MatrixInfo], T]) -> T | None:
        """What `read` finds; None where the matrix is not here, or turns out to be damaged."""
        with self._shelf.keep_busy(matrix):
            info = self._shelf.whole.get(matrix)
            if info is None:
                return None
            try:
                return read(info)
            except (OSError, ValueError, InvalidMatrix):
                self.set_damaged(matrix)
                return None

    def _write(self, info: MatrixInfo, leaves: list[Hash], array: NDArray[Any]) -> None:
        with self._shelf.lock:
            if info.id in self._shelf.whole:
                return
            self._shelf.take_room(info)
        try:
            write_matrix(self._shelf.get_path(info.id), info, leaves, array)
        except OSError as error:
            self._shelf.give_back(info)
            raise explain(error, self._shelf.path) from error
        with self._shelf.lock:
            if info.id in self._shelf.whole:
                self._shelf.give_back(info)
                return
            part = self._shelf.parts.pop(info.id, None)
            if part is not None:
                self._shelf.give_back(part)
                self._shelf.get_part_path(info.id).unlink(missing_ok=True)
            self._shelf.whole[info.id] = info
        self._reader.set_verified(info.id)
