"""Writes programs: every method of `ProgramBuilder` adds a node and checks it at once.

    b = ProgramBuilder()
    x = b.input(16, 64, -64, 63, name="x")
    y = b.clamp(b.mul(b.matmul(x, b.operand(weights)), 1, shift=7), -64, 63)
    built = b.finish([y])

A node is placed in the innermost loop that one of its operands belongs to. So a loop's body may use any value from
outside, and what does not depend on the loop runs once, before it.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from msgspec import Struct

from inos.primitives.matrices import DType
from inos.programs.checker import check_program
from inos.programs.errors import InvalidProgram
from inos.programs.inference import infer_type
from inos.programs.limits import INT7_MAX, INT7_MIN, MAX_INLINE_BYTES, MAX_VALUE
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
from inos.programs.structure import Given, Inline, Input, Node, Op, Program, Repeat, Source, Stored
from inos.programs.types import Array, Type
from inos.programs.values import encode_value
from inos.work.files import compute_file_id
from inos.work.matrices import matrix_id

Dimension: TypeAlias = tuple[int, int]
"""(length, stride)."""
Body: TypeAlias = Callable[[list["Value"], list["Value"]], tuple[Sequence["Value"], Sequence["Value"]]]
"""Takes the carried values and the slices of one iteration; returns the next carried values and what is stacked."""
_INPUT: Final = 0
_RESULT: Final = 1


class Value:
    """A value of a program that is being written. `+`, `-` and `*` take values and integers."""

    __array_ufunc__ = None  # numpy leaves array + value to __radd__

    def __init__(self, builder: "ProgramBuilder", place: tuple[int, int], type_: Type) -> None:
        self.builder = builder
        self.place = place
        """Whether it is an input or a result, and its number among them."""
        self.type = type_
        self.rows, self.cols = type_.shape

    @property
    def largest(self) -> int:
        """Return the largest absolute value that an entry can have."""
        return max(-self.type.lo, self.type.hi)

    def __add__(self, other: "Operand") -> "Value":
        return self.builder._add(Add(), self, other)

    def __sub__(self, other: "Operand") -> "Value":
        return self.builder.add(self, -other)

    def __mul__(self, other: "Operand") -> "Value":
        return self.builder._add(Mul(0), self, other)

    def __neg__(self) -> "Value":
        return self.builder.mul(self, -1)

    def __rsub__(self, other: "Operand") -> "Value":
        return -self + other

    __radd__ = __add__
    __rmul__ = __mul__


Operand: TypeAlias = Value | int | Array
"""Integers and arrays become constants."""


class BuiltProgram(Struct, frozen=True, eq=False):
    """A finished program with the data that it keeps in the mesh.

    Attributes:
        names: of the given inputs, in order; "" for one without a name.
        matrices: operands (int8) and files (bytes) by their id.
    """

    program: Program
    names: tuple[str, ...]
    matrices: dict[bytes, Array | bytes]

    def load(self, stored: Stored) -> Array | bytes:
        """Return the data of a stored input, as `run_program` asks for it."""
        return self.matrices[stored.id]


class ProgramBuilder:
    """A program, or the body of a loop, that is being written."""

    def __init__(self, around: "ProgramBuilder | None" = None) -> None:
        self._around = around
        self._depth: int = around._depth + 1 if around is not None else 0
        self._root: ProgramBuilder = around._root if around is not None else self
        self._inputs: list[Input] = []
        self._names: list[str] = []
        self._nodes: list[tuple[Op, list[tuple[int, int]]]] = []
        self._results = 0
        self._constants: dict[tuple[Type, bytes, DType | None], Value] = {}
        self._captured: dict[Value, Value] = {}
        self._matrices: dict[bytes, Array | bytes] = {}
        self._is_finished = False
        self._innermost = self
        """In the root: the body that is being written now."""

    # Inputs

    def input(self, rows: int, cols: int, lo: int, hi: int, *, name: str = "") -> Value:
        """Return an input that is handed over with the task."""
        self._root._names.append(name)
        return self._root._add_input(Type(rows, cols, lo, hi), Given())

    def operand(self, array: Any) -> Value:
        """Return a matrix for products: entries in -64 .. 63, kept in the mesh as dtype 1."""
        whole = _read_integers(array)
        if whole.min() < INT7_MIN or whole.max() > INT7_MAX:
            raise InvalidProgram("not-int7", f"an operand has entries in {whole.min()} .. {whole.max()}")
        return self._root._add_constant(whole.astype(np.int8), DType.INT7)

    def constant(self, array: Any) -> Value:
        """Return a constant: a part of the program up to 64 bytes, and a file of the mesh if it is larger."""
        return self._root._add_constant(_read_integers(array).astype(np.int64), None)

    # Operations

    def matmul(self, x: Operand, w: Operand, blocks: int = 1) -> Value:
        """Return X_b * W_b^T for each of `blocks` blocks of rows, below each other."""
        return self._add(MatmulT(blocks), x, w)

    def add(self, a: Operand, b: Operand) -> Value:
        return self._add(Add(), a, b)

    def mul(self, a: Operand, b: Operand, shift: int = 0) -> Value:
        """Return a * b / 2^shift, rounded to the nearest, ties up."""
        return self._add(Mul(shift), a, b)

    def shift(self, x: Operand, bits: int) -> Value:
        """Return x / 2^bits, rounded to the nearest, ties up."""
        return self._add(Mul(bits), x, 1)

    def intdiv(self, a: Operand, b: Operand) -> Value:
        """Return a / b towards zero; b is at least 1."""
        return self._add(IntDiv(), a, b)

    def clamp(self, x: Operand, lo: int, hi: int) -> Value:
        return self._add(Clamp(lo, hi), x)

    def table(self, x: Operand, entries: Operand, first: int) -> Value:
        """Return entries[x - first]."""
        return self._add(Table(first), x, entries)

    def sum(self, x: Operand, axis: int = 1) -> Value:
        return self._add(ReduceSum(axis), x)  # type: ignore[arg-type]  # the rule refuses what is not 0 or 1

    def max(self, x: Operand, axis: int = 1) -> Value:
        return self._add(ReduceMax(axis), x)  # type: ignore[arg-type]

    def view(self, x: Operand, offset: int, rows: Sequence[Dimension], cols: Sequence[Dimension]) -> Value:
        """Return an affine read of the row-major entries; (length, stride) of each dimension, outermost first."""
        return self._add(View(offset, tuple(rows), tuple(cols)), x)

    def gather(self, table: Operand, index: Operand) -> Value:
        """Return the rows of a table that a column of indices names."""
        return self._add(Gather(), table, index)

    def concat(self, values: Sequence[Operand], axis: int = 0) -> Value:
        return self._add(Concat(axis), *values)  # type: ignore[arg-type]

    def random(self, key: Operand, rows: int, cols: int, bits: int) -> Value:
        """Return entries of `bits` bits less half their range, drawn from the key."""
        return self._add(Random(rows, cols, bits), key)

    def repeat(
        self, count: int, carried: Sequence[tuple[Value, int, int]], scanned: Sequence[Value], body: Body
    ) -> tuple[list[Value], list[Value]]:
        """Return a loop's last carried values and its stacked results.

        Args:
            carried: the first values, each with the interval that it never leaves.
            scanned: values that are cut into `count` slices of rows.
            body: writes one iteration; it may use any other value that there is.

        Raises:
            InvalidProgram: the carried values leave their intervals, or the slices are uneven.
        """
        place = self._root._innermost
        inside = ProgramBuilder(place)
        state = [inside._add_input(Type(v.rows, v.cols, lo, hi), Given()) for v, lo, hi in carried]
        slices = [inside._add_slice(value, count) for value in scanned]
        self._root._innermost = inside
        try:
            after, stacked = body(state, slices)
        finally:
            self._root._innermost = place
        for index, (value, declared) in enumerate(zip(after, state, strict=True)):
            if not declared.type.contains(value.type):
                raise InvalidProgram("bad-loop", f"carried value {index} becomes {value.type}, not {declared.type}")
        program = inside._finish([*after, *stacked])
        results = [each.type for each in state]
        results += [Type(v.rows * count, v.cols, v.type.lo, v.type.hi) for v in stacked]
        operands = [*(value for value, _, _ in carried), *scanned, *inside._captured]
        found = place._add_node(Repeat(count, program, len(state), len(slices)), operands, results)
        return found[: len(state)], found[len(state) :]

    def finish(self, outputs: Sequence[Value]) -> BuiltProgram:
        """Return the program, checked.

        Raises:
            InvalidProgram: it breaks a rule that the single nodes do not, such as the number of outputs.
        """
        program = self._finish(outputs)
        check_program(program)
        return BuiltProgram(program, tuple(self._names), dict(self._matrices))

    # What the program is made of

    def _add(self, op: SimpleOp, *operands: Operand) -> Value:
        values = [each if isinstance(each, Value) else self.constant(each) for each in operands]
        result = infer_type(op, [each.type for each in values])
        return self._find_place(values)._add_node(op, values, [result])[0]

    def _find_place(self, values: Sequence[Value]) -> "ProgramBuilder":
        """Return the innermost builder that one of the values belongs to."""
        return max((each.builder for each in values), key=lambda builder: builder._depth, default=self._root)

    def _add_node(self, op: Op, operands: Sequence[Value], results: Sequence[Type]) -> list[Value]:
        if self._is_finished:
            raise InvalidProgram("bad-reference", "a value belongs to a loop's body that is finished")
        self._nodes.append((op, [self._resolve(each) for each in operands]))
        values = [Value(self, (_RESULT, self._results + i), type_) for i, type_ in enumerate(results)]
        self._results += len(results)
        return values

    def _add_input(self, type_: Type, source: Source) -> Value:
        self._inputs.append(Input(type_, source))
        return Value(self, (_INPUT, len(self._inputs) - 1), type_)

    def _add_slice(self, value: Value, count: int) -> Value:
        if value.rows % count:
            raise InvalidProgram("shape-conflict", f"{value.rows} rows are not cut into {count} equal slices")
        return self._add_input(Type(value.rows // count, value.cols, value.type.lo, value.type.hi), Given())

    def _add_constant(self, array: Array, dtype: DType | None) -> Value:
        rows, cols = array.shape
        type_ = Type(rows, cols, int(array.min()), int(array.max()))
        data = encode_value(array, type_)
        key = (type_, data, dtype)
        if key not in self._constants:
            self._constants[key] = self._add_input(type_, self._find_source(array, data, dtype))
        return self._constants[key]

    def _find_source(self, array: Array, data: bytes, dtype: DType | None) -> Source:
        if dtype is DType.INT7:
            id_ = matrix_id(array)
            self._matrices[id_] = array
            return Stored(id_, DType.INT7)
        if len(data) <= MAX_INLINE_BYTES:
            return Inline(data)
        id_ = compute_file_id(data)
        self._matrices[id_] = data
        return Stored(id_, DType.BYTES)

    def _resolve(self, value: Value) -> tuple[int, int]:
        """Return a value's place here; one from outside becomes an input that the loop shares."""
        if value.builder is self:
            return value.place
        if self._around is None or value.builder._depth >= self._depth:
            raise InvalidProgram("bad-reference", "a value belongs to a loop's body that is not around this node")
        if value not in self._captured:
            self._captured[value] = self._add_input(value.type, Given())
        return self._captured[value].place

    def _finish(self, outputs: Sequence[Value]) -> Program:
        places = [self._resolve(each) for each in outputs]
        self._is_finished = True
        first = (0, len(self._inputs))
        nodes = [Node(op, tuple([first[k] + n for k, n in operands])) for op, operands in self._nodes]
        return Program(tuple(self._inputs), tuple(nodes), tuple([first[k] + n for k, n in places]))


def _read_integers(array: Any) -> Array:
    """Return a matrix of integers; a single number becomes 1 x 1, and a vector one row."""
    whole = np.atleast_2d(np.asarray(array))
    if whole.dtype.kind not in "iu" or whole.ndim != 2 or not whole.size:
        raise InvalidProgram("input-dtype", f"{whole.shape} of {whole.dtype} is no matrix of integers")
    if int(whole.min()) < -MAX_VALUE or int(whole.max()) > MAX_VALUE:
        raise InvalidProgram("out-of-range", f"a constant has entries in {whole.min()} .. {whole.max()}")
    return whole
