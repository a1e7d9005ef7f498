"""Matrices on the client's side: checked before anything is sent, and encoded for the RPC."""

import base64
import mmap
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos import work
from inos.client import models
from inos.client.errors import ClientError
from inos.primitives.errors import InosError
from inos.primitives.matrices import MAX_DEPTH, MAX_ROWS, STRIP_ROWS, MatrixRef, make_matrix_ref
from inos.primitives.units import JobId, MatrixId, Nano, parse_credits
from inos.work.strips import StripTree, compute_leaf_row, get_dtype

MIN_ENTRY: Final = -64
MAX_ENTRY: Final = 63
CHECKED_AT_ONCE: Final = 1 << 24
"""Entries checked at a time: a matrix mapped from a file may be larger than memory."""
HASHED_AT_ONCE: Final = 1 << 26
"""Bytes hashed at a time: enough to keep all cores busy."""


class BadOperand(ClientError):
    """A matrix cannot be an operand; nothing was sent.

    Codes: bad-dtype, bad-shape, masked, labelled, misaligned, entry-out-of-range, depth-mismatch, job-too-large.
    """


def to_operand(array: NDArray[Any], name: str) -> NDArray[np.int8]:
    """Return `array` as an int8 operand; any integer type will do whose entries lie in -64 .. 63.

    Raises:
        BadOperand: names the matrix and the position of the first wrong entry.
    """
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu":
        kind = getattr(array, "dtype", type(array).__name__)
        raise BadOperand(
            "bad-dtype",
            f"{name} holds {kind}, not integers",
            hint="inos.matmul takes all numbers; an operand of a job is integers in -64 .. 63",
        )
    refuse_masked(array, name)
    if array.ndim != 2 or not 1 <= array.shape[0] <= MAX_ROWS or not 1 <= array.shape[1] <= MAX_DEPTH:
        raise BadOperand(
            "bad-shape",
            f"{name} has the shape {array.shape}; an operand has 1 .. {MAX_ROWS} rows and 1 .. {MAX_DEPTH} columns",
        )
    is_as_it_is = array.dtype == np.int8 and array.flags.c_contiguous
    operand = array if is_as_it_is else np.empty(array.shape, np.int8)
    step = max(1, CHECKED_AT_ONCE // array.shape[1])
    for top in range(0, len(array), step):
        _check_range(array[top : top + step], name, top)
        if not is_as_it_is:
            operand[top : top + step] = array[top : top + step]
        release_pages(array)
    return operand


def refuse_masked(array: Any, name: str) -> None:
    """Refuse a masked array of which entries are masked: they are no numbers, and what is below the mask is not meant.

    Raises:
        BadOperand: "masked" with the first masked entry.
    """
    if np.ma.is_masked(array):
        entry = [int(i) for i in np.argwhere(np.ma.getmaskarray(array))[0]]
        raise BadOperand("masked", f"{name}{entry} is masked", hint="fill the masked entries first: a.filled(0)")


def keep_operand(array: NDArray[Any], name: str) -> NDArray[np.int8]:
    """Return an operand that stays as it is while the caller fills `array` anew; mapped files are not copied.

    Raises:
        BadOperand: for the same reasons as `to_operand`.
    """
    operand = to_operand(array, name)
    if operand is array:
        if is_mapped(array) or (array.flags.owndata and not array.flags.writeable):
            return array
        operand = array.copy()
    operand.flags.writeable = False
    return operand


def is_mapped(array: NDArray[Any]) -> bool:
    """Return True if the array is mapped from a file."""
    part: Any = array
    while isinstance(part, np.ndarray):
        if isinstance(part, np.memmap):
            return True
        part = part.base
    return False


def release_pages(array: NDArray[Any]) -> None:
    """Release the pages of a file mapped for reading; what was read of it would count as this process's memory."""
    part: Any = array
    while isinstance(part, np.ndarray):
        if isinstance(part, np.memmap) and part.mode == "r" and isinstance(part.base, mmap.mmap):
            part.base.madvise(mmap.MADV_DONTNEED)
            return
        part = part.base


def _check_range(rows: NDArray[Any], name: str, top: int) -> None:
    wrong = (rows < MIN_ENTRY) | (rows > MAX_ENTRY)
    if wrong.any():
        row, col = (int(side) for side in np.unravel_index(int(np.argmax(wrong)), rows.shape))
        raise BadOperand(
            "entry-out-of-range",
            f"{name}[{top + row}, {col}] is {int(rows[row, col])}; entries lie in {MIN_ENTRY} .. {MAX_ENTRY}",
            hint="inos.matmul takes all numbers; or scale the matrix",
        )


def check_shapes(x: NDArray[Any], w: NDArray[Any]) -> None:
    """Check that X (m x k) and W (n x k) have equally many columns.

    Raises:
        BadOperand: "depth-mismatch".
    """
    if x.shape[1] != w.shape[1]:
        raise BadOperand(
            "depth-mismatch",
            f"X is {x.shape[0]} x {x.shape[1]} and W is {w.shape[0]} x {w.shape[1]}: "
            "the product is X times W transposed, so both need equally many columns",
            hint="W is laid out as in a linear layer, one row per output; pass its transpose if yours is not",
        )


def encode_put(array: NDArray[Any]) -> dict[str, Any]:
    """Return the parameters of mesh_put for an int8 or int32 matrix, or for a file as one row of uint8."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    data = base64.b64encode(little.tobytes()).decode("ascii")
    if array.dtype == np.uint8:
        return {"data": data, "dtype": "bytes"}
    return {"data": data, "dtype": array.dtype.name, "rows": array.shape[0], "cols": array.shape[1]}


def decode_fetched(fetched: models.MatrixData) -> NDArray[Any]:
    """Return the array that a node sent, checked against the id it was asked for; a file is one row of uint8.

    Raises:
        ClientError: "wrong-matrix" if the data do not have that id.
    """
    try:
        array, found = _decode(fetched)
    except (ValueError, InosError) as error:
        raise _make_wrong(fetched.id, str(error)) from error
    if found.hex() != fetched.id:
        raise _make_wrong(fetched.id, f"they have the id {found.hex()}")
    return array


def _decode(fetched: models.MatrixData) -> tuple[NDArray[Any], MatrixId]:
    data = base64.b64decode(fetched.data, validate=True)
    match fetched.dtype:
        case "int8" | "int32" as name:
            flat = np.frombuffer(data, np.dtype(name).newbyteorder("<"))
            array = flat.reshape(fetched.rows, fetched.cols).astype(np.dtype(name))
            return array, work.matrix_id(array)
        case "bytes":
            return np.frombuffer(data, np.uint8), work.compute_file_id(data)
        case unknown:
            raise ValueError(f"dtype {unknown}")


def is_product(job: JobId, x: NDArray[np.int8], w: NDArray[np.int8], y: NDArray[np.int32]) -> bool:
    """Return True if y is x times w transposed, by Freivalds' check with the protocol's seed (section 5)."""
    if y.dtype != np.int32 or y.shape != (x.shape[0], w.shape[0]):
        return False
    seed = work.compute_freivalds_seed(job, work.matrix_id(x), work.matrix_id(w), work.matrix_id(y))
    return bool(work.freivalds(x, w, y, seed))


def make_ref(array: NDArray[Any]) -> MatrixRef:
    """Compute the reference of a matrix."""
    dtype = get_dtype(array)
    step = max(1, HASHED_AT_ONCE // (array.shape[1] * array.itemsize * STRIP_ROWS)) * STRIP_ROWS
    leaves = bytearray()
    for top in range(0, len(array), step):
        leaves += compute_leaf_row(array[top : top + step])
        release_pages(array)
    return make_matrix_ref(dtype, array.shape[0], array.shape[1], StripTree(leaves).root)


Credits = str | Decimal | int | float
"""An amount in credits, 10^9 nano each."""


def read_credits(name: str, credits: Credits | None, nano: int | None) -> Nano:
    """Return nano of an amount given either in credits or in nano; a float counts as the decimal it prints as.

    Args:
        name: the argument's name, for errors: "reward" gives "bad-reward".

    Raises:
        ClientError: "bad-<name>" if neither or both are given, or the text is not an amount.
    """
    code = f"bad-{name}"
    if (credits is None) == (nano is None):
        raise ClientError(code, f"give either {name} (credits) or {name}_nano (nano)")
    if nano is not None:
        return Nano(nano)
    if not isinstance(credits, str | Decimal | int | float) or isinstance(credits, bool):
        raise ClientError(
            code,
            f"the {name} {credits!r} is a {type(credits).__name__}",
            hint=f'write credits as "1.5", 1.5 or Decimal("1.5"); use {name}_nano for a number of nano',
        )
    try:
        return parse_credits(f"{Decimal(str(credits)):f}")
    except (ValueError, InvalidOperation) as error:
        raise ClientError(code, f"the {name}: {error}") from error


def _make_wrong(matrix: str, reason: str) -> ClientError:
    return ClientError(
        "wrong-matrix",
        f"the node sent something else for matrix {MatrixId(bytes.fromhex(matrix)).hex()}: {reason}",
        hint="do not trust this node; ask another one",
    )
