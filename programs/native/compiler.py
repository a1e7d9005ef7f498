"""A checked program as the words that the C code runs (csrc/code.h)."""

from array import array
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from inos.programs.checker import CheckedProgram
from inos.programs.native.chains import Chained, Layout, Step, find_layout
from inos.programs.native.emitting import ChainEmitter
from inos.programs.ops import Concat, Gather, MatmulT, Random
from inos.programs.structure import Node, Repeat
from inos.programs.types import INT32, Type

CHAIN, CALL, PRODUCT, GATHER, CONCAT, REPEAT = range(6)
HEADER_WORDS: Final = 6
MAX_SMALL_MACS: Final = 1 << 23
"""C makes blocks of at most so many multiplications; the kernels that mine are faster for larger ones."""
MAX_STEP_MACS: Final = 1 << 31
"""All blocks of one step in C have at most so many, a tenth of a second, since nothing interrupts it."""


class Call(Struct, frozen=True):
    """A step that Python computes: a product or random numbers."""

    op: MatmulT | Random
    operands: tuple[Type, ...]
    result: Type


class Compiled(Struct, frozen=True, eq=False):
    """A program's code, and the calls that it makes, by number."""

    code: "array[int]"
    calls: tuple[Call, ...]


def compile_program(checked: CheckedProgram, is_injected: bool = True) -> Compiled:
    """Compile a checked program with all its loops.

    Args:
        is_injected: all products are calls; otherwise small ones are computed in C.
    """
    compiler = _Compiler(is_injected)
    root, _ = compiler.add_plan(checked)
    compiler.code[0] = root
    return Compiled(compiler.code, tuple(compiler.calls))


def is_small(operands: Sequence[Type], product: Type, blocks: int) -> bool:
    """Return True for a product that is made in C, and not by a call."""
    macs = operands[0].cols * product.size
    return product.storage == INT32 and macs <= min(blocks * MAX_SMALL_MACS, MAX_STEP_MACS)


class _Compiler:
    def __init__(self, is_injected: bool) -> None:
        self._is_injected = is_injected
        self.code = array("q", [0])
        self.calls: list[Call] = []

    def add_plan(self, checked: CheckedProgram) -> tuple[int, int]:
        """Write a plan behind those of its loops, and return its position and the bytes that it needs."""
        bodies = {index: self.add_plan(body) for index, body in checked.bodies.items()}
        layout = find_layout(checked, {index: needed for index, (_, needed) in bodies.items()})
        place, program, types = len(self.code), checked.program, checked.types
        self.code.extend([len(types), len(program.inputs), len(program.outputs), len(layout.steps)])
        for each in types:
            self.code.extend([each.rows, each.cols, each.storage.itemsize])
        self.code.extend(program.outputs)
        for step in layout.steps:
            self._add_step(checked, layout, step, bodies)
        return place, layout.peak_bytes

    def _add_step(
        self, checked: CheckedProgram, layout: Layout, step: Step, bodies: dict[int, tuple[int, int]]
    ) -> None:
        node = checked.program.nodes[step.node]
        kind, details = self._describe(checked, layout, step, node, bodies)
        operands = () if kind == CHAIN else node.operands
        words = HEADER_WORDS + len(operands) + len(step.dead) + len(details)
        self.code.extend([kind, words, step.result, step.results, len(operands), len(step.dead)])
        self.code.extend(operands)
        self.code.extend(step.dead)
        self.code.extend(details)

    def _describe(
        self, checked: CheckedProgram, layout: Layout, step: Step, node: Node, bodies: dict[int, tuple[int, int]]
    ) -> tuple[int, list[int]]:
        """Return the kind of a step, and the words that belong to it."""
        op = node.op
        if isinstance(op, Chained):
            return CHAIN, ChainEmitter(checked.types, layout.inlined).emit(node, step.result)
        match op:
            case MatmulT() | Random():
                operands = tuple([checked.types[number] for number in node.operands])
                if (
                    isinstance(op, MatmulT)
                    and not self._is_injected
                    and is_small(operands, checked.types[step.result], op.blocks)
                ):
                    return PRODUCT, [op.blocks]
                self.calls.append(Call(op, operands, checked.types[step.result]))
                return CALL, [len(self.calls) - 1]
            case Gather():
                return GATHER, []
            case Concat(axis):
                return CONCAT, [axis]
            case Repeat(count, _, carried, scanned):
                return REPEAT, [count, carried, scanned, bodies[step.node][0]]
            case _:
                raise AssertionError(f"{op} is neither chained nor a step of its own")
