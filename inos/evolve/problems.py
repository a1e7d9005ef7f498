"""Runs that are ready made: handwritten digits, examples of one's own, and any function that returns a fitness."""

from typing import Any, Final

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from inos.evolve.breeding import Breeding, build_breeding
from inos.evolve.eggroll import (
    NORMAL,
    TOP,
    WEIGHT_BITS,
    Examples,
    Settings,
    build_generation,
    check_examples,
    count_genes,
)
from inos.evolve.errors import InvalidRun
from inos.evolve.files import Files
from inos.evolve.records import MAX_FITNESS, Trial
from inos.evolve.runs import write_run
from inos.functions import inspect_module
from inos.programs.types import Array

HELD_OUT: Final = 4
"""Every fourth image is kept out of the run, to measure what the network learned."""
DIGITS: Final = 10
BRIGHTEST: Final = 16
FIRST_SCALE: Final = 97
"""First weights are normal with a deviation of 8 of the 63 that a product sees: 21 * 97 / 256 = 8."""
_FIRST: Final = "inos evolve first genome v1"


def load_digits() -> tuple[Examples, Examples]:
    """Return the digits of scikit-learn, which come with it: those of the run, and those that are held out.

    Raises:
        InvalidRun: "digits-missing".
    """
    try:
        from sklearn.datasets import load_digits as load
    except ImportError:
        raise InvalidRun(
            "digits-missing", "the digits are those of scikit-learn", hint='pip install "inos[demo]"'
        ) from None
    images, digits = load(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(digits))  # people wrote one after the other
    images, digits = images[order], digits[order]
    inputs = add_constant(np.round(images * (63 / BRIGHTEST)).astype(np.int64))
    is_held = np.arange(len(digits)) % HELD_OUT == HELD_OUT - 1
    return (
        check_examples(inputs[~is_held], digits[~is_held], DIGITS),
        check_examples(inputs[is_held], digits[is_held], DIGITS),
    )


def add_constant(inputs: Array) -> Array:
    """Return inputs with a column of 63, which takes the place of biases."""
    return np.concatenate([inputs, np.full((len(inputs), 1), 63, inputs.dtype)], axis=1)


def write_network_run(files: Files, title: str, examples: Examples, settings: Settings) -> bytes:
    """Keep a run that evolves the weights of a network of two layers; return its id.

    Raises:
        InvalidRun: "bad-settings".
    """
    genes = count_genes(examples.inputs.shape[1], examples.classes, settings)
    drawn = np.frombuffer(blake3(title.encode(), derive_key_context=_FIRST).digest(genes), np.uint8) & 127
    genome = np.clip(NORMAL[drawn][None] * FIRST_SCALE, -TOP, TOP)
    return write_run(files, title, build_generation(examples, settings), genome, best=examples.count)


def write_function_run(
    files: Files, title: str, module: bytes, breeding: Breeding, *, best: int = MAX_FITNESS, trial: Trial
) -> bytes:
    """Keep a run whose fitness a function finds, and which begins with a genome of zeros; return its id.

    Raises:
        InvalidRun: "bad-settings". InvalidFunction: no machine runs the module.
    """
    inspect_module(module)
    files.put(module)
    genome = np.zeros((1, breeding.genes), np.int64)
    return write_run(files, title, build_breeding(breeding), genome, best=best, trial=trial)


def classify(genome: Array, inputs: Array, classes: int, settings: Settings) -> NDArray[np.int64]:
    """Return the classes that a genome's network chooses, computed by numpy alone."""
    hidden, width = settings.hidden, inputs.shape[1]
    weights = np.clip((genome.reshape(-1).astype(np.int64) + (1 << WEIGHT_BITS - 1)) >> WEIGHT_BITS, -63, 63)
    first = weights[: hidden * width].reshape(hidden, width)
    last = weights[hidden * width :].reshape(classes, hidden)
    sums = inputs.astype(np.int64) @ first.T
    active = np.clip((sums + (1 << settings.first_shift - 1)) >> settings.first_shift, 0, 63)
    chosen: NDArray[Any] = (active @ last.T).argmax(axis=1)
    return chosen.astype(np.int64)
