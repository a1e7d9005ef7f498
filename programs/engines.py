"""Which interpreter runs a program. Both give the same results, bit for bit."""

import threading
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from inos.programs.checker import CheckedProgram
from inos.programs.interpreter import Interpreter
from inos.programs.native.interpreter import NativeInterpreter
from inos.programs.native.library import find_targets
from inos.programs.products import Multiply, multiply
from inos.programs.types import Array
from inos.programs.values import Load, bind_inputs
from inos.work.stopping import check_stop

Engine: TypeAlias = Literal["auto", "native", "numpy"]
"""The interpreter in C, or the reference in numpy; "auto" is the first if it was compiled."""
AUTO: Final[Engine] = "auto"


class Prepared(Protocol):
    """A program prepared to run any number of times."""

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return the results for inputs that `bind_inputs` has checked."""


def prepare_program(
    checked: CheckedProgram,
    product: Multiply = multiply,
    engine: Engine = AUTO,
    stop: threading.Event | None = None,
) -> Prepared:
    """Prepare a program to run.

    Args:
        product: makes the products; a miner's draws tickets from them. Do not wrap `multiply`: in its place the native
            interpreter has faster products of its own.
        stop: once it is set, a run raises `Stopped`, before its next product at the latest.

    Raises:
        RuntimeError: the native interpreter is asked for, and was not compiled.
    """
    if engine == "native" or (engine == AUTO and find_targets()):
        return NativeInterpreter(checked, product, stop=stop)
    return Interpreter(checked, product if stop is None else partial(_multiply_unless_stopped, product, stop))


def _multiply_unless_stopped(
    product: Multiply, stop: threading.Event, x: NDArray[np.int8], w: NDArray[np.int8], blocks: int
) -> NDArray[np.int32]:
    check_stop(stop)
    return product(x, w, blocks)


def run_program(
    checked: CheckedProgram,
    given: Sequence[Any],
    load: Load | None = None,
    product: Multiply = multiply,
    engine: Engine = AUTO,
) -> list[Array]:
    """Run a program and return its results, each in the storage type of its static type.

    Args:
        given: the inputs that the task hands over, in order: arrays of integers, or their bytes.
        load: reads a matrix of the mesh by its id.
        product: makes the products; a miner's draws tickets from them.

    Raises:
        InvalidInput: an input does not have its declared type, or is missing.
    """
    return prepare_program(checked, product, engine).run(bind_inputs(checked, given, load))
