"""Ids and references of files: 16,384 consecutive bytes are a strip, 1,024 a row (protocol, section 2)."""

import threading

from inos.primitives.matrices import MAX_FILE_BYTES, DType, MatrixRef, compute_file_shape, make_matrix_ref
from inos.primitives.units import MatrixId
from inos.work.strips import InvalidMatrix, StripTree, compute_file_leaves


def compute_file_tree(data: bytes | memoryview, stop: threading.Event | None = None) -> tuple[MatrixRef, StripTree]:
    """Return the reference of a file with these bytes, and its tree.

    Raises:
        InvalidMatrix: "file-too-long". Stopped: `stop` was set.
    """
    length = memoryview(data).nbytes
    if length > MAX_FILE_BYTES:
        raise InvalidMatrix(
            "file-too-long", f"a file has at most {MAX_FILE_BYTES} bytes, not {length}", hint="split it into parts"
        )
    tree = StripTree(compute_file_leaves(data, stop), stop)
    return make_matrix_ref(DType.BYTES, *compute_file_shape(length), tree.root), tree


def compute_file_ref(data: bytes | memoryview, stop: threading.Event | None = None) -> MatrixRef:
    """Return the reference of a file with these bytes. It raises as `compute_file_tree` does."""
    return compute_file_tree(data, stop)[0]


def compute_file_id(data: bytes | memoryview) -> MatrixId:
    """Return the content address of a file with these bytes. It raises as `compute_file_tree` does."""
    return compute_file_ref(data).matrix_id
