"""Matrices in JSON: base64 of raw little-endian numbers, of bytes, or of a .npy file, whose sizes are checked first."""

import base64
import binascii
import io
from tokenize import TokenError
from typing import Any, Final, Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from inos.primitives.matrices import MAX_ROWS, PANEL_BYTES, DType, compute_file_length, compute_file_shape
from inos.rpc.errors import TOO_LARGE, RpcError, make_invalid_param
from inos.work.strips import get_dtype

MAX_NPY_HEADER: Final = 10_000
HEADER_ERRORS: Final = (ValueError, SyntaxError, TypeError, LookupError, TokenError, RecursionError, MemoryError)
"""The errors of Python's parser, with which numpy reads headers, for invalid headers."""
DtypeName = Literal["int8", "int32", "bytes"]


def name_dtype(dtype: DType) -> DtypeName:
    """Return the name of a data type in JSON."""
    match dtype:
        case DType.INT7:
            return "int8"
        case DType.INT32:
            return "int32"
        case DType.BYTES:
            return "bytes"
        case _:
            assert_never(dtype)


def read_dtype(name: DtypeName) -> DType:
    """Return the data type of this name."""
    match name:
        case "int8":
            return DType.INT7
        case "int32":
            return DType.INT32
        case "bytes":
            return DType.BYTES
        case _:
            assert_never(name)


def get_shape(array: NDArray[Any]) -> tuple[DType, int, int]:
    """Return data type, rows and columns of a matrix as the store returns it: a file is one row of uint8."""
    if array.dtype == np.uint8:
        return DType.BYTES, *compute_file_shape(len(array))
    rows, cols = array.shape
    return get_dtype(array), rows, cols


def cut_rows(array: NDArray[Any], first: int, count: int) -> NDArray[Any]:
    """Return `count` rows of a matrix as the store returns it, fewer at its end."""
    width = PANEL_BYTES if array.dtype == np.uint8 else 1
    return array[first * width : (first + count) * width]


def decode_base64(text: str) -> bytes:
    """Return the bytes that strict base64 encodes; raise RpcError "not-base64"."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise make_invalid_param("data", f"not base64: {error}", code="not-base64") from error


def read_raw(data: bytes, dtype: Literal["int8", "int32"], rows: int, cols: int) -> NDArray[Any]:
    """Return the matrix with the given entries, row-major and little-endian.

    Raises:
        RpcError: "bad-shape" if the length does not fit.
    """
    kind = np.dtype(dtype).newbyteorder("<")
    expected = rows * cols * kind.itemsize
    if len(data) != expected:
        raise make_invalid_param(
            "data", f"{rows} x {cols} entries of {dtype} are {expected} bytes, got {len(data)}", code="bad-shape"
        )
    return np.frombuffer(data, kind).reshape(rows, cols).astype(np.dtype(dtype))


def read_rows(data: bytes, dtype: DtypeName, shape: tuple[int, int], first: int) -> NDArray[Any]:
    """Return rows of a matrix of `shape`, of which `first` is the first; the last row of a file is filled with zeros.

    Raises:
        RpcError: "bad-shape" if they are not whole rows.
    """
    if dtype != "bytes":
        width = shape[1] * np.dtype(dtype).itemsize
        return read_raw(data, dtype, len(data) // width, shape[1])
    count = -(-len(data) // PANEL_BYTES)
    expected = min(count * PANEL_BYTES, compute_file_length(*shape) - first * PANEL_BYTES)
    if len(data) != expected:
        raise make_invalid_param(
            "data",
            f"rows {first} to {first + count} of a file of {compute_file_length(*shape)} bytes are {expected} bytes,"
            f" got {len(data)}",
            code="bad-shape",
        )
    return np.frombuffer(data.ljust(count * PANEL_BYTES, b"\0"), np.uint8).reshape(count, PANEL_BYTES)


def read_npy(data: bytes) -> NDArray[Any]:
    """Return the matrix in a .npy file. The header is checked first, so nothing is unpickled or over-allocated.

    Raises:
        RpcError: "bad-npy", "bad-dtype", "bad-shape".
    """
    shape, is_column_major, kind, offset = _read_header(data)
    if kind.kind != "i" or kind.itemsize not in (1, 4):
        raise make_invalid_param("data", f"the matrix holds {kind}, not int8 or int32", code="bad-dtype")
    if len(shape) != 2 or not all(1 <= side <= MAX_ROWS for side in shape):
        raise make_invalid_param(
            "data", f"a matrix has 1 to {MAX_ROWS} rows and columns, this one is {shape}", code="bad-shape"
        )
    if len(data) - offset != shape[0] * shape[1] * kind.itemsize:
        raise make_invalid_param("data", f"the file is too short or too long for the shape {shape}", code="bad-npy")
    flat = np.frombuffer(data, kind, offset=offset)
    array = flat.reshape(shape[::-1]).T if is_column_major else flat.reshape(shape)
    return np.ascontiguousarray(array, np.int8 if kind.itemsize == 1 else np.int32)


def encode_matrix(array: NDArray[Any]) -> str:
    """Return base64 of the entries, row-major and little-endian, or of a file's bytes."""
    return base64.b64encode(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()).decode("ascii")


def _read_header(data: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            header = np.lib.format.read_array_header_1_0(stream, MAX_NPY_HEADER)
        elif version == (2, 0):
            header = np.lib.format.read_array_header_2_0(stream, MAX_NPY_HEADER)
        else:
            raise ValueError(f"version {version} of the format")
    except HEADER_ERRORS as error:
        raise make_invalid_param("data", f"not a .npy file that this node can read: {error}", code="bad-npy") from error
    shape, is_column_major, kind = header
    return shape, bool(is_column_major), kind, stream.tell()


def check_answer_size(size: int, limit: int, name: str) -> None:
    """Raise RpcError "answer-too-large" if a matrix is too large for one answer."""
    if size > limit:
        raise RpcError(
            TOO_LARGE,
            "answer-too-large",
            f"{size} bytes of matrix {name} were requested, an answer holds at most {limit}",
            hint="fetch it a few rows at a time with mesh_getRows",
        )
