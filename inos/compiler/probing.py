"""Measures what quantisation costs: the integer program's values against the float graph's, on calibration data."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from inos.compiler.compiled import CompiledProgram
from inos.compiler.context import Context
from inos.compiler.report import Report
from inos.compiler.tensors import Tensor
from inos.programs import Program, check_program
from inos.programs.limits import MAX_OUTPUTS


def measure_errors(c: Context, compiled: CompiledProgram, outputs: Sequence[Any], batch: Sequence[Any]) -> Report:
    """Return the report with the error of every layer and output, by running the program with other outputs."""
    nodes = list(dict.fromkeys([*(node for _, node in c.layers), *outputs]))
    given = compiled.quantise_inputs(*(each.detach().cpu().numpy() for each in batch))
    errors: dict[Any, float] = {}
    for first in range(0, len(nodes), MAX_OUTPUTS):
        part = nodes[first : first + MAX_OUTPUTS]
        checked = check_program(_replace_outputs(compiled.program, [c.outputs[node] for node in part]))
        results = msgspec.structs.replace(compiled, checked=checked).run_integers(given)
        for node, matrix in zip(part, results, strict=True):
            errors[node] = _compare(c.outputs[node].bits, _read(c.outputs[node], matrix), c.seen.firsts[node].numpy())
    layers = [msgspec.structs.replace(layer, error=errors[node]) for layer, node in c.layers]
    return Report(tuple(layers), tuple(errors[node] for node in outputs))


def _replace_outputs(program: Program, tensors: Sequence[Tensor]) -> Program:
    """Return the program with the values under these tensors as its outputs."""
    first = (0, len(program.inputs))
    numbers = tuple([first[kind] + number for kind, number in (each.value.place for each in tensors)])
    return msgspec.structs.replace(program, outputs=numbers)


def _read(tensor: Tensor, matrix: NDArray[Any]) -> NDArray[Any]:
    """Return the tensor's entries, given those of its value."""
    flat = np.ascontiguousarray(matrix).reshape(-1)[tensor.offset :]
    strides = [stride * flat.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(flat, tensor.sizes, strides, writeable=False)


def _compare(bits: int | None, entries: NDArray[Any], wanted: NDArray[Any]) -> float:
    """Divide the root mean square of the difference by that of what is wanted, or return the share that differs."""
    if bits is None:
        return float(np.mean(entries != wanted))
    real = np.where(np.isfinite(wanted), wanted, 0).astype(np.float64)
    found = entries / 2.0**bits
    return float(np.sqrt(np.square(found - real).sum() / max(float(np.square(real).sum()), 1e-30)))
