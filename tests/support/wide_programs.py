"""Random programs whose values are large and whose chains are long: most values are read once, and few are outputs."""

from random import Random

import numpy as np

from inos.programs import CheckedProgram, Given, InvalidProgram, Program, Type
from inos.programs.ops import Add, Clamp, IntDiv, Mul, ReduceMax, ReduceSum, Table, View
from inos.programs.types import Array
from support.random_programs import Growing

SHAPES = ((1, 1), (1, 5), (7, 1), (40, 32), (33, 65), (3, 1024), (5, 1025), (2, 2500), (1500, 3), (600, 1))
TOPS = (3, 6, 12, 14, 15, 16, 28, 30, 31, 33, 52, 60, 62)
MAX_SIZE = 20_000


def make_wide_program(rng: Random) -> Program:
    """Return a program that grows from its newest value, with the operands that broadcast to it."""
    growing = Growing(rng)
    growing.max_size = MAX_SIZE
    rows, cols = rng.choice(SHAPES)
    for shape in {(rows, cols), (1, cols), (rows, 1), (1, 1)}:
        for _ in range(rng.choice([1, 1, 2])):
            hi = 2 ** rng.choice(TOPS) - rng.choice([0, 1])
            growing.add_input(Type(*shape, rng.choice([-hi, -hi, 0, min(hi, 1)]), hi))
    newest = next(value for value, type_ in growing.types.items() if type_.shape == (rows, cols))
    outputs = []
    for _ in range(rng.randint(1, 24)):
        try:
            newest = _extend(growing, newest)
        except InvalidProgram:
            growing.grow_some(1)
        if rng.random() < 0.05:
            outputs.append(newest)
        if growing.types[newest].size > MAX_SIZE:
            break
    return growing.finish([newest, *outputs])


def _extend(growing: Growing, newest: object) -> object:
    rng, type_ = growing.rng, growing.types[newest]
    other = rng.choice(list(growing.types))
    match rng.choice(["add", "mul", "mul", "div", "clamp", "clamp", "table", "sum", "max", "view", "turn", "spread"]):
        case "add":
            return growing.add(Add(), *rng.sample([newest, other], 2))
        case "mul":
            return growing.add(Mul(rng.choice([0, 0, 1, 7, 14, 30, 31, 45, 62])), *rng.sample([newest, other], 2))
        case "div":
            return growing.add(IntDiv(), newest, growing.clamp(other, 1, rng.choice([1, 7, 2**20, 2**40])))
        case "clamp":
            hi = 2 ** rng.choice(TOPS)
            return growing.add(Clamp(rng.choice([-hi, -hi, -1, 0]), hi - rng.choice([0, 1])), newest)
        case "table":
            table = growing.add(ReduceMax(0), other)
            first = rng.choice([-(2**40), -3, 0])
            clamped = growing.clamp(newest, first, first + growing.types[table].cols - 1)
            return growing.add(Table(first), clamped, table)
        case "sum":
            return growing.add(ReduceSum(rng.choice([0, 1])), newest)
        case "max":
            return growing.add(ReduceMax(rng.choice([0, 1])), newest)
        case "view":
            flat = type_.size - 1
            return growing.add(View(flat, ((type_.rows, -type_.cols),), ((type_.cols, -1),)), newest)
        case "turn":
            return growing.add(View(0, ((type_.cols, 1),), ((type_.rows, type_.cols),)), newest)
        case _:
            rows = tuple([(rng.choice([1, 2, 5]), 0), (type_.rows, type_.cols)])
            return growing.add(View(0, rng.choice([rows, rows[::-1]]), ((type_.cols, 1),)), newest)


def draw_inputs(checked: CheckedProgram, rng: Random) -> list[Array]:
    """Return the given inputs as matrices, with many entries at the ends of their intervals."""
    source = np.random.default_rng(rng.randrange(2**32))
    drawn = []
    for each in checked.program.inputs:
        if not isinstance(each.source, Given):
            continue
        type_ = each.type
        some = source.integers(type_.lo, type_.hi, type_.shape, endpoint=True)
        near = np.clip(source.integers(-3, 3, type_.shape, endpoint=True), type_.lo, type_.hi)
        kind = source.integers(0, 4, type_.shape)
        drawn.append(np.select([kind == 0, kind == 1, kind == 2], [np.full_like(some, type_.lo), type_.hi, near], some))
    return drawn
