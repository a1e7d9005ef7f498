"""How long values live while a program runs, and how much memory they take together.

Inputs live throughout, outputs to the end, and every other value until the last node that reads it.
"""

from collections.abc import Mapping, Sequence, Set

from msgspec import Struct

from inos.programs.structure import Program
from inos.programs.types import Type


class NodeMemory(Struct, frozen=True):
    """What a loop needs while it runs, or a product, whose int32 entries exist twice for a moment.

    Attributes:
        results: how many results the node has.
        late: how many of them, the first ones, are made at the end; a loop's stacked results are there from the start.
        bytes: those needed beside the node's operands and its other results.
    """

    results: int
    late: int
    bytes: int


def find_dead(program: Program, values: int, special: Mapping[int, NodeMemory]) -> list[tuple[int, ...]]:
    """Return for each node the values that nothing needs after it."""
    is_needed = bytearray(values)
    for number in (*range(len(program.inputs)), *program.outputs):
        is_needed[number] = 1
    dead: list[tuple[int, ...]] = [()] * len(program.nodes)
    number = values
    for index in range(len(program.nodes) - 1, -1, -1):
        gone = []
        first = number - (special[index].results if index in special else 1)
        while number > first:
            number -= 1
            if not is_needed[number]:
                gone.append(number)
        for operand in program.nodes[index].operands:
            if not is_needed[operand]:
                is_needed[operand] = 1
                gone.append(operand)
        if gone:
            dead[index] = tuple(gone)
    return dead


def compute_peak(
    program: Program,
    types: Sequence[Type],
    dead: Sequence[tuple[int, ...]],
    special: Mapping[int, NodeMemory],
    borrowed: Set[int],
) -> int:
    """Return the most bytes that live values have at once; `borrowed` inputs belong to the loop around."""
    number = len(program.inputs)
    peak = live = sum(types[index].nbytes for index in range(number) if index not in borrowed)
    sizes = [each.nbytes for each in types]
    for index, gone in enumerate(dead):
        if index in special:
            memory = special[index]
            stacked = sum(sizes[number + memory.late : number + memory.results])
            peak = max(peak, live + stacked + memory.bytes)
            live += sum(sizes[number : number + memory.results])
            number += memory.results
        else:
            live += sizes[number]
            number += 1
        if live > peak:
            peak = live
        for value in gone:
            live -= sizes[value]
    return peak
