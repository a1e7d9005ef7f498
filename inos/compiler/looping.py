"""Writes a module that runs several times as one loop (REPEAT) of the program."""

from collections.abc import Callable, Sequence
from typing import Any

from inos.compiler.arithmetic import to_bits
from inos.compiler.compiled import CompiledProgram, Port
from inos.compiler.context import Context
from inos.compiler.entry import Loop
from inos.compiler.errors import CannotCompile
from inos.compiler.observer import Observer
from inos.compiler.tensors import Tensor, make_tensor, to_matrix
from inos.programs import Type, check_program
from inos.programs.builder import ProgramBuilder, Value


def check_loop(inputs: Sequence[Any], outputs: Sequence[Any], loop: Loop) -> None:
    """Refuse a loop whose carried outputs do not have the sizes and kinds of their inputs."""
    for given, returned in loop.carried.items():
        if not (0 <= given < len(inputs) and 0 <= returned < len(outputs)):
            raise CannotCompile("bad-loop", f"the module has no input {given}, or no output {returned}")
        source, target = outputs[returned].meta["val"], inputs[given].meta["val"]
        if source.shape != target.shape or source.dtype != target.dtype:
            raise CannotCompile(
                "bad-loop",
                f"output {returned} is {tuple(source.shape)} of {source.dtype}, and input {given} "
                f"{tuple(target.shape)} of {target.dtype}",
                hint="return what the next step takes",
            )
    if loop.steps < 1 or not loop.carried or len(set(loop.carried.values())) != len(loop.carried):
        raise CannotCompile("bad-loop", "a loop has at least one step, and carries outputs to one input each")


def join_spans(inputs: Sequence[Any], outputs: Sequence[Any], seen: Observer, loop: Loop) -> None:
    """Give each carried input the range of its output too."""
    for given, returned in loop.carried.items():
        one, other = seen.spans[inputs[given]], seen.spans[outputs[returned]]
        one.lo, one.hi = min(one.lo, other.lo), max(one.hi, other.hi)


def write_loop(
    c: Context,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    loop: Loop,
    one: CompiledProgram,
    write_body: Callable[[Context], None],
) -> CompiledProgram:
    """Return the program that runs the module `loop.steps` times.

    Args:
        c: the context of one step, whose choices are taken over.
        one: the program of one step.
        write_body: writes the module's operations, given the tensors of its inputs.
    """
    inner = Context(ProgramBuilder(), c.seen, c.limbs, c.is_smoothed)
    inner.folds, inner.choices, b = c.folds, c.choices, inner.b
    given = [b.input(*type_.shape, type_.lo, type_.hi, name=port.name) for port, type_ in _pair(one)]
    for node, port, value in zip(inputs, one.inputs, given, strict=True):
        inner.outputs[node] = make_tensor(value, port.sizes, port.bits)
    carried = sorted(loop.carried)
    stacked = [index for index in range(len(outputs)) if index not in loop.carried.values()]

    def body(state: list[Value], _: list[Value]) -> tuple[list[Value], list[Value]]:
        for position, value in zip(carried, state, strict=True):
            inner.outputs[inputs[position]] = make_tensor(value, one.inputs[position].sizes, one.inputs[position].bits)
        write_body(inner)
        after = [
            _to_input(inner, inner.outputs[outputs[loop.carried[position]]], one.inputs[position], given[position].type)
            for position in carried
        ]
        return after, [_to_rows(inner, inner.outputs[outputs[index]]) for index in stacked]

    start = [(given[position], given[position].type.lo, given[position].type.hi) for position in carried]
    last, rows = b.repeat(loop.steps, start, [], body)
    values, ports = [], []
    for index, port in enumerate(one.outputs):
        if index in stacked:
            values.append(rows[stacked.index(index)])
            ports.append(Port(port.name, (loop.steps, *port.sizes), port.kind, port.bits))
        else:
            position = next(each for each in carried if loop.carried[each] == index)
            values.append(last[carried.index(position)])
            ports.append(Port(port.name, port.sizes, port.kind, one.inputs[position].bits))
    built = b.finish(values)
    checked = check_program(built.program)
    return CompiledProgram(built.program, checked, built.matrices, one.inputs, tuple(ports), one.report)


def _pair(one: CompiledProgram) -> list[tuple[Port, Type]]:
    return list(zip(one.inputs, one.checked.given, strict=True))


def _to_input(c: Context, x: Tensor, port: Port, type_: Type) -> Value:
    """Return an output as the matrix that the next step takes."""
    scaled = x if port.bits is None else to_bits(x, port.bits)
    return c.b.clamp(_to_rows(c, scaled), type_.lo, type_.hi)


def _to_rows(c: Context, x: Tensor) -> Value:
    return to_matrix(c.b, x, max(len(x.sizes) - 1, 0))
