"""The interpreter in numpy, which decides what a program means: other interpreters are compared with it.

A checked program is prepared once: for each node the function that computes it, the operands, and the values that are
given up afterwards. Running it looks at no type again.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from inos.programs.checker import CheckedProgram
from inos.programs.kernels import make_kernel
from inos.programs.products import Multiply, multiply
from inos.programs.structure import Node, Repeat
from inos.programs.types import Array, Type


class _Step(Struct, frozen=True, eq=False):
    """One node: what computes it, its operands, and the values that nothing needs after it."""

    compute: Callable[[list[Array]], Any]
    is_loop: bool
    """A loop returns a list of results, every other node one."""
    operands: tuple[int, ...]
    dead: tuple[int, ...]


class Interpreter:
    """A program prepared to run any number of times. `product` makes each product."""

    def __init__(self, checked: CheckedProgram, product: Multiply = multiply) -> None:
        self._product = product
        self._outputs = checked.program.outputs
        self._steps: list[_Step] = []
        number = len(checked.program.inputs)
        for index, node in enumerate(checked.program.nodes):
            compute = self._prepare(checked, index, node, number)
            self._steps.append(_Step(compute, type(node.op) is Repeat, node.operands, checked.dead[index]))
            number += len(checked.bodies[index].results) if index in checked.bodies else 1

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return the results for inputs that `bind_inputs` has checked."""
        values: list[Any] = list(inputs)
        for step in self._steps:
            if step.is_loop:
                values += step.compute([values[number] for number in step.operands])
            else:
                values.append(step.compute([values[number] for number in step.operands]))
            for number in step.dead:
                values[number] = None
        return [values[number] for number in self._outputs]

    def _prepare(self, checked: CheckedProgram, index: int, node: Node, number: int) -> Callable[[list[Array]], Any]:
        operands = [checked.types[operand] for operand in node.operands]
        if type(node.op) is Repeat:
            return _Loop(node.op, operands, checked.bodies[index], self._product).run
        return make_kernel(node.op, operands, checked.types[number], self._product)


class _Loop:
    """A prepared loop. Operands are brought into the storage types that the body declares once, before it starts."""

    def __init__(self, op: Repeat, operands: Sequence[Type], body: CheckedProgram, product: Multiply) -> None:
        self._count, self._carried, self._scanned = op.count, op.carried, op.scanned
        self._body = Interpreter(body, product)
        self._inputs = [each.type for each in op.body.inputs]
        self._stacked = body.results[op.carried :]
        self._storages = [each.storage for each in self._inputs]
        self._is_wider = [
            result.storage != declared.storage
            for result, declared in zip(body.results[: op.carried], self._inputs, strict=False)
        ]

    def run(self, args: list[Array]) -> list[Array]:
        """Return the last carried values and the stacked results."""
        args = [arg.astype(storage, copy=False) for arg, storage in zip(args, self._storages, strict=True)]
        stop = self._carried + self._scanned
        state, scanned, shared = args[: self._carried], args[self._carried : stop], args[stop:]
        heights = [each.rows for each in self._inputs[self._carried : stop]]
        stacked = [np.empty((t.rows * self._count, t.cols), dtype=t.storage) for t in self._stacked]
        del args
        for index in range(self._count):
            slices = [each[index * rows : (index + 1) * rows] for each, rows in zip(scanned, heights, strict=True)]
            results = self._body.run([*state, *slices, *shared])
            state = [
                each.astype(storage) if is_wider else each
                for each, storage, is_wider in zip(results, self._storages, self._is_wider, strict=False)
            ]
            for place, (whole, type_) in enumerate(zip(stacked, self._stacked, strict=True), self._carried):
                whole[index * type_.rows : (index + 1) * type_.rows] = results[place]
            del results, slices  # the next iteration needs the memory
        return [*state, *stacked]
