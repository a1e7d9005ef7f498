"""Receives matrices in runs: knows which runs are missing, and writes those that arrive."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from inos.mesh.download import Download
from inos.mesh.errors import MeshError, explain
from inos.mesh.files import MatrixInfo
from inos.mesh.inventory import Inventory
from inos.mesh.retention import Retention
from inos.mesh.runs import check_run
from inos.primitives.units import MatrixId
from inos.work.strips import check_shape

MAX_OPEN: Final = 64
"""So many files are open at once; beyond it another one is closed, and continues later."""


class Arrivals:
    """Takes downloads in. Several threads may call it: one at a time has a download, and any may check runs.

    Args:
        on_whole: is called with each matrix whose file is complete under its final name.
    """

    def __init__(self, inventory: Inventory, retention: Retention, on_whole: Callable[[MatrixInfo], None]) -> None:
        self._inventory = inventory
        self._retention = retention
        self._on_whole = on_whole
        self._lock = threading.Lock()
        self._open: OrderedDict[MatrixId, Download] = OrderedDict()

    def begin(self, info: MatrixInfo) -> None:
        """Begin a matrix or resume its download. The runs on disk are read and checked, which takes time.

        Room is taken as `Retention.begin_part` says.

        Raises:
            InvalidMatrix: no matrix can have this shape. MeshError: "store-full", "disk-full", "disk-refuses".
        """
        check_shape(info.dtype, info.rows, info.cols)
        with self._inventory.lock:
            if info.id in self._inventory.whole:
                return
            is_new = info.id not in self._inventory.parts
            if is_new:
                self._retention.begin_part(info)
                self._retention.note(info.id, 1.0)
            else:
                info = self._inventory.parts[info.id]
                self._inventory.found_parts.discard(info.id)
                if self._retention.is_promised(info.id):
                    self._retention.grow_part(info, info.file_bytes)
            has_room = self._inventory.booked[info.id] >= info.file_bytes
        with self._inventory.keep_busy(info.id), (download := self._get(info)).lock:
            try:
                download.open(has_room=has_room)
                if download.is_complete:
                    self._finish(info, download)
            except OSError as error:
                if info.id in self._inventory.whole:
                    return
                if is_new:
                    self._retention.drop(info.id)
                raise explain(error, self._inventory.path) from error

    def add_run(self, matrix: MatrixId, index: int, data: bytes, path: Sequence[bytes]) -> bool:
        """Verify and write one run; return True if the matrix is then complete.

        Raises:
            InvalidMatrix: it is not run `index` of this matrix.
            MeshError: "unknown-matrix" without `begin`; "disk-full", "disk-refuses": the run counts as missing.
        """
        with self._inventory.keep_busy(matrix):
            if matrix in self._inventory.whole:
                return True
            info = self._inventory.parts.get(matrix)
            if info is None:
                raise MeshError("unknown-matrix", f"no matrix {matrix.hex()} is being fetched")
            leaves = check_run(info, index, data, path)
            download = self._get(info)
            with download.lock:
                try:
                    if not download.has(index):
                        self._retention.grow_part(info, len(data) + len(leaves))
                    download.add(index, data, leaves)
                    return download.is_complete and self._finish(info, download)
                except OSError as error:
                    if matrix in self._inventory.whole:  # `put` stored it meanwhile, and deleted the part
                        return True
                    raise explain(error, self._inventory.path) from error

    def list_missing(self, matrix: MatrixId, limit: int) -> list[int]:
        """Return at most `limit` missing runs, lowest first; none if the matrix is complete or unknown."""
        with self._lock:
            download = self._open.get(matrix)
        return [] if download is None or matrix not in self._inventory.parts else download.list_missing(limit)

    def count_here(self, matrix: MatrixId) -> int | None:
        """Return how many runs are here of a matrix being fetched, or None if it is not."""
        with self._lock:
            download = self._open.get(matrix)
        return None if download is None else download.runs_here

    def forget(self, matrix: MatrixId) -> None:
        """Close the file of a download that was dropped; its room on disk is free only then."""
        with self._lock:
            download = self._open.pop(matrix, None)
        if download is not None:
            with download.lock:
                download.close()

    def close(self) -> None:
        """Close all files; every download can be resumed."""
        with self._lock:
            downloads, self._open = list(self._open.values()), OrderedDict()
        for each in downloads:
            with each.lock:
                each.close()

    def _get(self, info: MatrixInfo) -> Download:
        """Return the download of `info`, the inventory's own object: one dropped in between is begun anew."""
        with self._lock:
            gone = [each for id, each in self._open.items() if self._inventory.parts.get(id) is not each.info]
            for each in gone:
                del self._open[each.info.id]
            download = self._open.pop(info.id, None) or Download(self._inventory.get_part_path(info.id), info)
            self._open[info.id] = download
            idle = [self._open[id] for id in list(self._open)[:-MAX_OPEN]]
        for each in gone + idle:
            with each.lock:
                each.close()
        return download

    def _finish(self, info: MatrixInfo, download: Download) -> bool:
        """Rename a complete download. Raises OSError."""
        if info.id in self._inventory.whole:
            return True
        if not download.finish(self._inventory.get_path(info.id)):
            return False
        with self._inventory.lock:
            if self._inventory.end_part(info.id) is not None:  # Otherwise `put` stored it meanwhile.
                self._inventory.bytes += info.file_bytes
            self._inventory.whole[info.id] = info
        with self._lock:
            self._open.pop(info.id, None)
        self._on_whole(info)
        return True
