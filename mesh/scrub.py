"""Reads all stored matrices over and over, and finds files that the disk has damaged."""

import os
import threading
from bisect import bisect_right
from collections.abc import Callable

from inos.mesh.files import MatrixInfo, read_info, read_leaves
from inos.mesh.inventory import Inventory
from inos.mesh.runs import compute_run_leaves, count_runs, get_bounds, read_run
from inos.primitives.units import HASH_BYTES, MatrixId
from inos.work.strips import InvalidMatrix, StripTree


class Scrubber:
    """Checks one run a step, by id and in order; after the last it begins again. Several threads may call it.

    Args:
        on_damaged: is called with each matrix whose file does not match its id.
    """

    def __init__(self, inventory: Inventory, on_damaged: Callable[[MatrixId], None]) -> None:
        self._inventory = inventory
        self._on_damaged = on_damaged
        self._lock = threading.Lock()
        self._matrix: MatrixId | None = None
        self._run = 0
        self._leaves = bytearray()
        self.bytes_read = 0
        """Counts since the start."""
        self.rounds = 0
        """Counts completed rounds."""

    def step(self) -> int:
        """Check one run, and return the bytes read; 0 if a round ends or nothing is stored."""
        with self._lock:
            matrix, info = self._find()
            if matrix is None or info is None:
                return 0
            with self._inventory.keep_busy(matrix):
                try:
                    read = self._check(matrix, info)
                except FileNotFoundError:
                    if matrix in self._inventory.whole:
                        self._on_damaged(matrix)
                    read = self._skip(info)
                except (OSError, InvalidMatrix):
                    self._on_damaged(matrix)
                    read = self._skip(info)
            self.bytes_read += read
            return read

    def _find(self) -> tuple[MatrixId | None, MatrixInfo | None]:
        """Return the matrix to continue with."""
        with self._inventory.lock:
            whole = self._inventory.whole
            if self._matrix is not None and self._matrix in whole and self._run < count_runs(whole[self._matrix]):
                return self._matrix, whole[self._matrix]
            ids = sorted(whole)
            at = 0 if self._matrix is None else bisect_right(ids, self._matrix)
            if at == len(ids):
                self.rounds += bool(ids)
                self._matrix = None
                return None, None
            self._matrix, self._run, self._leaves = ids[at], 0, bytearray()
            return self._matrix, whole[self._matrix]

    def _check(self, matrix: MatrixId, info: MatrixInfo) -> int:
        """Check one run. Raises InvalidMatrix, OSError."""
        path = self._inventory.get_path(matrix)
        if not self._run:
            if path.stat().st_size != info.file_bytes or read_info(path) != info:
                raise InvalidMatrix("bad-size", f"the file of matrix {matrix.hex()} is not as its shape says")
            self._leaves = read_leaves(path, info)
            if StripTree(self._leaves).root != info.root:
                raise InvalidMatrix("bad-matrix-id", f"the leaves in the file of matrix {matrix.hex()} are spoiled")
        first, last = get_bounds(info, self._run)
        file = os.open(path, os.O_RDONLY)
        try:
            if not self._run:
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)  # memory would hide the disk
            data = read_run(file, info, self._run)
        finally:
            os.close(file)
        if compute_run_leaves(data) != self._leaves[first * HASH_BYTES : last * HASH_BYTES]:
            raise InvalidMatrix("bad-path", f"run {self._run} in the file of matrix {matrix.hex()} is spoiled")
        self._run += 1
        return len(data)

    def _skip(self, info: MatrixInfo) -> int:
        self._run = count_runs(info)
        return min(info.data_bytes, 1)
