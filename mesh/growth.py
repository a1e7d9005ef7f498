"""Matrices made here a slice of rows at a time, by the name under which they are found after a restart."""

from pathlib import Path
from typing import Final

from inos.mesh.errors import explain
from inos.mesh.files import HEAD_BYTES, MatrixInfo, sync_folder
from inos.mesh.growing import GrowingMatrix
from inos.mesh.shelf import Shelf
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.matrices import MatrixRef, make_matrix_ref
from inos.primitives.units import ZERO_HASH, Hash

DONE_SUFFIX: Final = ".done"


class Growth:
    """The folder of growing matrices, and their way into the store."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def open(self, name: str, dtype: int, rows: int, cols: int) -> GrowingMatrix:
        """See MatrixStore.open_growing."""
        size = MatrixInfo(dtype, rows, cols, ZERO_HASH).file_bytes
        path = self._get_path(name)
        with self._shelf.lock:
            self._shelf.check_room(0 if path.exists() else size, size)
        return GrowingMatrix(path, dtype, rows, cols)

    def adopt(self, growing: GrowingMatrix) -> MatrixInfo:
        """Take a growing matrix whose rows are all there into the store; raises as MatrixStore.adopt."""
        shelf = self._shelf
        with shelf.lock:
            shelf.take_room(MatrixInfo(growing.dtype, growing.rows, growing.cols, ZERO_HASH), is_new_file=False)
        is_moved = False
        try:
            info, path = growing.finish()
            is_moved = self._move(info, path)
        finally:
            if not is_moved:
                shelf.give_back(MatrixInfo(growing.dtype, growing.rows, growing.cols, ZERO_HASH))
        return info

    def find_adopted(self, name: str) -> MatrixRef | None:
        """See MatrixStore.find_adopted."""
        path = self._get_path(name).with_suffix(DONE_SUFFIX)
        try:
            info = decode(MatrixInfo, path.read_bytes(), limit=HEAD_BYTES)
        except (OSError, CodecError):
            return None
        is_here = info.id in self._shelf.whole
        return make_matrix_ref(info.dtype, info.rows, info.cols, Hash(info.root)) if is_here else None

    def drop(self, name: str) -> None:
        """See MatrixStore.drop_growing."""
        path = self._get_path(name)
        path.unlink(missing_ok=True)
        path.with_suffix(DONE_SUFFIX).unlink(missing_ok=True)

    def _move(self, info: MatrixInfo, path: Path) -> bool:
        """Whether the file is the matrix's now; it was here before where not."""
        target = self._shelf.get_path(info.id)
        with self._shelf.lock:
            try:
                path.with_suffix(DONE_SUFFIX).write_bytes(encode(info))
                if info.id in self._shelf.whole:
                    path.unlink(missing_ok=True)
                    return False
                target.parent.mkdir(parents=True, exist_ok=True)
                self._shelf.drop(info.id)
                path.replace(target)
                sync_folder(target.parent)
            except OSError as error:
                raise explain(error, self._shelf.path) from error
            self._shelf.whole[info.id] = info
        return True

    def _get_path(self, name: str) -> Path:
        if not name.isalnum():
            raise ValueError(f"{name!r} is no name for a file")
        return self._shelf.path / "growing" / name
