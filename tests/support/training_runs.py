"""A run of training that is made without torch: a linear model of four numbers, whose programs are written by hand."""

from pathlib import Path

import numpy as np

from inos.compiler.compiled import Port
from inos.compiler.tensors import make_tensor
from inos.learn.fixed import (
    ACTIVATION_BITS,
    ACTIVATION_LIMIT,
    ERROR_BITS,
    GRADIENT_BITS,
    GRADIENT_LIMIT,
    WEIGHT_BITS,
    WEIGHT_LIMIT,
    change_bits,
)
from inos.learn.folder import Folder
from inos.learn.losses import judge
from inos.learn.machines import store_program
from inos.learn.operands import FOURTEEN, SEVEN, multiply, quantise
from inos.learn.optimisers import build_update, make_state, sgd
from inos.learn.parameters import Parameter
from inos.learn.run import Run
from inos.learn.spec import VERSION, RunSpec
from inos.programs import encode_value
from inos.programs.builder import BuiltProgram, ProgramBuilder, Value
from inos.programs.limits import MAX_VALUE

WIDTH, CLASSES, EXAMPLES = 4, 2, 8


def make_run(path: Path, steps: int = 6, shards: int = 2, seed: int = 3) -> Run:
    """Write a run of no steps so far into a folder: it learns which of two sums of its four inputs is larger."""
    folder = Folder(path)
    path.mkdir(parents=True)
    update = build_update(sgd(0.2), WIDTH * CLASSES, shards)
    names = [store_program(folder, each) for each in (build_gradient(), update, build_prediction())]
    rng = np.random.default_rng(1)
    weights = np.round(rng.normal(0, 0.1, (1, WIDTH * CLASSES)) * 2.0**WEIGHT_BITS).astype(np.int64)
    state = make_state(sgd(), WIDTH * CLASSES)
    given = [each.type for each in update.program.inputs]
    first = [folder.put(encode_value(each, type_)) for each, type_ in zip((weights, state), given[1:3], strict=True)]
    spec = RunSpec(
        VERSION, names[0], names[1], names[2], first[0], first[1], seed, steps, shards, EXAMPLES, EXAMPLES,
        "cross_entropy", sgd(0.2), (Parameter("weight", (CLASSES, WIDTH), 0),),
        Port("inputs", (EXAMPLES, WIDTH), "float", 4), Port("result", (EXAMPLES, CLASSES), "float", ACTIVATION_BITS),
    )  # fmt: skip
    folder.write_spec(spec)
    return Run(path)


def _score(weights: Value, x: Value) -> Value:
    b = x.builder
    matrix = b.view(weights, 0, [(CLASSES, WIDTH)], [(WIDTH, 1)])
    narrow = change_bits(make_tensor(matrix, (CLASSES, WIDTH), WEIGHT_BITS), 18, WEIGHT_LIMIT).value
    return multiply(quantise(x, 4, SEVEN), quantise(narrow, 18, SEVEN), ACTIVATION_BITS, ACTIVATION_LIMIT)


def build_gradient() -> BuiltProgram:
    b = ProgramBuilder()
    control = b.input(1, 3, -MAX_VALUE, MAX_VALUE)
    weights = b.input(1, WIDTH * CLASSES, -WEIGHT_LIMIT, WEIGHT_LIMIT)
    x = b.random(control, EXAMPLES, WIDTH, 6)
    halves = [b.sum(b.view(x, at, [(EXAMPLES, WIDTH)], [(2, 1)])) for at in (0, 2)]
    label = b.clamp(halves[0] - halves[1], 0, 1)
    scores = _score(weights, x)
    judged = judge(
        b, "cross_entropy", make_tensor(scores, (EXAMPLES, CLASSES), ACTIVATION_BITS),
        make_tensor(label, (EXAMPLES,), None),
    )  # fmt: skip
    errors = quantise(judged.error.value, ERROR_BITS, FOURTEEN).transpose()
    inputs = quantise(x, 4, SEVEN).transpose()
    gradient = multiply(errors, inputs, GRADIENT_BITS, GRADIENT_LIMIT, factor=1 / EXAMPLES)
    row = b.view(gradient, 0, [(1, 1)], [(WIDTH * CLASSES, 1)])
    return b.finish([row, b.concat([judged.total, judged.right], 1)])


def build_prediction() -> BuiltProgram:
    b = ProgramBuilder()
    weights = b.input(1, WIDTH * CLASSES, -WEIGHT_LIMIT, WEIGHT_LIMIT)
    x = b.input(EXAMPLES, WIDTH, -1024, 1024)
    return b.finish([_score(weights, x)])
