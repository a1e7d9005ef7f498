"""The checker: it finds every value's type, the results' types and the cost, or refuses the program.

A checked program needs no further check while it runs: nothing overflows, no index leaves its table, no shape is wrong.
"""

from collections.abc import Sequence
from typing import assert_never

import numpy as np
from msgspec import Struct

from inos.primitives.matrices import MAX_DEPTH, MAX_FILE_BYTES, MAX_ROWS, DType
from inos.programs.costs import Cost, Totals
from inos.programs.errors import InvalidProgram
from inos.programs.inference import infer_type
from inos.programs.lifetimes import NodeMemory, compute_peak, find_dead
from inos.programs.limits import (
    MAX_INPUTS,
    MAX_ITERATIONS,
    MAX_NESTING,
    MAX_NODES,
    MAX_OPERANDS,
    MAX_OUTPUTS,
)
from inos.programs.ops import MatmulT
from inos.programs.structure import OP_NAMES, Given, Inline, Input, Node, Program, Repeat, Stored
from inos.programs.types import INT32, Type, check_type


class CheckedProgram(Struct, frozen=True, eq=False):
    """A program that obeys all rules, with what the checker found.

    Attributes:
        types: of all values, by number.
        results: the types of the outputs.
        bodies: the checked bodies of loops, by the index of their node.
        dead: for each node the values that nothing needs after it; inputs and outputs are never among them.
    """

    program: Program
    types: tuple[Type, ...]
    results: tuple[Type, ...]
    cost: Cost
    bodies: dict[int, "CheckedProgram"]
    dead: tuple[tuple[int, ...], ...]

    @property
    def given(self) -> tuple[Type, ...]:
        """Return the types of the inputs that are handed over with the task, in order."""
        return tuple(each.type for each in self.program.inputs if isinstance(each.source, Given))


def check_program(program: Program) -> CheckedProgram:
    """Check a program and find its types and cost, without looking at any data.

    Raises:
        InvalidProgram: it breaks a rule of the language. The message says which node does, and why.
    """
    if len(program.outputs) > MAX_OUTPUTS:
        raise InvalidProgram("too-many", f"the program has {len(program.outputs)} outputs, more than {MAX_OUTPUTS}")
    return _Checker().check(program, nesting=0, borrowed=frozenset())


class _Checker:
    """The state of one check: the nodes seen so far, in the program and in all bodies."""

    def __init__(self) -> None:
        self._nodes = 0

    def check(self, program: Program, nesting: int, borrowed: frozenset[int]) -> CheckedProgram:
        """Check a program, or the body of a loop `nesting` loops deep whose `borrowed` inputs need no memory."""
        self._check_bounds(program, nesting)
        for index, each in enumerate(program.inputs):
            try:
                _check_input(each, nesting)
            except InvalidProgram as error:
                raise InvalidProgram(error.code, f"input {index}: {error.message}") from None
        types = [each.type for each in program.inputs]
        totals = Totals()
        bodies: dict[int, CheckedProgram] = {}
        special: dict[int, NodeMemory] = {}
        for index, node in enumerate(program.nodes):
            try:
                operands = _get_operands(types, node)
                op = node.op
                if type(op) is Repeat:
                    results, bodies[index], special[index] = self._check_repeat(op, operands, nesting)
                    types += results
                    stacked = bodies[index].results[op.carried :]
                    totals.add_loop(op.count, bodies[index].cost, sum(type_.size for type_ in stacked))
                else:
                    result = infer_type(op, operands)
                    types.append(result)
                    totals.add_node(op, operands, result)
                    if type(op) is MatmulT:  # the result and the int32 array that the product's maker returns
                        special[index] = NodeMemory(1, 1, result.nbytes + result.size * INT32.itemsize)
            except InvalidProgram as error:
                place = f"node {index} ({OP_NAMES[type(node.op)]})"
                raise InvalidProgram(error.code, f"{place}: {error.message}") from None
        for number in program.outputs:
            if not 0 <= number < len(types):
                raise InvalidProgram("bad-reference", f"output {number} is none of the {len(types)} values")
        dead = find_dead(program, len(types), special)
        cost = totals.get_cost(compute_peak(program, types, dead, special, borrowed))
        outputs = tuple([types[number] for number in program.outputs])
        return CheckedProgram(program, tuple(types), outputs, cost, bodies, tuple(dead))

    def _check_bounds(self, program: Program, nesting: int) -> None:
        self._nodes += len(program.nodes)
        if nesting > MAX_NESTING:
            raise InvalidProgram("too-many", f"loops are nested deeper than {MAX_NESTING}")
        if self._nodes > MAX_NODES:
            raise InvalidProgram("too-many", f"the program has more than {MAX_NODES} nodes, bodies included")
        if len(program.inputs) > MAX_INPUTS:
            raise InvalidProgram("too-many", f"{len(program.inputs)} inputs are more than {MAX_INPUTS}")
        if not 1 <= len(program.outputs) <= MAX_OPERANDS:
            raise InvalidProgram("bad-outputs", f"it has {len(program.outputs)} outputs and needs at least one")

    def _check_repeat(
        self, op: Repeat, operands: Sequence[Type], nesting: int
    ) -> tuple[list[Type], CheckedProgram, NodeMemory]:
        """Return the types of a loop's results, its checked body, and the memory it needs."""
        if not 1 <= op.count <= MAX_ITERATIONS:
            raise InvalidProgram("bad-attribute", f"it repeats {op.count} times; 1 to {MAX_ITERATIONS} are possible")
        declared = [each.type for each in op.body.inputs]
        if len(operands) != len(declared):
            raise InvalidProgram("bad-operands", f"it has {len(operands)} operands and its body {len(declared)} inputs")
        if op.carried < 0 or op.scanned < 0 or op.carried + op.scanned > len(operands):
            raise InvalidProgram(
                "bad-attribute", f"{op.carried} carried and {op.scanned} scanned of {len(operands)} operands"
            )
        stop = op.carried + op.scanned
        for index, (operand, inside) in enumerate(zip(operands, declared, strict=True)):
            if op.carried <= index < stop:
                if operand.rows % op.count:
                    raise InvalidProgram(
                        "shape-conflict", f"{operand.rows} rows of operand {index} are no {op.count} slices"
                    )
                part = Type(operand.rows // op.count, operand.cols, operand.lo, operand.hi)
            else:
                part = operand
            if not inside.contains(part):
                raise InvalidProgram("bad-loop", f"operand {index} is {part}, and the body declares {inside}")
        try:
            body = self.check(op.body, nesting + 1, frozenset(range(op.carried, len(operands))))
        except InvalidProgram as error:
            raise InvalidProgram(error.code, f"in its body, {error.message}") from None
        if len(body.results) < op.carried:
            raise InvalidProgram("bad-loop", f"it carries {op.carried} values and its body has {len(body.results)}")
        for index in range(op.carried):
            if not declared[index].contains(body.results[index]):
                raise InvalidProgram(
                    "bad-loop", f"carried value {index} becomes {body.results[index]}, declared is {declared[index]}"
                )
        stacked = [Type(t.rows * op.count, t.cols, t.lo, t.hi) for t in body.results[op.carried :]]
        for type_ in stacked:
            check_type(type_)
        converted = sum(
            inside.size * inside.storage.itemsize * (op.count if index < stop else 1)
            for index, (operand, inside) in enumerate(zip(operands, declared, strict=True))
            if index >= op.carried and operand.storage != inside.storage
        )
        converted += sum(
            inside.nbytes
            for inside, result in zip(declared[: op.carried], body.results, strict=False)
            if inside.storage != result.storage
        )
        memory = NodeMemory(len(body.results), op.carried, converted + body.cost.peak_bytes)
        return [*declared[: op.carried], *stacked], body, memory


def _check_input(each: Input, nesting: int) -> None:
    check_type(each.type)
    match each.source:
        case Given():
            return
        case Stored(_, dtype):
            _check_stored(each.type, dtype)
        case Inline(data):
            if len(data) != each.type.nbytes:
                raise InvalidProgram("bad-source", f"{len(data)} bytes are inline, {each.type} has {each.type.nbytes}")
            entries = np.frombuffer(data, dtype=each.type.storage.newbyteorder("<"))
            if entries.min() < each.type.lo or entries.max() > each.type.hi:
                raise InvalidProgram(
                    "bad-source", f"its inline entries are not all in {each.type.lo} .. {each.type.hi}"
                )
        case _:
            assert_never(each.source)
    if nesting:
        raise InvalidProgram("bad-source", "an input of a loop's body is given by the loop, and by nothing else")


def _check_stored(type_: Type, dtype: DType) -> None:
    match dtype:
        case DType.INT7:
            if not (type_.is_int7 and type_.rows <= MAX_ROWS and type_.cols <= MAX_DEPTH):
                raise InvalidProgram("bad-source", f"{type_} is not the type of an operand in the mesh")
        case DType.BYTES:
            if type_.nbytes > MAX_FILE_BYTES:
                raise InvalidProgram("bad-source", f"{type_} has {type_.nbytes} bytes, more than a file of the mesh")
        case DType.INT32:
            raise InvalidProgram("bad-source", "dtype 2 is neither an operand (1) nor bytes (3)")
        case _:
            assert_never(dtype)


def _get_operands(types: Sequence[Type], node: Node) -> list[Type]:
    numbers = node.operands
    if len(numbers) > MAX_OPERANDS:
        raise InvalidProgram("too-many", f"it has {len(numbers)} operands, more than {MAX_OPERANDS}")
    try:
        operands = [types[number] for number in numbers]
    except IndexError:
        operands = []
    if len(operands) != len(numbers) or (numbers and min(numbers) < 0):
        raise InvalidProgram("bad-reference", f"its operands {list(numbers)[:8]} are not all earlier values")
    return operands
