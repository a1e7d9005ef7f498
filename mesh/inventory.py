"""Knows which matrices are on disk: their files, the room they take, and which of them are in use."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from inos.mesh.files import PART_SUFFIX, PARTIAL_SUFFIX, SUFFIX, MatrixInfo, read_info, set_aside
from inos.primitives.units import MatrixId

STALE_MS: Final = 24 * 3600 * 1000
"""A download without progress for a day counts as given up."""


class Inventory:
    """Holds the files of a matrix store. Safe to call from several threads; every change is made under `lock`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.RLock()
        self.whole: dict[MatrixId, MatrixInfo] = {}
        self.parts: dict[MatrixId, MatrixInfo] = {}
        """These matrices are being fetched or are damaged: their room is taken, their files are incomplete."""
        self.bytes = 0
        """Counts the bytes of all these files, and of those being written."""
        self.found_short: set[MatrixId] = set()
        """The files of these parts were shorter than their shape when the folder was read."""
        self._busy: dict[MatrixId, int] = {}
        path.mkdir(parents=True, exist_ok=True)
        self._scan()

    def get_path(self, matrix: MatrixId) -> Path:
        """Return the path of a complete matrix's file."""
        name = matrix.hex()
        return self.path / name[:2] / f"{name}{SUFFIX}"

    def get_part_path(self, matrix: MatrixId) -> Path:
        """Return the path of an incomplete matrix's file."""
        return self.get_path(matrix).with_suffix(PART_SUFFIX)

    @contextmanager
    def keep_busy(self, matrix: MatrixId) -> Iterator[None]:
        """Keep a matrix from being dropped while the block runs."""
        with self.lock:
            self._busy[matrix] = self._busy.get(matrix, 0) + 1
        try:
            yield
        finally:
            with self.lock:
                self._busy[matrix] -= 1
                if not self._busy[matrix]:
                    del self._busy[matrix]

    def is_busy(self, matrix: MatrixId) -> bool:
        """Return True while the matrix is read or written."""
        return matrix in self._busy

    def give_back(self, info: MatrixInfo) -> None:
        """Release the room of a file that was not written."""
        with self.lock:
            self.bytes -= info.file_bytes

    def delete(self, matrix: MatrixId) -> bool:
        """Delete a matrix's file, complete or not, and return False if there is none."""
        with self.lock:
            info = self.whole.pop(matrix, None) or self.parts.pop(matrix, None)
            if info is None:
                return False
            self.get_path(matrix).unlink(missing_ok=True)
            self.get_part_path(matrix).unlink(missing_ok=True)
            self.bytes -= info.file_bytes
            return True

    def list_stale(self) -> list[MatrixId]:
        """Return the parts that were not written to for STALE_MS, by the file's own clock."""
        found = []
        for id in self.parts:
            with suppress(OSError):
                age_s = time.time() - self.get_part_path(id).stat().st_mtime
                if age_s * 1000 > STALE_MS:
                    found.append(id)
        return found

    def count_free(self) -> int:
        """Return the free bytes of the disk."""
        disk = os.statvfs(self.path)
        return disk.f_bavail * disk.f_frsize

    def _scan(self) -> None:
        """Read the folder. Files that were being written are deleted; a file shorter than its shape becomes a part."""
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
