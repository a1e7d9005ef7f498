"""Receives a matrix: puts verified runs into their places in a file that outlives the process.

The file has the layout of a stored matrix from the start and is renamed when it is complete. A run's leaves are
written after its entries, so when the file is opened again, a run that fits its leaves is complete; the others are
fetched.
"""

import os
import threading
from pathlib import Path
from typing import Final

from inos.mesh.files import HEAD_BYTES, MatrixInfo, encode_head, read_info, sync_folder
from inos.mesh.runs import (
    compute_run_leaves,
    count_runs,
    get_bounds,
    get_leaf_offset,
    read_exactly,
    read_run,
    write_exactly,
    write_run,
)
from inos.primitives.units import HASH_BYTES
from inos.work.strips import StripTree

FLUSH_BYTES: Final = 8 << 20
"""After this many bytes the disk is told to begin writing, so that not all of it is left for the end."""


class Download:
    """Belongs to one thread at a time. It starts closed, so an unfinished download costs nothing until it is needed."""

    def __init__(self, path: Path, info: MatrixInfo) -> None:
        self.info = info
        self.path = path
        self.lock = threading.Lock()
        self._file = -1
        self._here = bytearray(count_runs(info))
        """One byte a run says whether the run is here."""
        self._is_read = False
        self._unflushed = 0

    @property
    def is_complete(self) -> bool:
        return self._here.find(0) < 0

    @property
    def runs_here(self) -> int:
        return self._here.count(1)

    def has(self, index: int) -> bool:
        """Return True if this run is here."""
        return bool(self._here[index])

    def open(self, *, has_room: bool = False) -> None:
        """Find the runs that are there already; do nothing if it is open.

        Args:
            has_room: take the room of the whole file on disk; else each run takes its own when it arrives.

        Raises:
            OSError: the disk refuses, or has no room; the runs on disk are still there.
        """
        if self._file >= 0:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_old = read_info(self.path) == self.info
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | (0 if is_old else os.O_TRUNC), 0o644)
        try:
            if os.fstat(self._file).st_size > self.info.file_bytes:
                os.ftruncate(self._file, self.info.file_bytes)
            if has_room:
                os.posix_fallocate(self._file, 0, self.info.file_bytes)
            else:
                os.ftruncate(self._file, self.info.file_bytes)
            if not is_old:
                self._here = bytearray(len(self._here))
                write_exactly(self._file, encode_head(self.info), 0)
            elif not self._is_read:
                self._find_whole()
            self._is_read = True
        except OSError:
            self.close()
            if not is_old:
                self.path.unlink(missing_ok=True)
            raise

    def list_missing(self, limit: int) -> list[int]:
        """Return at most `limit` missing runs, lowest first."""
        missing: list[int] = []
        at = self._here.find(0)
        while at >= 0 and len(missing) < limit:
            missing.append(at)
            at = self._here.find(0, at + 1)
        return missing

    def add(self, index: int, data: bytes, leaves: bytes | bytearray) -> None:
        """Write a run that `check_run` has verified into its place.

        Raises:
            OSError: the disk refuses; the run counts as missing.
        """
        if self._here[index]:
            return
        self.open()
        write_run(self._file, self.info, index, data)
        write_exactly(self._file, leaves, get_leaf_offset(get_bounds(self.info, index)[0]))
        self._here[index] = 1
        self._unflushed += len(data)
        if self._unflushed >= FLUSH_BYTES:
            self._unflushed = 0
            # Linux begins to write the pages it is advised to drop, and the call does not wait for them.
            os.posix_fadvise(self._file, 0, 0, os.POSIX_FADV_DONTNEED)

    def finish(self, target: Path) -> bool:
        """Make it a stored matrix. Return False if the file does not have the runs that were added; all count as
        missing then.

        Raises:
            OSError: the disk refuses.
        """
        self.open()
        leaves = read_exactly(self._file, self.info.strips * HASH_BYTES, HEAD_BYTES)
        if StripTree(bytearray(leaves)).root != self.info.root:
            self._here = bytearray(len(self._here))
            return False
        os.fsync(self._file)
        self.path.replace(target)
        sync_folder(target.parent)
        self.close()
        return True

    def close(self) -> None:
        """Close the file; the download can be opened again."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _find_whole(self) -> None:
        """Find the runs whose leaves fit their entries. A run never written has leaves of zeros, which no entries
        hash to."""
        for index in range(len(self._here)):
            first, last = get_bounds(self.info, index)
            kept = read_exactly(self._file, (last - first) * HASH_BYTES, get_leaf_offset(first))
            if any(kept[:HASH_BYTES]) and compute_run_leaves(read_run(self._file, self.info, index)) == kept:
                self._here[index] = 1
