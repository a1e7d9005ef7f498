"""Programs evaluated on Python's own integers, entry by entry, with every value compared with its type.

It shares nothing with the interpreter but the structure of programs and the checker's types. It also counts what runs.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, assert_never

from blake3 import blake3

from inos.programs import CheckedProgram, Given, Inline, Repeat, Type
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

Matrix = list[list[int]]
WEIGHTS = {Mul: 4, IntDiv: 4, Table: 4, Gather: 4, View: 4, Random: 4}


def evaluate(checked: CheckedProgram, given: Sequence[Matrix], counts: Counter[str]) -> list[Matrix]:
    """Return the results, and add what ran to `counts`, by the names of a cost's fields."""
    rest = iter(given)
    values = [
        next(rest) if isinstance(each.source, Given) else read_inline(each.source, each.type)
        for each in checked.program.inputs
    ]
    for index, node in enumerate(checked.program.nodes):
        operands = [values[number] for number in node.operands]
        if isinstance(node.op, Repeat):
            values += evaluate_loop(node.op, checked.bodies[index], operands, counts)
        else:
            values.append(evaluate_op(node.op, operands))
            count(node.op, operands, values[-1], counts)
    for value, type_ in zip(values, checked.types, strict=True):
        assert len(value) == type_.rows
        assert all(len(row) == type_.cols and all(type_.lo <= x <= type_.hi for x in row) for row in value), type_
    return [values[number] for number in checked.program.outputs]


def evaluate_loop(op: Repeat, body: CheckedProgram, operands: list[Matrix], counts: Counter[str]) -> list[Matrix]:
    stop = op.carried + op.scanned
    state, stacked = operands[: op.carried], [[] for _ in body.results[op.carried :]]  # type: list[Matrix], list[Matrix]
    for i in range(op.count):
        slices = []
        for whole in operands[op.carried : stop]:
            rows = len(whole) // op.count
            slices.append(whole[i * rows : (i + 1) * rows])
        results = evaluate(body, [*state, *slices, *operands[stop:]], counts)
        state = results[: op.carried]
        for whole, part in zip(stacked, results[op.carried :], strict=True):
            whole += part
        counts["units"] += max(1, ceil(sum(len(part) * len(part[0]) for part in results[op.carried :]), 4096))
    return [*state, *stacked]


def evaluate_op(op: SimpleOp, operands: list[Matrix]) -> Matrix:
    x = operands[0]
    match op:
        case MatmulT(blocks):
            return multiply(x, operands[1], blocks)
        case Add():
            return broadcast(lambda a, b: a + b, *operands)
        case Mul(shift):
            half = 2 ** (shift - 1) if shift else 0
            return broadcast(lambda a, b: (a * b + half) // 2**shift, *operands)
        case IntDiv():
            return broadcast(lambda a, b: a // b if a >= 0 else -(-a // b), *operands)
        case Clamp(lo, hi):
            return [[min(max(a, lo), hi) for a in row] for row in x]
        case Table(first):
            return [[operands[1][0][a - first] for a in row] for row in x]
        case ReduceSum(axis):
            return [[sum(column) for column in zip(*x, strict=True)]] if axis == 0 else [[sum(row)] for row in x]
        case ReduceMax(axis):
            return [[max(column) for column in zip(*x, strict=True)]] if axis == 0 else [[max(row)] for row in x]
        case View(offset, rows, cols):
            flat = [a for row in x for a in row]
            return [[flat[offset + r + c] for c in list_offsets(cols)] for r in list_offsets(rows)]
        case Gather():
            return [list(x[index]) for (index,) in operands[1]]
        case Concat(axis):
            if axis == 0:
                return [row for operand in operands for row in operand]
            return [[a for operand in operands for a in operand[i]] for i in range(len(x))]
        case Random(rows, cols, bits):
            return draw(x, rows, cols, bits)
        case _:
            assert_never(op)


def multiply(x: Matrix, w: Matrix, blocks: int) -> Matrix:
    out = []
    for b in range(blocks):
        left = x[b * len(x) // blocks : (b + 1) * len(x) // blocks]
        right = w[b * len(w) // blocks : (b + 1) * len(w) // blocks]
        out += [[sum(p * q for p, q in zip(row, other, strict=True)) for other in right] for row in left]
    return out


def broadcast(function: Any, a: Matrix, b: Matrix) -> Matrix:
    rows, cols = max(len(a), len(b)), max(len(a[0]), len(b[0]))

    def read(m: Matrix, i: int, j: int) -> int:
        return m[i if len(m) > 1 else 0][j if len(m[0]) > 1 else 0]

    return [[function(read(a, i, j), read(b, i, j)) for j in range(cols)] for i in range(rows)]


def list_offsets(dimensions: Sequence[tuple[int, int]]) -> list[int]:
    offsets = [0]
    for length, stride in dimensions:
        offsets = [offset + i * stride for offset in offsets for i in range(length)]
    return offsets


def draw(key: Matrix, rows: int, cols: int, bits: int) -> Matrix:
    data = b"".join(a.to_bytes(8, "little", signed=True) for row in key for a in row)
    width = 1 if bits <= 8 else 2
    stream = blake3(data, derive_key_context="inos program random v1").digest(length=rows * cols * width)
    entries = [int.from_bytes(stream[at : at + width], "little") for at in range(0, len(stream), width)]
    small = [entry % 2**bits - 2 ** (bits - 1) for entry in entries]
    return [small[i * cols : (i + 1) * cols] for i in range(rows)]


def read_inline(source: Any, type_: Type) -> Matrix:
    assert isinstance(source, Inline)
    width = len(source.data) // type_.size
    parts = [source.data[at : at + width] for at in range(0, len(source.data), width)]
    entries = [int.from_bytes(part, "little", signed=True) for part in parts]
    return [entries[i * type_.cols : (i + 1) * type_.cols] for i in range(type_.rows)]


def count(op: SimpleOp, operands: list[Matrix], result: Matrix, counts: Counter[str]) -> None:
    size = len(result) * len(result[0])
    if isinstance(op, ReduceSum | ReduceMax):
        size = len(operands[0]) * len(operands[0][0])
    if isinstance(op, MatmulT):
        x, w = operands
        depth, rows = len(x[0]), len(x) // op.blocks
        tickets = op.blocks * ceil(rows, 16) * ceil(len(w) // op.blocks, 16) * ceil(depth, 1024)
        counts["tickets"] += tickets
        counts["macs"] += size * depth
        counts["units"] += tickets + 1
        return
    counts["elements"] += size
    counts["units"] += max(1, ceil(WEIGHTS.get(type(op), 1) * size, 4096))
    if isinstance(op, Random):
        counts["random_bytes"] += size * (1 if op.bits <= 8 else 2)


def ceil(a: int, b: int) -> int:
    return -(-a // b)
