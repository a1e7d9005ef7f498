"""Small programs written by hand, for tests of single rules."""

from collections.abc import Sequence

from inos.programs import Given, Input, Node, Program, Repeat, Type
from inos.programs.structure import Op, Source

INT7 = Type(4, 4, -64, 63)


def make(inputs: Sequence[Type | Input], *nodes: tuple[Op, tuple[int, ...]], outputs: Sequence[int] = (0,)) -> Program:
    """Return a program whose inputs are given unless they say otherwise."""
    whole = tuple(each if isinstance(each, Input) else Input(each, Given()) for each in inputs)
    return Program(whole, tuple(Node(op, operands) for op, operands in nodes), tuple(outputs))


def one(op: Op, *operands: Type) -> Program:
    """Return a program of one node, whose result is the output."""
    return make(operands, (op, tuple(range(len(operands)))), outputs=(len(operands),))


def source(type_: Type, source_: Source) -> Program:
    """Return a program without nodes, whose one input comes from this source."""
    return make([Input(type_, source_)])


def nest(depth: int, op: Op, count: int = 2) -> Program:
    """Return a program with an operation of one 4 x 4 operand, `depth` loops deep."""
    program = make([INT7], (op, (0,)), outputs=(1,))
    for _ in range(depth):
        program = make([INT7], (Repeat(count, program, 1, 0), (0,)), outputs=(1,))
    return program
