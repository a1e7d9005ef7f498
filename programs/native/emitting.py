"""A chain as code: loads, instructions on registers, and how the last register is stored (csrc/code.h).

A register holds entries of 2, 4 or 8 bytes, its lane: the narrowest in which an operation, its operands and all that
lies between are exact.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from inos.programs.native.chains import Chained, Elementwise, Reduction
from inos.programs.ops import Add, Clamp, IntDiv, Mul, ReduceMax, ReduceSum, Table, View
from inos.programs.structure import Node
from inos.programs.types import Type, get_working

STORE, SUM_ROWS, SUM_COLS, MAX_ROWS, MAX_COLS = range(5)
ADD, MUL, MUL_LONG, DIV, CLAMP, TABLE, CONVERT = range(7)

EXACT_IN_FLOATS: Final = {4: 2**22, 8: 2**52}
"""Floats of a lane's size divide integers below this exactly, once the quotient is cut off."""
Dims: TypeAlias = tuple[tuple[int, int], ...]
"""(length, stride), the outermost first."""


class _Leaf:
    def __init__(self, value: int, offset: int, rows: Dims, cols: Dims, lane: int, register: int) -> None:
        self.value, self.offset, self.rows, self.cols = value, offset, _merge(rows), _merge(cols)
        self.lane, self.register = lane, register


class ChainEmitter:
    """Writes the chain that ends with one node."""

    def __init__(self, types: Sequence[Type], inlined: Mapping[int, Node]) -> None:
        self._types, self._inlined = types, inlined
        self._leaves: dict[tuple[int, int], _Leaf] = {}
        self._instructions: list[int] = []
        self._count = self._registers = 0
        self._free: list[int] = []
        self._kept: set[int] = set()
        self._domain = Type(1, 1, 0, 0)

    def emit(self, node: Node, number: int) -> list[int]:
        """Return the words of the chain whose last node makes value `number`."""
        op = node.op
        assert isinstance(op, Chained)
        finish, is_wide = STORE, False
        if isinstance(op, Reduction):
            self._domain = self._types[node.operands[0]]
            last, lane = self._compute(node.operands[0])
            finish = {ReduceSum: (SUM_COLS, SUM_ROWS), ReduceMax: (MAX_COLS, MAX_ROWS)}[type(op)][op.axis]
            result = self._types[number]
            is_wide = lane == 8 or get_working(result.lo, result.hi).itemsize == 8
        else:
            self._domain = self._types[number]
            last, lane = self._compute_node(node, number)
        rows, cols, finish = self._orient(finish)
        words = [rows, cols, finish, int(is_wide), last, lane, len(self._leaves), self._count]
        for leaf in self._leaves.values():
            words += [leaf.value, leaf.register, leaf.lane, leaf.offset, len(leaf.rows), len(leaf.cols)]
            words += [word for dimension in leaf.rows + leaf.cols for word in dimension]
        return words + self._instructions

    def _orient(self, finish: int) -> tuple[int, int, int]:
        """Return rows, columns and finish, so turned that long runs of entries lie behind each other."""
        rows, cols = self._domain.shape
        leaves = self._leaves.values()
        turned = {STORE: STORE, SUM_ROWS: SUM_COLS, SUM_COLS: SUM_ROWS, MAX_ROWS: MAX_COLS, MAX_COLS: MAX_ROWS}
        is_far = sum(leaf.cols[-1][1] not in (0, 1) for leaf in leaves)
        is_far_turned = sum(leaf.rows[-1][1] not in (0, 1) for leaf in leaves)
        if cols == 1 or (finish != STORE and rows > 1 and is_far_turned < is_far):
            for leaf in leaves:
                leaf.rows, leaf.cols = leaf.cols, leaf.rows
            rows, cols, finish = cols, rows, turned[finish]
        if finish == STORE and all(len(_merge(leaf.rows + leaf.cols)) == 1 for leaf in leaves):
            for leaf in leaves:
                leaf.rows, leaf.cols = ((1, 0),), _merge(leaf.rows + leaf.cols)
            rows, cols = 1, rows * cols
        return rows, cols, finish

    def _compute(self, value: int) -> tuple[int, int]:
        """Return the register and the lane that hold a value."""
        node = self._inlined.get(value)
        if node is not None and isinstance(node.op, Elementwise):
            return self._compute_node(node, value)
        lane = get_lane(self._types[value].lo, self._types[value].hi)
        return self._load(value, lane), lane

    def _get(self, value: int, lane: int) -> int:
        """Return a register that holds a value in the given lane."""
        node = self._inlined.get(value)
        if node is None or isinstance(node.op, View):
            return self._load(value, lane)
        register, found = self._compute_node(node, value)
        return register if found == lane else self._write(CONVERT, found, (register,), lane)

    def _load(self, value: int, lane: int) -> int:
        leaf = self._leaves.get((value, lane))
        if leaf is None:
            node = self._inlined.get(value)
            self._leaves[value, lane] = leaf = self._make_leaf(value, lane, node)
        return leaf.register

    def _make_leaf(self, value: int, lane: int, view: Node | None) -> _Leaf:
        (rows, cols), type_ = self._domain.shape, self._types[value]
        if view is not None:
            assert isinstance(view.op, View)
            source, offset, row_dims, col_dims = view.operands[0], view.op.offset, view.op.rows, view.op.cols
        else:
            source, offset, row_dims, col_dims = value, 0, ((type_.rows, type_.cols),), ((type_.cols, 1),)
        return _Leaf(
            source,
            offset,
            row_dims if type_.rows == rows else ((rows, 0),),
            col_dims if type_.cols == cols else ((cols, 0),),
            lane,
            self._take_new(is_kept=True),
        )

    def _compute_node(self, node: Node, value: int) -> tuple[int, int]:
        """Write the instructions of an operation, and return the register and the lane of its result."""
        result, operands = self._types[value], [self._types[number] for number in node.operands]
        match node.op:
            case View():
                lane = get_lane(result.lo, result.hi)
                self._leaves[value, lane] = leaf = self._make_leaf(value, lane, node)
                return leaf.register, lane
            case Add():
                lane = get_lane(*_get_bounds(*operands, result))
                return self._write_binary(ADD, lane, node), lane
            case Mul(shift):
                return self._compute_mul(shift, node, operands, result)
            case IntDiv():
                bounds = _get_bounds(*operands, result)
                lane = max(4, get_lane(*bounds))
                is_float = max(map(abs, bounds)) < EXACT_IN_FLOATS[lane]
                return self._write_binary(DIV, lane, node, int(is_float)), lane
            case Clamp():
                x = operands[0]
                if (x.lo, x.hi) == (result.lo, result.hi):
                    return self._compute(node.operands[0])
                lane = get_lane(*_get_bounds(x, result))
                register = self._get(node.operands[0], lane)
                return self._write(CLAMP, lane, (register,), result.lo, result.hi), lane
            case Table(first):
                register, lane = self._compute(node.operands[0])
                width = operands[1].storage.itemsize
                return self._write(TABLE, lane, (register,), node.operands[1], first, width), max(2, width)
            case _:
                raise AssertionError(f"{node.op} is not elementwise")

    def _compute_mul(self, shift: int, node: Node, operands: Sequence[Type], result: Type) -> tuple[int, int]:
        a, b = operands
        corners = (a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi)
        half = 1 << shift >> 1
        lane = get_lane(*_get_bounds(a, b), half, min(corners) - half, max(corners) + half)
        if lane < 8:
            return self._write_binary(MUL, lane, node, shift, half), lane
        if get_lane(*_get_bounds(a, b)) == 8:
            return self._write_binary(MUL, 8, node, shift, half), 8
        wanted = max(4, get_lane(result.lo, result.hi))
        return self._write_binary(MUL_LONG, 4, node, shift, half, wanted), wanted

    def _write_binary(self, op: int, lane: int, node: Node, p: int = 0, q: int = 0, r: int = 0) -> int:
        first, second = node.operands
        a = self._get(first, lane)
        b = a if first == second else self._get(second, lane)
        return self._write(op, lane, (a, b), p, q, r)

    def _write(self, op: int, lane: int, operands: tuple[int, ...], p: int = 0, q: int = 0, r: int = 0) -> int:
        """Write an instruction, and return its target, which is none of its operands."""
        target = self._take()
        self._instructions += [op, lane, target, operands[0], operands[-1], p, q, r]
        self._count += 1
        self._free += [register for register in set(operands) if register not in self._kept]
        return target

    def _take(self) -> int:
        return self._free.pop() if self._free else self._take_new()

    def _take_new(self, is_kept: bool = False) -> int:
        """Return a register that nothing used before; one that is kept is never used for anything else."""
        self._registers += 1
        if is_kept:
            self._kept.add(self._registers - 1)
        return self._registers - 1


def get_lane(*bounds: int) -> int:
    """Return the narrowest lane that holds all bounds: 2, 4 or 8 bytes."""
    lo, hi = min(bounds), max(bounds)
    if lo >= -(2**15) and hi < 2**15:
        return 2
    return 4 if lo >= -(2**31) and hi < 2**31 else 8


def _get_bounds(*types: Type) -> tuple[int, ...]:
    return *(each.lo for each in types), *(each.hi for each in types)


def _merge(dims: Dims) -> Dims:
    """Return equal dimensions with as few of them as possible, at least one."""
    merged: list[tuple[int, int]] = []
    for length, stride in dims:
        if length == 1:
            continue
        if merged and merged[-1][1] == length * stride:
            merged[-1] = merged[-1][0] * length, stride
        else:
            merged.append((length, stride))
    return tuple(merged) or ((1, 0),)
