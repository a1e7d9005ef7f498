"""Reads stored matrices and checks them on the way, so that a bad disk never makes this node send wrong data."""

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos.mesh.files import MatrixInfo, map_array, read_leaves
from inos.mesh.inventory import Inventory
from inos.mesh.runs import RUN_LEVEL, Run, compute_run_leaves, get_bounds, read_run
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.matrices import StripRow
from inos.primitives.units import HASH_BYTES, Hash, MatrixId
from inos.work.strips import InvalidMatrix, StripTree, compute_grid, compute_stored_leaves, drop_padding, pack_strips

TREE_BYTES: Final = 64 << 20
"""Trees kept to serve paths take this many bytes; the tree of a GiB of entries takes 4 MiB."""


class Reader:
    """Reads complete matrices. Every method raises InvalidMatrix if the file is damaged, OSError if it is missing or
    too short, ValueError if it cannot be mapped; the store then takes it for damaged."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._lock = threading.Lock()
        self._verified: set[MatrixId] = set()
        self._trees: OrderedDict[MatrixId, tuple[StripTree, bytearray]] = OrderedDict()

    def set_verified(self, matrix: MatrixId) -> None:
        """Record that this process wrote the matrix's file from verified data."""
        with self._lock:
            self._verified.add(matrix)

    def forget(self, matrix: MatrixId) -> None:
        with self._lock:
            self._verified.discard(matrix)
            self._trees.pop(matrix, None)

    def read(self, matrix: MatrixId, info: MatrixInfo) -> NDArray[Any]:
        """Return all entries, mapped and read-only; they are hashed once per process and file. A file is one row."""
        array = np.asarray(map_array(self._inventory.get_path(matrix), info))
        if matrix not in self._verified:
            if StripTree(compute_stored_leaves(info.dtype, array)).root != info.root:
                raise InvalidMatrix("bad-matrix-id", f"the file of matrix {matrix.hex()} is spoiled")
            self.set_verified(matrix)
        return drop_padding(info.dtype, info.rows, info.cols, array)

    def read_strips(
        self, matrix: MatrixId, info: MatrixInfo, first: int, count: int
    ) -> list[tuple[bytes, tuple[Hash, ...]]]:
        """Return strips [first, first + count) with their paths; fewer at the matrix's end."""
        tree, leaves = self._get_tree(matrix, info)
        array = map_array(self._inventory.get_path(matrix), info)
        _, panels = compute_grid(info.dtype, info.rows, info.cols)
        places = [divmod(index, panels) for index in range(first, min(first + count, info.strips))]
        strips = [pack_strips(array, i, i + 1, p, p + 1).tobytes() for i, p in places]
        _check_leaves(strips, leaves, first)
        return [(strip, tree.compute_path(first + number)) for number, strip in enumerate(strips)]

    def read_row(self, matrix: MatrixId, info: MatrixInfo, first: int, count: int) -> StripRow:
        """Return strips [first, first + count), which must all be there, with their range path."""
        found = self.read_strips(matrix, info, first, count)
        tree, _ = self._get_tree(matrix, info)
        return StripRow(b"".join(strip for strip, _ in found), tree.compute_range_path(first, count))

    def read_run(self, matrix: MatrixId, info: MatrixInfo, index: int) -> Run:
        """Return one run with its path."""
        first, last = get_bounds(info, index)
        tree, leaves = self._get_tree(matrix, info)
        file = os.open(self._inventory.get_path(matrix), os.O_RDONLY)
        try:
            data = read_run(file, info, index)
        finally:
            os.close(file)
        if compute_run_leaves(data) != leaves[first * HASH_BYTES : last * HASH_BYTES]:
            raise InvalidMatrix("bad-path", f"run {index} in the file of matrix {matrix.hex()} is spoiled")
        return Run(data, tree.compute_node_path(RUN_LEVEL, index))

    def _get_tree(self, matrix: MatrixId, info: MatrixInfo) -> tuple[StripTree, bytearray]:
        with self._lock:
            found = self._trees.get(matrix)
            if found is not None:
                self._trees.move_to_end(matrix)
                return found
        leaves = read_leaves(self._inventory.get_path(matrix), info)
        tree = StripTree(leaves)
        if tree.root != info.root:
            raise InvalidMatrix("bad-matrix-id", f"the leaves in the file of matrix {matrix.hex()} are spoiled")
        with self._lock:
            self._trees[matrix] = tree, leaves
            while len(self._trees) > 1 and sum(2 * len(row) for _, row in self._trees.values()) > TREE_BYTES:
                self._trees.popitem(last=False)
        return tree, leaves


def _check_leaves(strips: Sequence[bytes], leaves: bytearray, first: int) -> None:
    for index, strip in enumerate(strips, first):
        if compute_hash(Context.MATRIX_STRIP, strip) != bytes(leaves[index * HASH_BYTES : (index + 1) * HASH_BYTES]):
            raise InvalidMatrix("bad-path", f"strip {index} in the file is spoiled")
