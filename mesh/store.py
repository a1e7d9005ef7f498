"""The matrices a node holds, and those on their way to it."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mesh.errors import MeshError
from mesh.files import PARTIAL_SUFFIX, SUFFIX, MatrixInfo, map_array, read_info, read_leaves, write_matrix
from mesh.partial import Partial
from primitives.matrices import MatrixRef, make_matrix_ref
from primitives.units import Hash, MatrixId
from work.strips import StripTree, check_shape, compute_leaf_row, compute_strip, get_dtype

__all__ = ["MatrixInfo", "MatrixStore", "MeshError"]

DEFAULT_MAX_PARTIAL_BYTES: Final = 256 << 20
OPEN_TREES: Final = 64


class MatrixStore:
    """Matrices by id in a folder; safe to call from several threads.

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
        self._partials: OrderedDict[MatrixId, Partial] = OrderedDict()
        self._trees: OrderedDict[MatrixId, StripTree] = OrderedDict()
        path.mkdir(parents=True, exist_ok=True)
        self._scan()

    @property
    def total_bytes(self) -> int:
        """Bytes of all complete matrices, as stored."""
        with self._lock:
            return sum(info.file_bytes for info in self._infos.values())

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
            InvalidMatrix: it is no matrix. MeshError: "store-full". OSError: the disk's.
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
        return np.asarray(map_array(self._get_path(matrix), info))

    def get_strips(self, matrix: MatrixId, first: int, count: int) -> list[tuple[bytes, tuple[Hash, ...]]]:
        """Strips [first, first + count) of a complete matrix with their paths; fewer at its end, none if unknown."""
        info = self._infos.get(matrix)
        if info is None or first < 0:
            return []
        tree, array = self._get_tree(matrix, info), map_array(self._get_path(matrix), info)
        indices = range(first, min(first + count, info.strips))
        return [(compute_strip(array, index), tree.compute_path(index)) for index in indices]

    def begin(self, info: MatrixInfo) -> None:
        """Make room for a matrix that comes in strips; nothing happens where it is here or on its way.

        Raises:
            InvalidMatrix: no matrix can have this shape. MeshError: "too-large", "store-full".
        """
        with self._lock:
            if info.id in self._infos or info.id in self._partials:
                return
            check_shape(info.dtype, info.rows, info.cols)
            if info.data_bytes > self._max_partial_bytes:
                raise MeshError("too-large", f"a matrix of {info.data_bytes} bytes is more than this node takes")
            self._check_room(info)
            self._partials[info.id] = Partial(info)
            while sum(p.info.data_bytes for p in self._partials.values()) > self._max_partial_bytes:
                self._partials.popitem(last=False)

    def add_strip(self, matrix: MatrixId, index: int, strip: bytes, path: Sequence[bytes]) -> bool:
        """Verify and keep one strip; True where the matrix is complete with it.

        Raises:
            InvalidMatrix: the strip is not that of the matrix. MeshError: "unknown-matrix" without `begin`.
        """
        with self._lock:
            if matrix in self._infos:
                return True
            partial = self._partials.get(matrix)
            if partial is None:
                raise MeshError("unknown-matrix", f"no matrix {matrix.hex()} is on its way here")
            self._partials.move_to_end(matrix)
        partial.add(index, strip, path)
        with self._lock:
            if not partial.is_complete or self._partials.pop(matrix, None) is None:
                return matrix in self._infos
        self._keep(partial.info, partial.leaves, partial.array)
        return True

    def missing_strips(self, matrix: MatrixId, limit: int) -> list[int]:
        """At most `limit` indices of strips not here yet, lowest first; none where it is complete or unknown."""
        with self._lock:
            partial = self._partials.get(matrix)
            return [] if partial is None else partial.list_missing(limit)

    def _keep(self, info: MatrixInfo, leaves: list[Hash], array: NDArray[Any]) -> None:
        with self._lock:
            if info.id in self._infos:
                return
            self._check_room(info)
        write_matrix(self._get_path(info.id), info, leaves, array)
        with self._lock:
            self._infos[info.id] = info
            self._partials.pop(info.id, None)

    def _check_room(self, info: MatrixInfo) -> None:
        if self._max_bytes is not None and self.total_bytes + info.file_bytes > self._max_bytes:
            raise MeshError(
                "store-full",
                f"the matrix store {self._path} holds {self.total_bytes} of {self._max_bytes} bytes; "
                f"{info.file_bytes} more do not fit",
            )

    def _get_tree(self, matrix: MatrixId, info: MatrixInfo) -> StripTree:
        with self._lock:
            tree = self._trees.get(matrix)
            if tree is None:
                tree = self._trees[matrix] = StripTree(read_leaves(self._get_path(matrix), info))
                while len(self._trees) > OPEN_TREES:
                    self._trees.popitem(last=False)
            self._trees.move_to_end(matrix)
            return tree

    def _get_path(self, matrix: MatrixId) -> Path:
        name = matrix.hex()
        return self._path / name[:2] / f"{name}{SUFFIX}"

    def _scan(self) -> None:
        """What a killed process left under a temporary name goes; a file that is no whole matrix is set aside."""
        for path in self._path.glob(f"*/*{PARTIAL_SUFFIX}"):
            path.unlink(missing_ok=True)
        for path in self._path.glob(f"*/*{SUFFIX}"):
            info = read_info(path)
            if info is None:
                path.replace(path.with_suffix(".damaged"))
            else:
                self._infos[info.id] = info
