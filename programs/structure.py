"""The structure of a program: inputs, nodes and outputs. All of it is immutable.

Values are numbered: the inputs first, then the results of each node in order. A node names its operands by these
numbers, and so does the list of outputs.
"""

from typing import Annotated, Final, TypeAlias, final

from msgspec import Meta, Struct

from inos.primitives.matrices import DType, Hash32
from inos.programs.limits import MAX_INLINE_BYTES, MAX_INPUTS, MAX_ITERATIONS, MAX_NODES, MAX_OPERANDS
from inos.programs.ops import (
    Add,
    Clamp,
    Concat,
    Gather,
    IntDiv,
    MatmulT,
    Mul,
    Random,
    ReduceMax,
    ReduceSum,
    SimpleOp,
    Table,
    View,
)
from inos.programs.types import Type

Number = Annotated[int, Meta(ge=0, lt=2**31)]
"""The number of a value."""
Numbers: TypeAlias = Annotated[tuple[Number, ...], Meta(max_length=MAX_OPERANDS)]


class Given(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=0):
    """The input is handed over with the task, or by the loop whose body this is."""


class Stored(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=1):
    """The input is in the mesh: as an operand (dtype 1), or as the bytes of its storage type (dtype 3)."""

    id: Hash32
    dtype: DType


class Inline(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=2):
    """The input is a part of the program: row-major entries of its storage type, little-endian."""

    data: Annotated[bytes, Meta(max_length=MAX_INLINE_BYTES)]


Source: TypeAlias = Given | Stored | Inline


class Input(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An input's type and where it comes from."""

    type: Type
    source: Source


@final
class Repeat(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=13):
    """A loop: it runs `body` `count` times.

    The first `carried` operands start the carried values, the next `scanned` ones are cut into `count` slices of
    rows, and all others are shared by every iteration. The body's first `carried` outputs are the next carried
    values, and its other outputs are stacked below each other. The results are the last carried values, then the
    stacked ones.
    """

    count: Annotated[int, Meta(ge=1, le=MAX_ITERATIONS)]
    body: "Program"
    carried: Annotated[int, Meta(ge=0, le=MAX_OPERANDS)]
    scanned: Annotated[int, Meta(ge=0, le=MAX_OPERANDS)]


Op: TypeAlias = SimpleOp | Repeat


class Node(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An operation on earlier values."""

    op: Op
    operands: Numbers


class Program(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=1):
    """A program; its tag is the version of the language."""

    inputs: Annotated[tuple[Input, ...], Meta(max_length=MAX_INPUTS)]
    nodes: Annotated[tuple[Node, ...], Meta(max_length=MAX_NODES)]
    outputs: Numbers


OP_NAMES: Final[dict[type[Op], str]] = {
    MatmulT: "MATMUL_T",
    Add: "ADD",
    Mul: "MUL",
    IntDiv: "INTDIV",
    Clamp: "CLAMP",
    Table: "TABLE",
    ReduceSum: "REDUCE_SUM",
    ReduceMax: "REDUCE_MAX",
    View: "VIEW",
    Gather: "GATHER",
    Concat: "CONCAT",
    Random: "RANDOM",
    Repeat: "REPEAT",
}
"""The names of operations in documents, messages and the JSON form."""
