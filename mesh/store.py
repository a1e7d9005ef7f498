"""The matrices a node holds, and those on their way to it."""

import time
from collections.abc import Callable
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
from inos.mesh.inventory import Inventory
from inos.mesh.reading import Reader
from inos.mesh.retention import Retention
from inos.mesh.runs import Run, count_runs
from inos.mesh.scrub import Scrubber
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
    """Matrices by id in a folder. Safe to call from several threads.

    Whatever is read back is checked: a matrix whose file changed counts as not here, and is fetched again, so that a
    bad disk never makes a right result look wrong. `arrivals` takes matrices that come in runs, `growth` those that
    are made here a slice of rows at a time, and `retention` decides what is kept.

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
        self._inventory = Inventory(path)
        self.retention = Retention(self._inventory, max_bytes, reserve, now_ms)
        self._reader = Reader(self._inventory)
        self.arrivals = Arrivals(self._inventory, self.retention, lambda info: self._reader.set_verified(info.id))
        self.growth = Growth(self._inventory, self.retention)
        self.scrubber = Scrubber(self._inventory, self.set_damaged)
        self._damaged = set(self._inventory.found_short)
        self._damage_count = len(self._damaged)

    def count_bytes(self) -> int:
        """Return the bytes of all files, those of matrices on their way included."""
        with self._inventory.lock:
            return self._inventory.bytes

    def list_ids(self) -> list[MatrixId]:
        """Return the ids of all complete matrices."""
        with self._inventory.lock:
            return sorted(self._inventory.whole)

    def has(self, matrix: MatrixId) -> bool:
        """Return True if the matrix is complete here."""
        return matrix in self._inventory.whole

    def info(self, matrix: MatrixId) -> MatrixInfo | None:
        """Return data type, size and root of a complete matrix, or None."""
        return self._inventory.whole.get(matrix)

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
        with self._inventory.keep_busy(info.id):
            self._write(info, tree.leaves, array)
        self.retention.note(info.id, 1.0, is_own=is_own)
        return ref

    def adopt(self, growing: GrowingMatrix) -> MatrixRef:
        """Take a matrix of `growth` whose rows are all there into the store; nothing is copied.

        Raises:
            ValueError: rows are missing. MeshError: "store-full", "disk-full", "disk-refuses".
        """
        info = self.growth.adopt(growing)
        self._reader.set_verified(info.id)
        self.retention.note(info.id, 1.0, is_own=True)
        return make_matrix_ref(info.dtype, info.rows, info.cols, Hash(info.root))

    # What is read

    def get(self, matrix: MatrixId) -> NDArray[Any] | None:
        """The matrix, read-only, or None."""
        found = self._read(matrix, lambda info: self._reader.read(matrix, info))
        if found is not None:
            self.retention.note(matrix)
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
            self.retention.note(matrix, 1 / count_runs(info))
        return found

    def drop(self, matrix: MatrixId) -> bool:
        """Delete a matrix, and return False if it is pinned, needed, being read or written, or not here."""
        with self._inventory.lock:
            if self.retention.is_kept(matrix) or not self.retention.drop(matrix):
                return False
        self._reader.forget(matrix)
        return True

    def get_status(self) -> StoreStatus:
        entries = self.retention.list_entries()
        whole = sum(each.is_complete for each in entries)
        return StoreStatus(
            matrices=whole,
            incomplete=len(entries) - whole,
            bytes=self._inventory.bytes,
            quota=self.retention.quota,
            free_bytes=self._inventory.count_free(),
            pinned=len(self.retention.list_pins()),
            needed=sum(each.is_needed for each in entries),
            evicted=self.retention.evicted,
            damaged=self._damage_count,
            scrubbed_bytes=self.scrubber.bytes_read,
        )

    def copy_file(self, matrix: MatrixId, folder: Path) -> int:
        """Copy a complete matrix into another store's folder, and how many bytes; 0 where it is not here any more.

        Raises:
            OSError: the disk refuses.
        """
        with self._inventory.keep_busy(matrix):
            info = self.info(matrix)
            if info is None:
                return 0
            target = folder / self._inventory.get_path(matrix).relative_to(self._inventory.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            copy_file(self._inventory.get_path(matrix), target)
            return info.file_bytes

    def close(self) -> None:
        """Save what it remembers, and close files. The store may be used again."""
        self.arrivals.close()
        with suppress(MeshError):
            self.retention.save()

    # What is spoiled

    def set_damaged(self, matrix: MatrixId) -> None:
        """Its file is not what it was: whatever of it is still right is kept, and the rest is to be fetched again."""
        with self._inventory.lock:
            info = self._inventory.whole.pop(matrix, None)
            if info is None:
                return
            self._damage_count += 1
            try:
                write_head(self._inventory.get_path(matrix), info)
                self._inventory.get_path(matrix).replace(self._inventory.get_part_path(matrix))
                self._inventory.parts[matrix] = info
                self._damaged.add(matrix)
            except OSError:
                self._inventory.give_back(info)
                set_aside(self._inventory.get_path(matrix))
        self._reader.forget(matrix)

    def list_missing(self) -> list[tuple[MatrixId, MatrixInfo | None]]:
        """What is to be fetched, with its shape where that is known: what was found damaged, and what is not whole of
        what is pinned or needed."""
        with self._inventory.lock:
            self._damaged = {id for id in self._damaged if id in self._inventory.parts}
            needed = (id for id in self._inventory.parts if self.retention.is_needed(id))
            pinned = (id for id in self.retention.list_pins() if id not in self._inventory.whole)
            ids = dict.fromkeys((*sorted(self._damaged), *needed, *pinned))
            return [(id, self._inventory.parts.get(id)) for id in ids]

    def _read(self, matrix: MatrixId, read: Callable[[MatrixInfo], T]) -> T | None:
        """What `read` finds; None where the matrix is not here, or turns out to be damaged."""
        with self._inventory.keep_busy(matrix):
            info = self._inventory.whole.get(matrix)
            if info is None:
                return None
            try:
                return read(info)
            except (OSError, ValueError, InvalidMatrix):
                self.set_damaged(matrix)
                return None

    def _write(self, info: MatrixInfo, leaves: list[Hash], array: NDArray[Any]) -> None:
        with self._inventory.lock:
            if info.id in self._inventory.whole:
                return
            self.retention.take_room(info)
        try:
            write_matrix(self._inventory.get_path(info.id), info, leaves, array)
        except OSError as error:
            self._inventory.give_back(info)
            raise explain(error, self._inventory.path) from error
        with self._inventory.lock:
            if info.id in self._inventory.whole:
                self._inventory.give_back(info)
                return
            part = self._inventory.parts.pop(info.id, None)
            if part is not None:
                self._inventory.give_back(part)
                self._inventory.get_part_path(info.id).unlink(missing_ok=True)
            self._inventory.whole[info.id] = info
        self._reader.set_verified(info.id)
