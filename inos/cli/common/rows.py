"""Matrices of any size to a node and from it, a few rows at a time; checked against their id."""

import base64
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos import work
from inos.cli.common.output import call_rpc, fail
from inos.primitives.matrices import STRIP_ROWS, MatrixRef

SLICE_BYTES: Final = 8 << 20
TIMEOUT_S: Final = 120.0


def upload(url: str, array: NDArray[Any]) -> MatrixRef:
    """Store an int8 operand or int32 result on a node; one cut off is taken up where it was.

    Raises:
        InvalidMatrix: it is neither. CommandError: what the node answered.
    """
    array = np.ascontiguousarray(array)
    ref = work.matrix_ref(array)
    step = max(1, SLICE_BYTES // (STRIP_ROWS * array.shape[1] * array.itemsize)) * STRIP_ROWS
    asked: dict[str, Any] = {
        "id": ref.id.hex(),
        "dtype": array.dtype.name,
        "rows": array.shape[0],
        "cols": array.shape[1],
    }
    state = call_rpc(url, "mesh_putRows", asked, timeout_s=TIMEOUT_S)
    while not state["is_complete"]:
        first = state["rows_done"]
        rows = array[first : first + step]
        data = base64.b64encode(np.ascontiguousarray(rows, rows.dtype.newbyteorder("<")).tobytes()).decode("ascii")
        state = call_rpc(url, "mesh_putRows", asked | {"first": first, "data": data}, timeout_s=TIMEOUT_S)
    return ref


def download(url: str, matrix: str, wait_s: float) -> NDArray[Any]:
    """A matrix by its id in hex; the node asks others for it for `wait_s` seconds.

    Raises:
        CommandError: "wrong-matrix" where what came is not what the id stands for; what the node answered.
    """
    asked: dict[str, Any] = {"id": matrix, "count": 0, "wait_s": wait_s}
    shape = call_rpc(url, "mesh_getRows", asked, timeout_s=wait_s + TIMEOUT_S)
    kind = np.dtype(shape["dtype"]).newbyteorder("<")
    array = np.zeros((shape["rows"], shape["cols"]), np.dtype(shape["dtype"]))
    step = max(1, SLICE_BYTES // (shape["cols"] * kind.itemsize))
    for first in range(0, len(array), step):
        asked = {"id": matrix, "first": first, "count": min(step, len(array) - first)}
        got = call_rpc(url, "mesh_getRows", asked, timeout_s=TIMEOUT_S)
        rows = np.frombuffer(base64.b64decode(got["data"]), kind)
        array[first : first + asked["count"]] = rows.reshape(asked["count"], shape["cols"])
    if work.matrix_id(array).hex() != matrix:
        fail("wrong-matrix", f"what the node sent is not matrix {matrix}", "do not trust this node; ask another one")
    return array
