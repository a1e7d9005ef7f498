"""Writes random programs with their inputs and results into a file that tests/native/selfcheck_programs.c runs.

    python tests/native/program_cases.py FILE [COUNT]

Everything is int64, little-endian, and bytes are padded to a multiple of 8: the number of cases, and for each the words
of its code, then the inputs, the results of its calls and its results, each as a number of blobs; a blob is its length
and its bytes.
"""

import sys
from array import array
from collections.abc import Sequence
from pathlib import Path
from random import Random
from unittest.mock import patch

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from inos.programs import CheckedProgram, Interpreter, Multiply, Type, bind_inputs, check_program, interpreter  # noqa: E402
from inos.programs.kernels import Kernel, make_kernel  # noqa: E402
from inos.programs.native.compiler import compile_program, is_small  # noqa: E402
from inos.programs.ops import MatmulT, SimpleOp  # noqa: E402
from inos.programs.ops import Random as RandomOp  # noqa: E402
from inos.programs.types import Array  # noqa: E402
from support.random_programs import make_program  # noqa: E402
from support.wide_programs import draw_inputs, make_wide_program  # noqa: E402


def main() -> None:
    path, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 300
    words = array("q", [count])
    for seed in range(count):
        rng = Random(seed)
        checked = check_program((make_program if seed % 2 else make_wide_program)(rng))
        add_case(words, checked, rng, is_injected=seed % 3 == 0)
    path.write_bytes(words.tobytes())


def add_case(words: "array[int]", checked: CheckedProgram, rng: Random, is_injected: bool) -> None:
    inputs = bind_inputs(checked, draw_inputs(checked, rng))
    called: list[Array] = []
    results = run_recorded(checked, inputs, called, is_injected)
    compiled = compile_program(checked, is_injected)
    words.append(len(compiled.code))
    words.extend(compiled.code)
    for blobs in (inputs, called, results):
        words.append(len(blobs))
        for each in blobs:
            data = each.tobytes()
            words.append(len(data))
            words.frombytes(data + bytes(-len(data) % 8))


def run_recorded(checked: CheckedProgram, inputs: list[Array], called: list[Array], is_injected: bool) -> list[Array]:
    """Run a program in numpy, and note what each call gives that the compiled program makes."""

    def make_recording(op: SimpleOp, operands: Sequence[Type], result: Type, product: Multiply) -> Kernel:
        kernel = make_kernel(op, operands, result, product)
        is_product = isinstance(op, MatmulT) and (is_injected or not is_small(operands, result, op.blocks))
        if not (is_product or isinstance(op, RandomOp)):
            return kernel

        def run(args: Sequence[Array]) -> Array:
            called.append(kernel(args))
            return called[-1]

        return run

    with patch.object(interpreter, "make_kernel", make_recording):
        return Interpreter(checked).run(inputs)


if __name__ == "__main__":
    main()
