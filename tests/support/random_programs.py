"""Random programs: every operation, loops nested to four, extreme intervals. Most nodes are right, none is trusted."""

from random import Random
from typing import Any

import numpy as np

from inos.programs import Given, Inline, Input, InvalidProgram, Node, Program, Repeat, Type
from inos.programs.inference import infer_type
from inos.programs.ops import (
    Add,
    Clamp,
    Concat,
    Gather,
    IntDiv,
    MatmulT,
    Mul,
    ReduceMax,
    ReduceSum,
    Table,
    View,
)
from inos.programs.ops import Random as RandomOp
from inos.programs.structure import Op

MAX_NESTING = 4
TOPS = (3, 6, 6, 12, 20, 30, 31, 40, 60)
BOUNDS = (-(2**50), -128, -100, -64, -1, 0, 1, 63, 127, 1000, 2**31 - 1, 2**31, 2**50)
STRIDES = (-2, -1, 0, 1, 2, 4)
KINDS = (
    *("product", "add", "mul", "mul", "intdiv", "clamp", "table", "sum", "max", "view", "view"),
    *("gather", "concat", "random", "loop", "inline"),
)


class Growing:
    """A program that grows node by node; nodes that the rules refuse are left out."""

    def __init__(self, rng: Random, nesting: int = 0) -> None:
        self.rng = rng
        self.nesting = nesting
        self.max_size = 300
        self.inputs: list[Input] = []
        self.nodes: list[tuple[Op, list[Any]]] = []
        self.types: dict[Any, Type] = {}
        self._count = 0

    def add_input(self, type_: Type, source: Given | Inline | None = None) -> Any:
        value = ("input", len(self.inputs))
        self.inputs.append(Input(type_, source or Given()))
        self.types[value] = type_
        return value

    def add(self, op: Any, *operands: Any) -> Any:
        """Return the new value, or raise InvalidProgram."""
        result = infer_type(op, [self.types[each] for each in operands])
        return self.add_known(op, operands, [result])[0]

    def add_known(self, op: Op, operands: Any, results: list[Type]) -> list[Any]:
        self.nodes.append((op, list(operands)))
        values = [("result", self._count + i) for i in range(len(results))]
        self._count += len(results)
        self.types.update(zip(values, results, strict=True))
        return values

    def finish(self, outputs: list[Any]) -> Program:
        first = len(self.inputs)

        def number(value: Any) -> int:
            return int(value[1] + (first if value[0] == "result" else 0))

        nodes = [Node(op, tuple(number(each) for each in operands)) for op, operands in self.nodes]
        return Program(tuple(self.inputs), tuple(nodes), tuple(number(each) for each in outputs))

    def clamp(self, value: Any, lo: int, hi: int) -> Any:
        return self.add(Clamp(lo, hi), value)

    def grow(self, kind: str) -> None:
        """Add one node of a kind, with those that make its operands fit."""
        rng, values = self.rng, list(self.types)
        x, y = rng.choice(values), rng.choice(values)
        tx = self.types[x]
        match kind:
            case "product":
                self.add(MatmulT(rng.choice([1, 2])), self.clamp(x, -64, 63), self.clamp(y, -64, 63))
            case "add":
                self.add(Add(), x, y)
            case "mul":
                self.add(Mul(rng.choice([0, 0, 1, 7, 31, 45, 62])), x, y)
            case "intdiv":
                self.add(IntDiv(), x, self.clamp(y, 1, rng.choice([1, 7, 2**40])))
            case "clamp":
                lo, hi = sorted(rng.choices(BOUNDS, k=2))
                self.clamp(x, lo, hi)
            case "table":
                last = self.types[y].cols - 1
                first = rng.choice([-(2**40), -1, 0, 1])
                self.add(Table(first), self.clamp(x, first, first + last), self.add(ReduceMax(0), y))
            case "sum":
                self.add(ReduceSum(rng.choice([0, 1])), x)
            case "max":
                self.add(ReduceMax(rng.choice([0, 1])), x)
            case "view":
                self.view(x)
            case "gather":
                column = self.add(View(0, ((self.types[y].size, 1),), ((1, 1),)), y)
                self.add(Gather(), x, self.clamp(column, 0, tx.rows - 1))
            case "concat":
                more = rng.choices(values, k=rng.choice([0, 1, 2]))
                self.add(Concat(rng.choice([0, 1])), x, *more)
            case "random":
                self.add(RandomOp(rng.choice([1, 2, 3]), rng.choice([1, 2]), rng.randint(1, 16)), x)
            case "loop":
                self.loop()
            case _ if self.nesting == 0:  # a loop's body has no inputs of its own
                entries = [rng.choice([-(2**40), -1, 0, 5, 127, 2**33]) for _ in range(rng.choice([1, 2, 4]))]
                self.constant([entries])
            case _:
                return

    def constant(self, rows: list[list[int]]) -> Any:
        flat = [a for row in rows for a in row]
        type_ = Type(len(rows), len(rows[0]), min(flat), max(flat))
        return self.add_input(type_, Inline(np.array(rows, dtype=type_.storage.newbyteorder("<")).tobytes()))

    def view(self, x: Any) -> Any:
        rng = self.rng
        sides = [
            tuple((rng.choice([1, 2, 3]), rng.choice(STRIDES)) for _ in range(rng.choice([1, 1, 2, 4]))) for _ in "rc"
        ]
        return self.add(View(rng.randrange(self.types[x].size), *sides), x)

    def loop(self) -> None:
        """Add a loop with carried, scanned and shared operands."""
        if self.nesting == MAX_NESTING:
            return
        rng, count = self.rng, self.rng.choice([1, 2, 2, 3, 4])
        values = list(self.types)
        carried = rng.choices(values, k=rng.choice([0, 1, 1, 2]))
        scanned = [v for v in rng.choices(values, k=2) if self.types[v].rows % count == 0]
        shared = rng.choices(values, k=rng.choice([0, 1, 2]))
        body = Growing(rng, self.nesting + 1)
        inside = []
        for value in carried:
            t, more = self.types[value], rng.choice([0, 0, 1, 200, 2**20])
            inside.append(body.add_input(Type(t.rows, t.cols, max(t.lo - more, -(2**62)), min(t.hi + more, 2**62))))
        for value in scanned:
            t = self.types[value]
            body.add_input(Type(t.rows // count, t.cols, t.lo, t.hi))
        for value in shared:
            t, more = self.types[value], rng.choice([0, 0, 1000])
            body.add_input(Type(t.rows, t.cols, max(t.lo - more, -(2**62)), t.hi))
        if not body.types:
            return
        if rng.random() < 0.5:
            body.grow_some(1, "loop")
        body.grow_some(rng.choice([0, 1, 3, 5]))
        after = [body.fit(rng.choice(list(body.types)), body.types[value]) for value in inside]
        kept = [v for v in body.types if v[0] == "result"] or list(body.types)
        stacked = rng.choices(kept, k=rng.choice([0, 1, 2]) if after else 1)
        program = body.finish([*after, *stacked])
        results = [body.types[value] for value in inside]
        results += [Type(body.types[v].rows * count, *body.types[v].shape[1:], *body.span(v)) for v in stacked]
        op = Repeat(count, program, len(carried), len(scanned))
        self.add_known(op, [*carried, *scanned, *shared], results)

    def span(self, value: Any) -> tuple[int, int]:
        return self.types[value].lo, self.types[value].hi

    def fit(self, value: Any, wanted: Type) -> Any:
        """Return a value with these dimensions and within this interval."""
        if self.types[value].shape != wanted.shape:
            cells = self.add(View(0, ((1, 0),), ((1, 0),)), value)
            value = self.add(View(0, ((wanted.rows, 0),), ((wanted.cols, 0),)), cells)
        return self.clamp(value, wanted.lo, wanted.hi)

    def grow_some(self, nodes: int, kind: str = "") -> None:
        for _ in range(nodes):
            if max((t.size for t in self.types.values()), default=0) > self.max_size:
                return
            try:
                self.grow(kind or self.rng.choice(KINDS))
            except InvalidProgram:
                continue


def make_program(rng: Random) -> Program:
    """Return a random program, whose outputs are most of its values."""
    growing = Growing(rng)
    for _ in range(rng.choice([1, 2, 3])):
        top = rng.choice(TOPS)
        hi = 2**top - 1
        lo = rng.choice([-(2**top), -(2**top), 0, min(1, hi)])
        growing.add_input(Type(rng.choice([1, 2, 3, 4]), rng.choice([1, 2, 4]), lo, hi))
    growing.grow_some(rng.choice([1, 4, 8, 16]))
    values = list(growing.types)
    return growing.finish(rng.sample(values, min(len(values), 16)))


def make_inputs(program: Program, rng: Random) -> list[list[list[int]]]:
    """Return matrices for the given inputs, with many entries at the ends of their intervals."""

    def draw(lo: int, hi: int) -> int:
        return rng.choice([lo, hi, rng.randint(lo, hi), max(lo, min(hi, rng.randint(-3, 3)))])

    types = [each.type for each in program.inputs if isinstance(each.source, Given)]
    return [[[draw(t.lo, t.hi) for _ in range(t.cols)] for _ in range(t.rows)] for t in types]
