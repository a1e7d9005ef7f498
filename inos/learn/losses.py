"""A loss gives its value and the right guesses as integers, and the error with which the way back begins."""

from math import log
from typing import Final

import numpy as np
from msgspec import Struct

from inos.compiler.tensors import Tensor, make_tensor
from inos.learn.errors import LearnError
from inos.learn.fixed import ACTIVATION_BITS, ERROR_BITS, to_activation
from inos.learn.places import to_rows
from inos.programs.builder import ProgramBuilder, Value
from inos.programs.library import one_hot, rescale
from inos.programs.limits import MAX_TABLE

CROSS_ENTROPY: Final = "cross_entropy"
MEAN_SQUARE: Final = "mse"
LOSSES: Final = (CROSS_ENTROPY, MEAN_SQUARE)
LOSS_BITS: Final = 12
"""Fraction bits of the sum of losses that a step records."""
POWER_BITS: Final = 14
"""Fraction bits of an exponential; the largest of a row is 1."""


class Judged(Struct, frozen=True, eq=False):
    """Holds what a loss says of a batch.

    Attributes:
        total: 1 x 1, the sum of the losses of all examples, with LOSS_BITS.
        right: 1 x 1, how many examples have the largest score at their label; 0 for numbers.
        error: of the module's result.
    """

    total: Value
    right: Value
    error: Tensor


def read_loss(loss: object) -> str:
    """Return the name of a loss: a name, a function or a module of torch.

    Raises:
        LearnError: "bad-loss".
    """
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    found = {"CrossEntropyLoss": CROSS_ENTROPY, "MSELoss": MEAN_SQUARE, "mse_loss": MEAN_SQUARE}.get(name, name)
    if found not in LOSSES:
        raise LearnError("bad-loss", f"{name!r} is no loss that training knows", hint=f"use {' or '.join(LOSSES)}")
    return found


def judge(b: ProgramBuilder, loss: str, result: Tensor, target: Tensor) -> Judged:
    """Write the loss of a module's result."""
    if loss == MEAN_SQUARE:
        return _judge_squares(b, result, target)
    return _judge_classes(b, result, target)


def count_examples(loss: str, sizes: tuple[int, ...]) -> int:
    """Return over how many terms the loss of a batch is a mean: all places that have a row of scores."""
    return int(np.prod(sizes[:-1])) if loss == CROSS_ENTROPY else sizes[0]


def _judge_classes(b: ProgramBuilder, result: Tensor, target: Tensor) -> Judged:
    scores = to_rows(b, to_activation(result))
    classes = scores.cols
    label = b.view(to_rows(b, target), 0, [(scores.rows, 1)], [(1, 1)])
    chosen = one_hot(label, classes)
    reach = int(np.ceil(log(2 << POWER_BITS) * (1 << ACTIVATION_BITS)))
    below = scores - b.max(scores)
    levels = np.round(2.0**POWER_BITS * np.exp(np.arange(-reach, 1) / 2.0**ACTIVATION_BITS)).astype(np.int64)
    powers = b.table(b.clamp(below, -reach, 0), levels[None], -reach)
    total = b.clamp(b.sum(powers), 1 << POWER_BITS, classes << POWER_BITS)
    inverse = b.intdiv(1 << ERROR_BITS + 20, total)
    share = b.clamp(b.mul(powers, inverse, 20), 0, 1 << ERROR_BITS)
    error = share - chosen * (1 << ERROR_BITS)
    own = b.sum(below * chosen)
    right = b.sum(1 - b.clamp(-own, 0, 1), 0)
    losses = _find_logarithm(b, total, classes) - own
    return Judged(b.sum(losses, 0), right, make_tensor(error, result.sizes, ERROR_BITS))


def _find_logarithm(b: ProgramBuilder, total: Value, classes: int) -> Value:
    """Return the logarithm of a sum of exponentials, each at most 1, with LOSS_BITS."""
    shift = max(0, (classes << POWER_BITS).bit_length() - (MAX_TABLE.bit_length() - 1))
    first, last = (1 << POWER_BITS) >> shift, ((classes << POWER_BITS) >> shift) + 1
    entries = np.round(np.log(np.arange(first, last + 1) * 2.0 ** (shift - POWER_BITS)) * 2.0**LOSS_BITS)
    return b.table(b.clamp(b.shift(total, shift), first, last), entries.astype(np.int64)[None], first)


def _judge_squares(b: ProgramBuilder, result: Tensor, target: Tensor) -> Judged:
    found, wanted = to_rows(b, to_activation(result)), to_rows(b, to_activation(target))
    each = found.cols * (found.rows // result.sizes[0])
    away = found - wanted
    squares = b.sum(b.sum(b.mul(away, away, 2 * ACTIVATION_BITS - LOSS_BITS)), 0)
    error = rescale(away, 2.0 ** (ERROR_BITS - ACTIVATION_BITS + 1) / each)
    zero = b.constant(0)
    return Judged(rescale(squares, 1 / each), zero, make_tensor(error, result.sizes, ERROR_BITS))
