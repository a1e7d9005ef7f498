"""Runs compiled programs. Products and random numbers are computed in Python, by the functions that are given."""

import itertools
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from inos.primitives.matrices import STRIP_ROWS
from inos.programs.checker import CheckedProgram
from inos.programs.kernels import draw_random
from inos.programs.native.compiler import Call, compile_program
from inos.programs.native.library import find_targets, load
from inos.programs.ops import MatmulT, Random
from inos.programs.products import Multiply, multiply
from inos.programs.types import Array
from inos.work.backends.native.bare import multiply_bare
from inos.work.stopping import check_stop

ENDED, NO_MEMORY, OUT_OF_RANGE = 1, 2, 3
GOES_ON: Final = -1
"""The number of a call that only asks if the run goes on. Handlers of signals run in it, and may raise."""

MIN_MACS: Final = 1 << 18
"""A call of a kernel takes longer than BLAS for blocks of fewer multiplications."""
TILE_BYTES: Final = 4 << 20
TILE_COLS: Final = 1 << 16
"""Large products of several blocks are made in tiles of about so many bytes, since a tile is memory that the program
does not declare."""

_Compute: TypeAlias = Callable[[Sequence[Array]], Array]


class NativeInterpreter:
    """A program compiled to run any number of times, one run at a time for each thread.

    Args:
        product: makes each product. Its operands are only valid during the call; those that are inputs of the program
            are always the same objects.
        target: a name of `find_targets`, or None for the best.
        stop: once it is set, a run raises `Stopped`: before its next product, or between two operations.
    """

    def __init__(
        self,
        checked: CheckedProgram,
        product: Multiply = multiply,
        target: str | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        loaded = load()
        if loaded is None:
            raise RuntimeError("the native interpreter was not compiled when inos was installed")
        self._ffi, self._lib = loaded
        targets = find_targets()
        self._target = next(iter(targets.values())) if target is None else targets[target]
        self._stop = stop
        self._inputs = [each.type for each in checked.program.inputs]
        self._results = checked.results
        compiled = compile_program(checked, product is not multiply)
        self._code, self._calls = compiled.code, compiled.calls
        self._computes = [_make_compute(call, product) for call in compiled.calls]
        self._words = self._ffi.from_buffer("int64_t[]", self._code)
        if not self._lib.inos_check(self._words, len(self._code)):
            raise AssertionError("the compiled code is not well-formed: this is a mistake in inos.programs.native")

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return the results for inputs that `bind_inputs` has checked."""
        check_stop(self._stop)
        for array, type_ in zip(inputs, self._inputs, strict=True):
            assert (array.shape, array.dtype, array.flags.c_contiguous) == (type_.shape, type_.storage, True)
        outputs = [np.empty(each.shape, dtype=each.storage) for each in self._results]
        run = _Run(self._ffi, self._calls, self._computes, inputs, self._stop)
        handle = self._ffi.new_handle(run)
        failed = self._lib.inos_run(
            self._target,
            self._words,
            self._get_addresses(inputs),
            self._get_addresses(outputs),
            self._lib.inos_call_python,
            handle,
        )
        if run.error is not None:
            raise run.error
        if failed == ENDED:
            raise KeyboardInterrupt
        if failed == NO_MEMORY:
            raise MemoryError("not enough memory for the values of the program")
        if failed:
            raise IndexError("an index leaves its table: a product was made whose entries are outside their type")
        return outputs

    def _get_addresses(self, arrays: Sequence[Array]) -> Any:
        return self._ffi.new("void *[]", [self._ffi.cast("void *", array.ctypes.data) for array in arrays])


class _Run:
    """One run: it answers the calls of the C code."""

    def __init__(
        self,
        ffi: Any,
        calls: Sequence[Call],
        computes: Sequence[_Compute],
        inputs: Sequence[Array],
        stop: threading.Event | None,
    ) -> None:
        self._ffi, self._calls, self._computes, self._stop = ffi, calls, computes, stop
        self._inputs = {array.ctypes.data: array for array in inputs}
        self.error: BaseException | None = None

    def answer(self, number: int, operands: Any, result: Any) -> None:
        check_stop(self._stop)
        if number == GOES_ON:
            return
        call = self._calls[number]
        arrays = [self._read(operands[n], each) for n, each in enumerate(call.operands)]
        computed = self._computes[number](arrays)
        if computed.shape != call.result.shape:
            raise ValueError(f"a product was made of {computed.shape} entries; {call.result} is needed")
        buffer = self._ffi.buffer(result, call.result.nbytes)
        np.copyto(np.frombuffer(buffer, dtype=call.result.storage).reshape(call.result.shape), computed, "same_kind")

    def _read(self, pointer: Any, type_: Any) -> Array:
        known = self._inputs.get(int(self._ffi.cast("intptr_t", pointer)))
        if known is not None and known.shape == type_.shape:
            return known
        array: Array = np.frombuffer(self._ffi.buffer(pointer, type_.nbytes), dtype=type_.storage)
        return array.reshape(type_.shape)


def _make_compute(call: Call, product: Multiply) -> _Compute:
    match call.op:
        case MatmulT(blocks):
            make = _multiply_large if product is multiply else product
            return lambda operands: make(operands[0], operands[1], blocks)
        case Random(rows, cols, bits):
            return lambda operands: draw_random(operands[0], rows, cols, bits)
        case _:
            assert_never(call.op)


def _multiply_large(x: NDArray[np.int8], w: NDArray[np.int8], blocks: int) -> NDArray[np.int32]:
    """Return what `multiply` does, by the kernels that mine: BLAS would take a juror longer than its worker."""
    rows, cols = len(x) // blocks, len(w) // blocks
    if rows * cols * x.shape[1] < MIN_MACS or not (x.flags.c_contiguous and w.flags.c_contiguous):
        return multiply(x, w, blocks)
    if blocks == 1 and (product := multiply_bare(x, w)) is not None:
        return product
    out = np.empty((len(x), cols), dtype=np.int32)
    width = min(cols, TILE_COLS)
    height = max(STRIP_ROWS, TILE_BYTES // (4 * width) // STRIP_ROWS * STRIP_ROWS)
    for at in range(blocks):
        for top, left in itertools.product(range(0, rows, height), range(0, cols, width)):
            down, across = slice(top, min(top + height, rows)), slice(left, min(left + width, cols))
            made = multiply_bare(x[at * rows :][down], w[at * cols :][across])
            if made is None:
                return multiply(x, w, blocks)
            out[at * rows :][down, across] = made
    return out


def _register(ffi: Any) -> None:
    """Give the C code its way back into Python."""

    def fail(kind: Any, error: BaseException, traceback: TracebackType | None) -> None:
        """Note an error, which ends the run and is raised there again."""
        if traceback is not None and "handle" in traceback.tb_frame.f_locals:
            ffi.from_handle(traceback.tb_frame.f_locals["handle"]).error = error

    def answer(handle: Any, number: int, operands: Any, result: Any) -> int:
        ffi.from_handle(handle).answer(number, operands, result)
        return 0

    ffi.def_extern(name="inos_call_python", error=1, onerror=fail)(answer)


if (_loaded := load()) is not None:
    _register(_loaded[0])
