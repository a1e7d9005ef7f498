"""An elementwise operation leaves entries in the places of its operand, and its error is brought there too."""

from math import prod

from inos.compiler.tensors import Tensor, make_contiguous, make_tensor, permute, to_matrix
from inos.programs.builder import ProgramBuilder, Value
from inos.programs.library import reshape


def to_dense(b: ProgramBuilder, x: Tensor) -> Tensor:
    """Return an equal tensor that holds every entry of its value once."""
    return x if x.is_dense else make_contiguous(b, x)


def to_places(b: ProgramBuilder, x: Tensor, place: Tensor) -> Value:
    """Return the entries of a tensor as a matrix in the places that a dense tensor of the same sizes has."""
    if (x.strides, x.offset, x.value.type.shape) == (place.strides, place.offset, place.value.type.shape):
        return x.value
    order = sorted(range(len(place.sizes)), key=lambda i: -place.strides[i])
    moved, rows = permute(x, order), place.value.rows
    for split in range(len(order) + 1):
        if prod(moved.sizes[:split]) == rows:
            return to_matrix(b, moved, split)
    return reshape(to_matrix(b, moved, len(order)), rows, place.value.cols)


def to_rows(b: ProgramBuilder, x: Tensor) -> Value:
    """Return the tensor as a matrix whose columns are its last dimension."""
    return to_matrix(b, x, max(len(x.sizes) - 1, 0))


def from_rows(value: Value, like: Tensor, bits: int) -> Tensor:
    """Return the tensor of another one's sizes over a matrix that `to_rows` or an operation on it made."""
    return make_tensor(value, like.sizes, bits)
