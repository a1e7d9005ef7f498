"""The matrices a node holds, and those on their way to it."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mesh.errors import MeshError
from mesh.files import (
    HEAD_BYTES,
    PARTIAL_SUFFIX,
    SUFFIX,
    MatrixInfo,
    map_array,
    read_info,
    read_leaves,
    set_aside,
    sync_folder,
    write_matrix,
)
from mesh.growing import GrowingMatrix
from mesh.partial import Partial
from primitives.codec import decode, encode
from primitives.errors import CodecError
from primitives.hashing import Context, compute_hash
from primitives.matrices import MatrixRef, StripRow, make_matrix_ref
from primitives.units import HASH_BYTES, ZERO_HASH, Hash, MatrixId
from work.strips import ITEM_BYTES, InvalidMatrix, StripTree, check_shape, compute_leaf_row, compute_strip, get_dtype

__all__ = ["MatrixInfo", "MatrixStore", "MeshError"]

DEFAULT_MAX_PARTIAL_BYTES: Final = 256 << 20
OPEN_TREES: Final = 64
DONE_SUFFIX: Final = ".done"


class MatrixStore:
    """Matrices by id in a folder; safe to call from several threads.

    A file that another process wrote is hashed when it is first read: what no longer has its id is set aside and
    counts as not here, so that a spoiled disk never makes a right result look wrong.

    Args:
        max_bytes: refuse more than this in all; None for no limit but the disk's.
        max_partial_bytes: matrices on their way are kept in memory up to this; the least recently
            fed is dropped first.
    """

    def __init__(
        self, path: Path, *, max_bytes: int | None = None, max_partial_bytes: int = DEFAULT_MAX_PARTIAL_BYTES
    ) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._max_partial_bytes = max_partial_bytes
        self._lock = threading.RLock()
        self._infos: dict[MatrixId, MatrixInfo] = {}
        self._bytes = 0
        """Of all complete matrices and of those being written."""
        self._verified: set[MatrixId] = set()
        self._partials: OrderedDict[MatrixId, Partial] = OrderedDict()
        self._finishing: set[MatrixId] = set()
        """Whole, and being written."""
        self._trees: OrderedDict[MatrixId, tuple[StripTree, bytearray]] = OrderedDict()
        path.mkdir(parents=True, exist_ok=True)
        self._scan()

    @property
    def total_bytes(self) -> int:
        """Bytes of all complete matrices, as stored."""
        return self._bytes

    def list_ids(self) -> list[MatrixId]:
        with self._lock:
            return sorted(self._infos)

    def has(self, matrix: MatrixId) -> bool:
        """Whether the matrix is complete here."""
        return matrix in self._infos

    def info(self, matrix: MatrixId) -> MatrixInfo | None:
        """Data type, size and root of a complete matrix."""
        return self._infos.get(matrix)

    def put(self, array: NDArray[Any]) -> MatrixRef:
        """Store an int8 operand or int32 result; nothing is written where it is here already.

        Raises:
            InvalidMatrix: it is no matrix. MeshError: "store-full", "disk-refuses".
        """
        dtype = get_dtype(array)
        tree = StripTree(compute_leaf_row(array))
        ref = make_matrix_ref(dtype, array.shape[0], array.shape[1], tree.root)
        self._keep(MatrixInfo(dtype, ref.rows, ref.cols, ref.root), tree.leaves, array)
        return ref

    def get(self, matrix: MatrixId) -> NDArray[Any] | None:
        """The matrix, read-only, or None."""
        info = self._infos.get(matrix)
        if info is None:
            return None
        try:
            array = np.asarray(map_array(self._get_path(matrix), info))
            self._verify(matrix, info, array)
        except (OSError, ValueError, InvalidMatrix):
            self._forget(matrix)
            return None
        return array

    def get_strips(self, matrix: MatrixId, first: int, count: int) -> list[tuple[bytes, tuple[Hash, ...]]]:
        """Strips [first, first + count) of a complete matrix with their paths; fewer at its end, none if unknown."""
        info = self._infos.get(matrix)
        if info is None or first < 0:
            return []
        try:
            tree, leaves = self._get_tree(matrix, info)
            array = map_array(self._get_path(matrix), info)
            strips = [compute_strip(array, index) for index in range(first, min(first + count, info.strips))]
            _check_leaves(strips, leaves, first)
        except (OSError, ValueError, InvalidMatrix):
            self._forget(matrix)
            return []
        return [(strip, tree.compute_path(first + number)) for number, strip in enumerate(strips)]

    def open_row(self, matrix: MatrixId, first: int, count: int) -> StripRow | None:
        """Strips [first, first + count) of a complete matrix with their range path; None where not all are here."""
        found = self.get_strips(matrix, first, count)
        if len(found) != count:
            return None
        try:
            tree, _ = self._get_tree(matrix, self._infos[matrix])
        except (OSError, KeyError, InvalidMatrix):
            return None
        return StripRow(b"".join(strip for strip, _ in found), tree.compute_range_path(first, count))

    def open_growing(self, name: str, dtype: int, rows: int, cols: int) -> GrowingMatrix:
        """A matrix to be written a slice of rows at a time, as far as it was written before under this name.

        Args:
            name: letters and digits; who calls chooses it, and finds the matrix by it after a restart.

        Raises:
            InvalidMatrix: no matrix can have this shape. MeshError: "store-full", "disk-refuses".
        """
        with self._lock:
            self._check_room(MatrixInfo(dtype, rows, cols, ZERO_HASH))
        return GrowingMatrix(self._get_growing_path(name), dtype, rows, cols)

    def adopt(self, growing: GrowingMatrix) -> MatrixRef:
        """Take a growing matrix whose rows are all there into the store; nothing is copied.

        Raises:
            ValueError: rows are missing. MeshError: "store-full", "disk-refuses".
        """
        with self._lock:
            self._check_room(MatrixInfo(growing.dtype, growing.rows, growing.cols, ZERO_HASH))
        info, path = growing.finish()
        target = self._get_path(info.id)
        with self._lock:
            try:
                path.with_suffix(DONE_SUFFIX).write_bytes(encode(info))
                if info.id in self._infos:
                    path.unlink(missing_ok=True)
                else:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    path.replace(target)
                    sync_folder(target.parent)
                    self._bytes += info.file_bytes
            except OSError as error:
                raise self._explain(error) from error
            self._infos[info.id] = info
            self._verified.add(info.id)
            self._partials.pop(info.id, None)
        return make_matrix_ref(info.dtype, info.rows, info.cols, Hash(info.root))

    def find_adopted(self, name: str) -> MatrixRef | None:
        """What was stored of the growing matrix of this name, until `drop_growing`; None where it is not here."""
        path = self._get_growing_path(name).with_suffix(DONE_SUFFIX)
        try:
            info = decode(MatrixInfo, path.read_bytes(), limit=HEAD_BYTES)
        except (OSError, CodecError):
            return None
        return make_matrix_ref(info.dtype, info.rows, info.cols, Hash(info.root)) if self.has(info.id) else None

    def drop_growing(self, name: str) -> None:
        """Forget a growing matrix, if there is one under this name; it must be closed. What was stored of it stays."""
        path = self._get_growing_path(name)
        path.unlink(missing_ok=True)
        path.with_suffix(DONE_SUFFIX).unlink(missing_ok=True)

    def begin(self, info: MatrixInfo) -> None:
        """Make room for a matrix that comes in strips; nothing happens where it is here or on its way.

        Raises:
            InvalidMatrix: no matrix can have this shape. MeshError: "too-large", "store-full".
        """
        with self._lock:
            if info.id in self._infos or info.id in self._partials or info.id in self._finishing:
                return
            _check_info(info)
            if info.data_bytes > self._max_partial_bytes:
                raise MeshError("too-large", f"a matrix of {info.data_bytes} bytes is more than this node takes")
            self._check_room(info)
            self._partials[info.id] = Partial(info)
            while sum(p.info.data_bytes for p in self._partials.values()) > self._max_partial_bytes:
                self._partials.popitem(last=False)

    def add_strip(self, matrix: MatrixId, index: int, strip: bytes, path: Sequence[bytes]) -> bool:
        """Verify and keep one strip; True where the matrix is complete with it.

        Raises:
            InvalidMatrix: the strip is not that of the matrix. MeshError: "unknown-matrix" without `begin`;
                "store-full", "disk-refuses": the matrix is complete and cannot be kept, and is dropped.
        """
        with self._lock:
            if matrix in self._infos:
                return True
            if matrix in self._finishing:
                return False
            partial = self._partials.get(matrix)
            if partial is None:
                raise MeshError("unknown-matrix", f"no matrix {matrix.hex()} is on its way here")
            self._partials.move_to_end(matrix)
        partial.add(index, strip, path)
        with self._lock:
            if not partial.is_complete or self._partials.pop(matrix, None) is None:
                return matrix in self._infos
            self._finishing.add(matrix)
        try:
            self._keep(partial.info, partial.leaves, partial.array)
        finally:
            with self._lock:
                self._finishing.discard(matrix)
        return True

    def missing_strips(self, matrix: MatrixId, limit: int) -> list[int]:
        """At most `limit` indices of strips not here yet, lowest first; none where it is complete or unknown."""
        with self._lock:
            partial = self._partials.get(matrix)
            return [] if partial is None else partial.list_missing(limit)

    def _keep(self, info: MatrixInfo, leaves: list[Hash], array: NDArray[Any]) -> None:
        """Write a file; its room is taken before, so that two at once cannot exceed the limit."""
        with self._lock:
            if info.id in self._infos:
                return
            self._check_room(info)
            self._bytes += info.file_bytes
        try:
            write_matrix(self._get_path(info.id), info, leaves, array)
        except OSError as error:
            with self._lock:
                self._bytes -= info.file_bytes
            raise self._explain(error) from error
        with self._lock:
            if info.id in self._infos:
                self._bytes -= info.file_bytes
            self._infos[info.id] = info
            self._verified.add(info.id)
            self._partials.pop(info.id, None)

    def _verify(self, matrix: MatrixId, info: MatrixInfo, array: NDArray[Any]) -> None:
        """Once per process and file.

        Raises:
            InvalidMatrix: the entries are not those of the id. OSError: the file is gone.
        """
        if matrix in self._verified:
            return
        if StripTree(compute_leaf_row(array)).root != info.root:
            raise InvalidMatrix("bad-matrix-id", f"the file of matrix {matrix.hex()} is spoiled")
        with self._lock:
            self._verified.add(matrix)

    def _forget(self, matrix: MatrixId) -> None:
        """A file that is gone or spoiled: the matrix may come again."""
        with self._lock:
            info = self._infos.pop(matrix, None)
            if info is None:
                return
            self._bytes -= info.file_bytes
            self._verified.discard(matrix)
            self._trees.pop(matrix, None)
            set_aside(self._get_path(matrix))

    def _check_room(self, info: MatrixInfo) -> None:
        if self._max_bytes is not None and self._bytes + info.file_bytes > self._max_bytes:
            raise MeshError(
                "store-full",
                f"the matrix store {self._path} holds {self._bytes} of {self._max_bytes} bytes; "
                f"{info.file_bytes} more do not fit",
            )

    def _get_tree(self, matrix: MatrixId, info: MatrixInfo) -> tuple[StripTree, bytearray]:
        """A matrix's tree and its leaves.

        Raises:
            InvalidMatrix: the file's leaves are not those of the matrix. OSError: it is gone.
        """
        with self._lock:
            found = self._trees.get(matrix)
            if found is not None:
                self._trees.move_to_end(matrix)
                return found
        leaves = read_leaves(self._get_path(matrix), info)
        tree = StripTree(leaves)
        if tree.root != info.root:
            raise InvalidMatrix("bad-matrix-id", f"the leaves in the file of matrix {matrix.hex()} are spoiled")
        with self._lock:
            self._trees[matrix] = tree, leaves
            while len(self._trees) > OPEN_TREES:
                self._trees.popitem(last=False)
        return tree, leaves

    def _get_path(self, matrix: MatrixId) -> Path:
        name = matrix.hex()
        return self._path / name[:2] / f"{name}{SUFFIX}"

    def _get_growing_path(self, name: str) -> Path:
        if not name.isalnum():
            raise ValueError(f"{name!r} is no name for a file")
        return self._path / "growing" / name

    def _explain(self, error: OSError) -> MeshError:
        return MeshError(
            "disk-refuses",
            f"a matrix cannot be written to {self._path}: {error}",
            hint="see that there is space left and that the folder may be written",
        )

    def _scan(self) -> None:
        """What a killed process left under a temporary name goes; a file that is no whole matrix is set aside."""
        for path in self._path.glob(f"*/*{PARTIAL_SUFFIX}"):
            path.unlink(missing_ok=True)
        for path in self._path.glob(f"*/*{SUFFIX}"):
            info = read_info(path)
            if info is None:
                set_aside(path)
            else:
                self._infos[info.id] = info
                self._bytes += info.file_bytes


def _check_info(info: MatrixInfo) -> None:
    if info.dtype not in ITEM_BYTES:
        raise InvalidMatrix("bad-dtype", f"there is no data type {info.dtype}: 1 is an operand, 2 a result")
    check_shape(info.dtype, info.rows, info.cols)


def _check_leaves(strips: Sequence[bytes], leaves: bytearray, first: int) -> None:
    """Strips about to be given away are what they were: peers would take a spoiled one for a lie.

    Raises:
        InvalidMatrix: one is not.
    """
    for index, strip in enumerate(strips, first):
        if bytes(compute_hash(Context.MATRIX_STRIP, strip)) != bytes(
            leaves[index * HASH_BYTES : (index + 1) * HASH_BYTES]
        ):
            raise InvalidMatrix("bad-path", f"strip {index} in the file is spoiled")
