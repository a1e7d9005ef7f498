"""Keeps matrices that are made here a slice of rows at a time, by a name under which they are found after a restart."""

import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from inos.mesh.errors import MeshError, explain
from inos.mesh.files import HEAD_BYTES, MatrixInfo, sync_folder
from inos.mesh.growing import GrowingMatrix
from inos.mesh.inventory import GROWING, Inventory, count_disk_bytes
from inos.mesh.retention import Retention
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.matrices import DType, MatrixRef, make_matrix_ref
from inos.primitives.units import ZERO_HASH, Hash

DONE_SUFFIX: Final = ".done"


class Growth:
    """Manages the folder of growing matrices, and moves them into the store."""

    def __init__(self, inventory: Inventory, retention: Retention) -> None:
        self._inventory = inventory
        self._retention = retention

    def open(self, name: str, dtype: DType, rows: int, cols: int, *, is_own: bool = True) -> GrowingMatrix:
        """Open a matrix to write it a slice of rows at a time; rows written before under this name are kept.

        The rows count when they are written.

        Args:
            name: letters and digits; the caller chooses it, and finds the matrix by it after a restart.
            is_own: this node makes the matrix, so there must be room for all of it from the start.

        Raises:
            InvalidMatrix: no matrix can have this shape. MeshError: "store-full", "disk-full", "disk-refuses".
        """
        size = MatrixInfo(dtype, rows, cols, ZERO_HASH).file_bytes
        path = self._get_path(name)
        with self._inventory.lock:
            if is_own:
                here = self._inventory.growing.get(name, 0)
                self._retention.check_room(max(0, size - here), max(0, size - here))
        growing = GrowingMatrix(path, dtype, rows, cols, partial(self._retention.grow, name))
        self._inventory.set_growing(name, count_disk_bytes(path))
        return growing

    def has(self, name: str) -> bool:
        """Return True if a matrix grows under this name."""
        return self._get_path(name).exists()

    def list_idle(self, prefix: str) -> list[tuple[float, str]]:
        """Return the growing matrices whose names begin so, with the seconds since they were written, the oldest
        first."""
        found = []
        for name in [each for each in self._inventory.growing if each.startswith(prefix)]:
            with suppress(OSError):
                found.append((time.time() - self._get_path(name).stat().st_mtime, name))
        return sorted(found, reverse=True)

    def count_bytes(self, prefix: str) -> int:
        """Return the bytes of the growing matrices whose names begin so."""
        with self._inventory.lock:
            return sum(size for name, size in self._inventory.growing.items() if name.startswith(prefix))

    def adopt(self, growing: GrowingMatrix) -> MatrixInfo:
        """Move a growing matrix whose rows are all there into the store; raises as MatrixStore.adopt."""
        name = growing.path.name
        with self._inventory.lock:
            room = MatrixInfo(growing.dtype, growing.rows, growing.cols, ZERO_HASH)
            counted = self._inventory.growing.get(name, 0)
            self._inventory.set_growing(name, 0)
            try:
                self._retention.take_room(room, is_new_file=False)
            except MeshError:
                self._inventory.set_growing(name, counted)
                raise
        is_moved = False
        try:
            info, path = growing.finish()
            is_moved = self._move(info, path)
        finally:
            if not is_moved:
                self._inventory.give_back(room)
        return info

    def find_adopted(self, name: str) -> MatrixRef | None:
        """Return the stored matrix that grew under this name, until `drop`; None if it is not here."""
        path = self._get_path(name).with_suffix(DONE_SUFFIX)
        try:
            info = decode(MatrixInfo, path.read_bytes(), limit=HEAD_BYTES)
        except (OSError, CodecError):
            return None
        is_here = info.id in self._inventory.whole
        return make_matrix_ref(info.dtype, info.rows, info.cols, Hash(info.root)) if is_here else None

    def drop(self, name: str) -> None:
        """Forget the growing matrix of this name, if there is one. It must be closed; if it was stored, it stays."""
        path = self._get_path(name)
        path.unlink(missing_ok=True)
        path.with_suffix(DONE_SUFFIX).unlink(missing_ok=True)
        self._inventory.set_growing(name, 0)

    def _move(self, info: MatrixInfo, path: Path) -> bool:
        """Move the file into the store, and return False if the matrix was there already."""
        target = self._inventory.get_path(info.id)
        with self._inventory.lock:
            try:
                path.with_suffix(DONE_SUFFIX).write_bytes(encode(info))
                if info.id in self._inventory.whole:
                    path.unlink(missing_ok=True)
                    return False
                target.parent.mkdir(parents=True, exist_ok=True)
                self._retention.drop(info.id)
                path.replace(target)
                sync_folder(target.parent)
            except OSError as error:
                raise explain(error, self._inventory.path) from error
            self._inventory.whole[info.id] = info
        return True

    def _get_path(self, name: str) -> Path:
        if not name.isalnum():
            raise ValueError(f"{name!r} is not a valid file name")
        return self._inventory.path / GROWING / name
