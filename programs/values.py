"""Values as bytes, and the inputs of a program: every matrix is compared with its declared type before it is used."""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeAlias, assert_never

import numpy as np

from inos.primitives.matrices import DType
from inos.programs.checker import CheckedProgram
from inos.programs.errors import InvalidInput
from inos.programs.structure import Given, Inline, Stored
from inos.programs.types import Array, Type

Load: TypeAlias = Callable[[Stored], Array | bytes]
"""Returns what the mesh holds under an id: the int8 matrix of dtype 1, or the bytes of dtype 3."""


def encode_value(array: Array, type_: Type) -> bytes:
    """Return a value's bytes: row-major, little-endian, in the storage type that follows from its static type."""
    return np.ascontiguousarray(array, dtype=type_.storage.newbyteorder("<")).tobytes()


def decode_value(data: bytes, type_: Type, name: str = "the value") -> Array:
    """Read a value's bytes.

    Raises:
        InvalidInput: "input-length", "input-range".
    """
    if len(data) != type_.nbytes:
        raise InvalidInput("input-length", f"{name} has {len(data)} bytes; {type_} has {type_.nbytes}")
    array = np.frombuffer(data, dtype=type_.storage.newbyteorder("<")).reshape(type_.shape)
    return check_value(array, type_, name)


def check_value(array: Any, type_: Type, name: str = "the value") -> Array:
    """Return a matrix of integers in the storage type of its declared type.

    Raises:
        InvalidInput: "input-dtype", "input-shape", "input-range".
    """
    found = np.asarray(array)
    if found.dtype.kind not in "iu":
        raise InvalidInput("input-dtype", f"{name} holds {found.dtype}; a program works on integers")
    if found.shape != type_.shape:
        shape = " x ".join(map(str, found.shape)) or "a single number"
        raise InvalidInput("input-shape", f"{name} is {shape}; declared is {type_}")
    least, most = int(found.min()), int(found.max())
    if least < type_.lo or most > type_.hi:
        raise InvalidInput("input-range", f"{name} has entries in {least} .. {most}; declared is {type_}")
    return np.ascontiguousarray(found, dtype=type_.storage)


def bind_inputs(checked: CheckedProgram, given: Sequence[Any], load: Load | None = None) -> list[Array]:
    """Return the matrices of all inputs in order.

    Args:
        given: those that the task hands over, in order: arrays of integers, or bytes as `encode_value` makes them.
        load: reads a matrix of the mesh by its id; its caller has compared the data with the id.

    Raises:
        InvalidInput: "input-count", "input-missing", "input-length", "input-dtype", "input-shape", "input-range".
    """
    wanted = len(checked.given)
    if len(given) != wanted:
        raise InvalidInput("input-count", f"{len(given)} inputs are given; the program takes {wanted}")
    bound, rest = [], iter(given)
    for index, each in enumerate(checked.program.inputs):
        name = f"input {index}"
        match each.source:
            case Given():
                data = next(rest)
            case Stored() as stored:
                data = load(stored) if load is not None else _fail_missing(stored)
                if isinstance(data, bytes) == (stored.dtype is DType.INT7):
                    raise InvalidInput("input-dtype", f"{name} is not of dtype {stored.dtype} in the mesh")
            case Inline(data):
                pass
            case _:
                assert_never(each.source)
        read = decode_value if isinstance(data, bytes) else check_value
        bound.append(read(data, each.type, name))
    return bound


def _fail_missing(stored: Stored) -> NoReturn:
    raise InvalidInput(
        "input-missing",
        f"the program needs {stored.id.hex()} of the mesh, and none is at hand",
        hint="give it with --stored, or let a node with this matrix run the program",
    )
