"""The static type of a value: a matrix of integers with its dimensions and an interval that holds every entry."""

from typing import Annotated, Any, Final, TypeAlias

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from inos.programs.errors import InvalidProgram
from inos.programs.limits import INT7_MAX, INT7_MIN, MAX_SIZE, MAX_VALUE

Extent = Annotated[int, Meta(ge=1, le=MAX_SIZE)]
Entry = Annotated[int, Meta(ge=-MAX_VALUE, le=MAX_VALUE)]
Array: TypeAlias = NDArray[Any]

INT8: Final = np.dtype(np.int8)
INT32: Final = np.dtype(np.int32)
INT64: Final = np.dtype(np.int64)


class Type(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """rows x cols integers, each within lo .. hi."""

    rows: Extent
    cols: Extent
    lo: Entry
    hi: Entry

    @property
    def size(self) -> int:
        return self.rows * self.cols

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows, self.cols

    @property
    def storage(self) -> np.dtype[Any]:
        """Return the narrowest of int8, int32 and int64 that holds the interval."""
        return get_storage(self.lo, self.hi)

    @property
    def nbytes(self) -> int:
        """Return the bytes of the value in its storage type."""
        lo, hi = self.lo, self.hi
        if lo >= -128 and hi <= 127:
            return self.rows * self.cols
        return self.rows * self.cols * (4 if lo >= -(2**31) and hi < 2**31 else 8)

    @property
    def is_int7(self) -> bool:
        return self.lo >= INT7_MIN and self.hi <= INT7_MAX

    def contains(self, other: "Type") -> bool:
        """Return True if the other type has the same dimensions and an interval within this one."""
        is_same = self.rows == other.rows and self.cols == other.cols
        return is_same and self.lo <= other.lo and other.hi <= self.hi

    def __str__(self) -> str:
        return f"{self.rows} x {self.cols} in {self.lo} .. {self.hi}"


def get_storage(lo: int, hi: int) -> np.dtype[Any]:
    """Return the narrowest of int8, int32 and int64 that holds lo .. hi."""
    if lo >= -128 and hi <= 127:
        return INT8
    return INT32 if lo >= -(2**31) and hi < 2**31 else INT64


def get_working(*bounds: int) -> np.dtype[Any]:
    """Return int32 if it holds all these bounds, and int64 otherwise."""
    return INT32 if min(bounds) >= -(2**31) and max(bounds) < 2**31 else INT64


def check_type(type_: Type) -> None:
    """Check the bounds of a type.

    Raises:
        InvalidProgram: "bad-size" for dimensions, "out-of-range" for an interval.
    """
    rows, cols, lo, hi = type_.rows, type_.cols, type_.lo, type_.hi
    if not (rows >= 1 and cols >= 1 and rows * cols <= MAX_SIZE):
        raise InvalidProgram(
            "bad-size", f"{rows} x {cols} entries: a value has 1 to 2^31 entries, at least one row and one column"
        )
    if not -MAX_VALUE <= lo <= hi <= MAX_VALUE:
        raise InvalidProgram("out-of-range", f"the interval {lo} .. {hi} is empty or leaves -2^62 .. 2^62")
