"""Which operations run together: the steps of a program's plan.

An elementwise operation that only one other reads is computed inside its reader's chain, and its result is never
stored. A VIEW that only one elementwise operation or reduction reads becomes an affine read at the chain's start, and a
reduction may end a chain.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Final, TypeAlias

from msgspec import Struct

from inos.programs.checker import CheckedProgram
from inos.programs.ops import Add, Clamp, IntDiv, Mul, ReduceMax, ReduceSum, Table, View
from inos.programs.structure import Node

MAX_OPERATIONS: Final = 16
MAX_READS: Final = 12
"""Bounds of a chain, so that its registers stay in the first-level cache. The C code allows for more than they need:
at most two leaves a read, one for each lane, and three instructions an operation."""
SLACK_BYTES: Final = 1 << 20

Elementwise: TypeAlias = Add | Mul | IntDiv | Clamp | Table
Reduction: TypeAlias = ReduceSum | ReduceMax
Chained: TypeAlias = Elementwise | Reduction | View


class Step(Struct, frozen=True):
    """One step of a plan: a node, with the nodes that are computed inside it.

    Attributes:
        node: the index of the node.
        result: the number of its first result.
        results: how many it has.
        reads: the stored values that it needs.
        dead: the values that nothing needs after it.
    """

    node: int
    result: int
    results: int
    reads: tuple[int, ...]
    dead: tuple[int, ...]


class Layout(Struct, frozen=True):
    """The steps of a plan.

    Attributes:
        inlined: the values that are computed inside a chain, with the nodes that make them.
        peak_bytes: the most bytes that live values have at once, beside those that loops need inside.
    """

    steps: tuple[Step, ...]
    inlined: Mapping[int, Node]
    peak_bytes: int


def find_layout(checked: CheckedProgram, inside: Mapping[int, int]) -> Layout:
    """Return the steps of a program, with as long chains as memory allows.

    Args:
        inside: the bytes that each loop needs inside, by the index of its node.
    """
    plain = _make_layout(checked, {}, inside)
    fused = _make_layout(checked, _find_inlined(checked), inside)
    # A chain keeps its reads longer than its parts would: what that costs must not pass the declared peak.
    return fused if fused.peak_bytes <= plain.peak_bytes + SLACK_BYTES else plain


def _find_inlined(checked: CheckedProgram) -> dict[int, Node]:
    program, types = checked.program, checked.types
    readers = [0] * len(types)
    for number in program.outputs:
        readers[number] += 2  # an output is stored
    for node in program.nodes:
        for number in set(node.operands):
            readers[number] += 1
    trees: dict[int, tuple[Node, int, int]] = {}
    inlined: dict[int, Node] = {}
    number = len(program.inputs)
    for index, node in enumerate(program.nodes):
        if isinstance(node.op, View):
            trees[number] = node, 0, 1
        elif isinstance(node.op, Elementwise | Reduction):
            operations, reads = 1, 0
            stored = {node.operands[1]} if isinstance(node.op, Table) else set()
            for operand in dict.fromkeys(node.operands):
                maker, more, further = trees.get(operand, (None, 0, 1))
                fits = operations + more <= MAX_OPERATIONS and reads + further + 1 <= MAX_READS
                is_read = maker is not None and isinstance(maker.op, View)
                is_whole = is_read or isinstance(node.op, Reduction) or types[operand].shape == types[number].shape
                if maker is None or readers[operand] > 1 or operand in stored or not (fits and is_whole):
                    reads += 1
                    continue
                inlined[operand] = maker
                operations, reads = operations + more, reads + further
            if isinstance(node.op, Elementwise):
                trees[number] = node, operations, reads
        number += len(checked.bodies[index].results) if index in checked.bodies else 1
    return inlined


def _make_layout(checked: CheckedProgram, inlined: Mapping[int, Node], inside: Mapping[int, int]) -> Layout:
    program = checked.program
    reads: list[tuple[int, int, int, tuple[int, ...]]] = []
    number = len(program.inputs)
    for index, node in enumerate(program.nodes):
        results = len(checked.bodies[index].results) if index in checked.bodies else 1
        if number not in inlined:
            reads.append((index, number, results, tuple(dict.fromkeys(_find_reads(node, inlined)))))
        number += results
    needed = {*range(len(program.inputs)), *program.outputs}
    steps: list[Step] = []
    for index, result, results, read in reversed(reads):
        dead = [value for value in (*range(result, result + results), *read) if value not in needed]
        needed.update(dead)
        steps.append(Step(index, result, results, read, tuple(dead)))
    steps.reverse()
    return Layout(tuple(steps), inlined, _compute_peak(checked, steps, needed, inside))


def _find_reads(node: Node, inlined: Mapping[int, Node]) -> list[int]:
    """Return the stored values that a node and those inside it read."""
    found: list[int] = []
    for operand in node.operands:
        found += _find_reads(inlined[operand], inlined) if operand in inlined else [operand]
    return found


def _compute_peak(checked: CheckedProgram, steps: Sequence[Step], values: Set[int], inside: Mapping[int, int]) -> int:
    sizes = {value: checked.types[value].nbytes for value in values}
    peak = live = 0
    for step in steps:
        live += sum(sizes[value] for value in range(step.result, step.result + step.results))
        peak = max(peak, live + inside.get(step.node, 0))
        live -= sum(sizes[value] for value in step.dead)
    return peak
