"""Stores the matrices a node holds, and those it receives."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
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
from inos.primitives.matrices import DType, MatrixRef, StripRow, make_matrix_ref
from inos.primitives.units import Hash, MatrixId
from inos.work.files import compute_file_tree
from inos.work.strips import InvalidMatrix, StripTree, compute_leaf_row, get_dtype

__all__ = ["MatrixInfo", "MatrixStore", "MeshError", "StoreStatus"]

T = TypeVar("T")


def _read_clock() -> int:
    return time.time_ns() // 1_000_000


class StoreStatus(Struct, frozen=True, kw_only=True):
    """Holds the store's statistics."""

    matrices: int
    """Counts complete matrices."""
    incomplete: int
    bytes: int
    quota: int | None
    """All files may have this many bytes; None for no limit but the disk's."""
    free_bytes: int
    """The disk has this many free bytes."""
    pinned: int
    needed: int
    """Counts the matrices here that the chain needs."""
    evicted: int
    """Counts since the start, as do the next two."""
    damaged: int
    """Counts files that were found damaged."""
    scrubbed_bytes: int


class MatrixStore:
    """Stores matrices by id in a folder. Several threads may call it.

    All that is read back is checked: a matrix whose file changed counts as missing, and is fetched again, so that a
    bad disk never makes a right result look wrong. `arrivals` receives matrices in runs, `growth` those that are
    made here a slice of rows at a time, and `retention` decides what is kept.

    Args:
        max_bytes: the quota, beyond which the least wanted matrices are evicted; None for no limit but the disk's.
        reserve: this many bytes of the disk are left free; None for the default share of it.
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
        self.path = path
        self._inventory = Inventory(path)
        self.retention = Retention(self._inventory, max_bytes, reserve, now_ms)
        self._reader = Reader(self._inventory)
        self.arrivals = Arrivals(self._inventory, self.retention, lambda info: self._reader.set_verified(info.id))
        self.growth = Growth(self._inventory, self.retention)
        self.scrubber = Scrubber(self._inventory, self.set_damaged)
        self._damaged = set(self._inventory.found_short)
        self._damage_count = len(self._damaged)

    def count_bytes(self) -> int:
        """Return the bytes of all files, those of incomplete matrices included."""
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

    def find_info(self, matrix: MatrixId) -> MatrixInfo | None:
        """Return data type, size and root of a matrix that is here or has begun to arrive, or None."""
        with self._inventory.lock:
            return self._inventory.whole.get(matrix) or self._inventory.parts.get(matrix)

    # These methods say what is stored.

    def put(self, array: NDArray[Any], *, is_own: bool = True) -> MatrixRef:
        """Store an int8 operand or int32 result; write nothing if it is here already. `put_bytes` stores files.

        Args:
            is_own: it was given or made on this machine, not fetched.

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

    def put_bytes(self, data: bytes | memoryview, *, is_own: bool = True) -> MatrixRef:
        """Store a file, as `put` stores a matrix of numbers.

        Raises:
            InvalidMatrix: "file-too-long". MeshError: "store-full", "disk-full", "disk-refuses".
        """
        ref, tree = compute_file_tree(data)
        info = MatrixInfo(DType.BYTES, ref.rows, ref.cols, ref.root)
        with self._inventory.keep_busy(info.id):
            self._write(info, tree.leaves, np.frombuffer(data, np.uint8))
        self.retention.note(info.id, 1.0, is_own=is_own)
        return ref

    def adopt(self, growing: GrowingMatrix) -> MatrixRef:
        """Move a matrix of `growth` whose rows are all there into the store, without copying it.

        Raises:
            ValueError: rows are missing. MeshError: "store-full", "disk-full", "disk-refuses".
        """
        info = self.growth.adopt(growing)
        self._reader.set_verified(info.id)
        self.retention.note(info.id, 1.0, is_own=True)
        return make_matrix_ref(info.dtype, info.rows, info.cols, Hash(info.root))

    # These methods read matrices.

    def get(self, matrix: MatrixId) -> NDArray[Any] | None:
        """Return the matrix, read-only, or None. A file is one row of uint8, mapped if it is large."""
        found = self._read(matrix, lambda info: self._reader.read(matrix, info))
        if found is not None:
            self.retention.note(matrix)
        return found

    def get_bytes(self, matrix: MatrixId) -> bytes | None:
        """Return a file, or None if it is not here.

        Raises:
            InvalidMatrix: "not-bytes" if the matrix is one of numbers.
        """
        info = self.info(matrix)
        if info is not None and info.dtype != DType.BYTES:
            raise InvalidMatrix("not-bytes", f"matrix {matrix.hex()} is no file, but {info.rows} x {info.cols} numbers")
        found = self.get(matrix)
        return None if found is None else found.tobytes()

    def open_file(self, matrix: MatrixId) -> tuple[int, MatrixInfo] | None:
        """Return a descriptor of a complete matrix's file, which the caller closes, and what it holds; None if it is
        not here. What is read through it is not checked."""
        with self._inventory.keep_busy(matrix):
            info = self._inventory.whole.get(matrix)
            if info is None:
                return None
            try:
                return os.open(self._inventory.get_path(matrix), os.O_RDONLY | os.O_CLOEXEC), info
            except OSError:
                self.set_damaged(matrix)
                return None

    def get_strips(self, matrix: MatrixId, first: int, count: int) -> list[tuple[bytes, tuple[Hash, ...]]]:
        """Return strips [first, first + count) of a complete matrix with their paths; fewer at its end, none if
        unknown."""
        if first < 0:
            return []
        return self._read(matrix, lambda info: self._reader.read_strips(matrix, info, first, count)) or []

    def open_row(self, matrix: MatrixId, first: int, count: int) -> StripRow | None:
        """Return strips [first, first + count) of a complete matrix with their range path; None if not all are here."""
        info = self.info(matrix)
        if info is None or not 0 <= first <= first + count <= info.strips:
            return None
        return self._read(matrix, lambda info: self._reader.read_row(matrix, info, first, count))

    def get_run(self, matrix: MatrixId, index: int) -> Run | None:
        """Return one run for a peer, which counts as a request for the matrix; None if it is not here."""
        info = self.info(matrix)
        if info is None or not 0 <= index < count_runs(info):
            return None
        found = self._read(matrix, lambda info: self._reader.read_run(matrix, info, index))
        if found is not None:
            self.retention.note(matrix, 1 / count_runs(info))
        return found

    def drop(self, matrix: MatrixId, wait_s: float = 0.0) -> bool:
        """Delete a matrix, and return False if it is pinned, needed, not here, or still being read or written after
        `wait_s` seconds."""
        with self._inventory.lock:
            self._inventory.wait_until_idle(matrix, wait_s)
            if self.retention.is_kept(matrix) or not self.retention.drop(matrix):
                return False
        self._reader.forget(matrix)
        self.arrivals.forget(matrix)
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
        """Copy a complete matrix into another store's folder, and return how many bytes; 0 if it is not here any
        more, or its file is cut off.

        Raises:
            OSError: the disk refuses.
        """
        with self._inventory.keep_busy(matrix):
            info = self.info(matrix)
            if info is None:
                return 0
            path = self._inventory.get_path(matrix)
            target = folder / path.relative_to(self._inventory.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            copy_file(path, target)
            if target.stat().st_size == info.file_bytes:
                return info.file_bytes
            target.unlink()
            self.set_damaged(matrix)
            return 0

    def close(self) -> None:
        """Save pins, quota and demand, and close files. The store may be used again."""
        self.arrivals.close()
        with suppress(MeshError):
            self.retention.save()

    # These methods handle damaged files.

    def set_damaged(self, matrix: MatrixId) -> None:
        """Record that a matrix's file is damaged: its intact runs are kept, and the others are to be fetched again."""
        with self._inventory.lock:
            info = self._inventory.whole.pop(matrix, None)
            if info is None:
                return
            self._damage_count += 1
            try:
                write_head(self._inventory.get_path(matrix), info)
                self._inventory.get_path(matrix).replace(self._inventory.get_part_path(matrix))
                self._inventory.give_back(info)
                self._inventory.add_part(info, info.file_bytes)
                self._damaged.add(matrix)
            except OSError:
                self._inventory.give_back(info)
                set_aside(self._inventory.get_path(matrix))
        self._reader.forget(matrix)

    def is_damaged(self, matrix: MatrixId) -> bool:
        """Return True if damage of a stored matrix was found, and it is not complete again yet."""
        return matrix in self._damaged and matrix in self._inventory.parts

    def list_missing(self) -> list[tuple[MatrixId, MatrixInfo | None]]:
        """Return what is to be fetched, with its shape if it is known: matrices found damaged, and those that are
        pinned or needed but not complete."""
        with self._inventory.lock:
            self._damaged = {id for id in self._damaged if id in self._inventory.parts}
            needed = (id for id in self._inventory.parts if self.retention.is_needed(id))
            pinned = (id for id in self.retention.list_pins() if id not in self._inventory.whole)
            ids = dict.fromkeys((*sorted(self._damaged), *needed, *pinned))
            return [(id, self._inventory.parts.get(id)) for id in ids]

    def _read(self, matrix: MatrixId, read: Callable[[MatrixInfo], T]) -> T | None:
        """Return what `read` returns, or None if the matrix is not here or proves damaged."""
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
            if self._inventory.end_part(info.id) is not None:
                self._inventory.get_part_path(info.id).unlink(missing_ok=True)
            self._inventory.whole[info.id] = info
        self._reader.set_verified(info.id)
