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

GROWING: Final = "growing"
"""The folder of the matrices that are made here a slice of rows at a time."""
STALE_MS: Final = 24 * 3600 * 1000
"""A download without progress for a day counts as given up."""


class Inventory:
    """Holds the files of a matrix store. Several threads may call it; every change is made under `lock`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.RLock()
        self._idle = threading.Condition(self.lock)
        self.whole: dict[MatrixId, MatrixInfo] = {}
        self.parts: dict[MatrixId, MatrixInfo] = {}
        """These matrices are being fetched or are damaged: their files are incomplete."""
        self.booked: dict[MatrixId, int] = {}
        """So many bytes are counted for each part: all of its file, or only what has arrived."""
        self.growing: dict[str, int] = {}
        """So many bytes are counted for each matrix that is made here a slice of rows at a time, by its name."""
        self.found_parts: set[MatrixId] = set()
        """These parts were on disk when the folder was read, and nothing has continued them."""
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
                    self._idle.notify_all()

    def wait_until_idle(self, matrix: MatrixId, limit_s: float) -> None:
        """Wait while the matrix is read or written, at most this long. The caller holds `lock`, which is released
        meanwhile."""
        self._idle.wait_for(lambda: not self.is_busy(matrix), limit_s)

    def is_busy(self, matrix: MatrixId) -> bool:
        """Return True while the matrix is read or written."""
        return matrix in self._busy

    def give_back(self, info: MatrixInfo) -> None:
        """Release the room of a file that was not written."""
        with self.lock:
            self.bytes -= info.file_bytes

    def count(self, matrix: MatrixId) -> int:
        """Return the bytes that are counted for a matrix."""
        info = self.whole.get(matrix)
        return self.booked.get(matrix, 0) if info is None else info.file_bytes

    def add_part(self, info: MatrixInfo, booked: int) -> None:
        """Note an incomplete matrix, of which this many bytes are counted from now on."""
        with self.lock:
            self.parts[info.id], self.booked[info.id] = info, booked
            self.bytes += booked

    def book(self, info: MatrixInfo, size: int) -> None:
        """Count this many bytes more of a part, up to those of its whole file."""
        with self.lock:
            more = min(size, info.file_bytes - self.booked[info.id])
            self.booked[info.id] += more
            self.bytes += more

    def end_part(self, matrix: MatrixId) -> MatrixInfo | None:
        """Forget an incomplete matrix and what was counted for it; its file stays. Return None if there is none."""
        with self.lock:
            self.bytes -= self.booked.pop(matrix, 0)
            self.found_parts.discard(matrix)
            return self.parts.pop(matrix, None)

    def set_growing(self, name: str, size: int) -> None:
        """Count this many bytes for a growing matrix; 0 forgets it."""
        with self.lock:
            self.bytes += size - self.growing.pop(name, 0)
            if size:
                self.growing[name] = size

    def delete(self, matrix: MatrixId) -> bool:
        """Delete a matrix's file, complete or not, and return False if there is none."""
        with self.lock:
            whole = self.whole.pop(matrix, None)
            if whole is None and self.end_part(matrix) is None:
                return False
            self.get_path(matrix).unlink(missing_ok=True)
            self.get_part_path(matrix).unlink(missing_ok=True)
            self.bytes -= 0 if whole is None else whole.file_bytes
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
        for path in self.path.glob(f"{GROWING}/*"):
            if not path.suffix:
                self.set_growing(path.name, count_disk_bytes(path))
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
        part = self.get_part_path(info.id)
        path.replace(part)
        self.add_part(info, min(info.file_bytes, count_disk_bytes(part)))
        self.found_parts.add(info.id)


def count_disk_bytes(path: Path) -> int:
    """Return how many bytes of the disk a file takes, which are fewer than its length if nothing was written."""
    return path.stat().st_blocks * 512
