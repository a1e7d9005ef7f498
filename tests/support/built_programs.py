"""Programs written with the builder, run at once."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from inos.programs import ProgramBuilder, Value, check_program, run_program


def compute(write: Callable[..., Value | Sequence[Value]], *inputs: tuple[Any, int, int]) -> list[Any]:
    """Return the results of what `write` writes for inputs (matrix, lo, hi), as int64."""
    builder = ProgramBuilder()
    arrays = [np.asarray(matrix) for matrix, _, _ in inputs]
    values = [
        builder.input(*array.shape, lo, hi, name=f"x{i}")
        for i, (array, (_, lo, hi)) in enumerate(zip(arrays, inputs, strict=True))
    ]
    found = write(*values)
    built = builder.finish([found] if isinstance(found, Value) else list(found))
    return [each.astype(np.int64) for each in run_program(check_program(built.program), arrays, built.load)]
