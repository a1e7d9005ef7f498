"""Random programs: the native interpreter against the one in numpy, with every instruction set that runs here."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inos.programs import Interpreter, Program, bind_inputs, check_program, multiply
from inos.programs.native.interpreter import NativeInterpreter
from inos.programs.native.library import find_targets
from inos.programs.types import Array
from support.random_programs import make_program
from support.wide_programs import draw_inputs, make_wide_program

SEEDS = st.integers(0, 2**64 - 1)
TARGETS = list(find_targets())

pytestmark = pytest.mark.skipif(not TARGETS, reason="the native interpreter was not compiled here")


def call_multiply(x: Array, w: Array, blocks: int) -> Array:
    return multiply(x, w, blocks)


def compare(program: Program, rng: Random) -> None:
    checked = check_program(program)
    inputs = bind_inputs(checked, draw_inputs(checked, rng))
    expected = Interpreter(checked).run(inputs)
    product = rng.choice([multiply, call_multiply])  # the second is called from C, the first is done there
    for target in TARGETS:
        found = NativeInterpreter(checked, product, target).run(inputs)
        for result, wanted in zip(found, expected, strict=True):
            assert (result.dtype, result.shape) == (wanted.dtype, wanted.shape)
            assert (result == wanted).all(), target


@settings(max_examples=600, deadline=None)
@given(seed=SEEDS)
def test_large_values_and_long_chains(seed: int) -> None:
    rng = Random(seed)
    compare(make_wide_program(rng), rng)


@settings(max_examples=600, deadline=None)
@given(seed=SEEDS)
def test_programs_of_all_kinds_with_one_output(seed: int) -> None:
    rng = Random(seed)
    program = make_program(rng)
    compare(Program(program.inputs, program.nodes, program.outputs[:1]), rng)
