"""What a program costs, known before it runs (docs/programs.md, "Cost")."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from inos.primitives.matrices import compute_tickets
from inos.programs.errors import InvalidProgram
from inos.programs.limits import MAX_COUNT, MAX_ELEMENTS, UNIT_ELEMENTS
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

WEIGHTS: Final[dict[type[SimpleOp], int]] = {
    Add: 1,
    Mul: 4,
    IntDiv: 4,
    Clamp: 1,
    Table: 4,
    ReduceSum: 1,
    ReduceMax: 1,
    View: 4,
    Gather: 4,
    Concat: 1,
    Random: 4,
}
"""What an element of each operation weighs in units. Products are priced by their tickets."""
REDUCTIONS: Final = frozenset({ReduceSum, ReduceMax})
"""These count the entries that they read, all others those that they write."""


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


class Totals:
    """The counts of the nodes so far, which grow node by node."""

    def __init__(self) -> None:
        self._tickets = self._macs = self._elements = self._random_bytes = self._units = 0

    def add_node(self, op: SimpleOp, operands: Sequence[Type], result: Type) -> None:
        """Count one run of a node.

        Raises:
            InvalidProgram: "too-many" for more than 2^40 elements in all.
        """
        kind = type(op)
        if type(op) is MatmulT:  # isinstance takes several times as long on these classes
            x = operands[0]
            tickets = op.blocks * compute_tickets(x.rows // op.blocks, result.cols, x.cols)
            self._tickets += tickets
            self._macs += x.size * result.cols
            self._units += tickets + 1
            return
        counted = operands[0] if kind in REDUCTIONS else result
        elements = counted.rows * counted.cols
        self._elements += elements
        self._units += -(-WEIGHTS[kind] * elements // UNIT_ELEMENTS) or 1
        if type(op) is Random:
            self._random_bytes += elements * compute_random_width(op.bits)
        if self._elements > MAX_ELEMENTS:
            raise InvalidProgram("too-many", "with this node, all nodes process more than 2^40 elements")

    def add_loop(self, count: int, body: Cost, stacked_entries: int) -> None:
        """Count a loop whose iterations stack this many entries each. It raises as `add_node` does."""
        self._tickets += count * body.tickets
        self._macs += count * body.macs
        self._elements += count * body.elements
        self._random_bytes += count * body.random_bytes
        self._units += count * (body.units + max(1, -(-stacked_entries // UNIT_ELEMENTS)))
        if self._elements > MAX_ELEMENTS:
            raise InvalidProgram("too-many", "with this node, all nodes process more than 2^40 elements")

    def get_cost(self, peak_bytes: int) -> Cost:
        """Return the cost of all nodes that were counted."""
        counts = (self._tickets, self._macs, self._elements, self._random_bytes, self._units, peak_bytes)
        return Cost(*(min(count, MAX_COUNT) for count in counts))


def compute_random_width(bits: int) -> int:
    """Return the bytes of the stream that one entry of RANDOM takes."""
    return 1 if bits <= 8 else 2
