"""What a program costs, known before it runs (docs/programs.md, "Cost")."""

from collections.abc import Sequence
from typing import Final, assert_never

from msgspec import Struct

from inos.primitives.matrices import compute_tickets
from inos.programs.limits import MAX_COUNT, UNIT_ELEMENTS
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

SLOW: Final = 4
"""The weight of an element of MUL, INTDIV, TABLE, GATHER, VIEW and RANDOM; that of the others is 1."""


class Cost(Struct, frozen=True, gc=False):
    """Counts over all nodes that run; a loop counts its body once for each iteration. Counts stop at 2^62.

    Attributes:
        tickets: of the products.
        macs: multiplications of the products.
        elements: entries that the other operations write, or reduce.
        random_bytes: bytes that RANDOM draws.
        units: what a task is priced by.
        peak_bytes: the most bytes that values have at once, in their storage types, the inputs included.
    """

    tickets: int = 0
    macs: int = 0
    elements: int = 0
    random_bytes: int = 0
    units: int = 0
    peak_bytes: int = 0


def compute_node_cost(op: SimpleOp, operands: Sequence[Type], result: Type) -> Cost:
    """Return the cost of running one node once; its peak is 0, since it depends on the other values."""
    elements = result.rows * result.cols
    match op:
        case Add() | Clamp() | Concat():
            return Cost(0, 0, elements, 0, _to_units(elements))
        case Mul() | IntDiv() | Table() | Gather() | View():
            return Cost(0, 0, elements, 0, _to_units(SLOW * elements))
        case ReduceSum() | ReduceMax():
            return Cost(0, 0, operands[0].size, 0, _to_units(operands[0].size))
        case MatmulT(blocks):
            x = operands[0]
            tickets = blocks * compute_tickets(x.rows // blocks, result.cols, x.cols)
            return Cost(tickets, x.size * result.cols, 0, 0, tickets + _to_units(0))
        case Random(_, _, bits):
            return Cost(0, 0, elements, elements * compute_random_width(bits), _to_units(SLOW * elements))
        case _:
            assert_never(op)


def compute_random_width(bits: int) -> int:
    """Return the bytes of the stream that one entry of RANDOM takes."""
    return 1 if bits <= 8 else 2


def compute_loop_cost(count: int, body: Cost, stacked_entries: int) -> Cost:
    """Return the cost of a loop whose iterations stack this many entries each; its peak is 0."""
    each = body.units + _to_units(stacked_entries)
    counts = (body.tickets, body.macs, body.elements, body.random_bytes, each)
    return Cost(*(min(count * value, MAX_COUNT) for value in counts))


def _to_units(weighted: int) -> int:
    return -(-weighted // UNIT_ELEMENTS) or 1
