"""The program of an update finds the mean of all shards' gradients, takes a step, and returns new weights.

Inputs are [seed, step, rate], the weights, the optimiser's state and the shards' gradients; results are the weights and
the state. The step is rounded up or down at random, with the probability of its fraction, so that changes below one
unit of a master weight are not lost.
"""

from collections.abc import Sequence
from math import isqrt
from typing import Annotated, Final, Literal

import numpy as np
from msgspec import Meta, Struct

from inos.learn.errors import LearnError
from inos.learn.fixed import GRADIENT_BITS, GRADIENT_LIMIT, WEIGHT_BITS, WEIGHT_LIMIT
from inos.programs.builder import BuiltProgram, ProgramBuilder, Value
from inos.programs.library import rescale, shift_stochastically
from inos.programs.limits import MAX_VALUE

SGD: Final[Literal["sgd"]] = "sgd"
ADAM: Final[Literal["adam"]] = "adam"
RATE_BITS: Final = 24
MAX_RATE: Final = 16 << RATE_BITS
ROUND: Final = 2
"""The last entry of the key by which an update is rounded."""
MAX_SQUARE: Final = 1 << 60
MAX_SHARDS: Final = 12
"""A task has at most 16 inputs."""
_KEPT: Final = 16
"""Random bits of a rounding."""
_FACTOR: Final = 16
_RATIO_BITS: Final = 20
_ROOT_ROUNDS: Final = 4
_FORGOTTEN: Final = 1 << 15
"""After so many steps the means have forgotten that they began at 0."""


class Optimiser(Struct, frozen=True, forbid_unknown_fields=True):
    """Says in integers how weights follow gradients; `sgd` and `adam` make it from usual numbers.

    Attributes:
        name: "sgd" or "adam".
        rate: times 2^24, of a moving mean of gradients.
        momentum: times 2^16, what is kept of that mean in each step.
        second: of adam: 1 - 2^-second is kept of the mean square.
        warmup: steps in which the rate rises to its full value.
        decay: True if the rate then falls linearly, to 0 after the last step.
    """

    name: Literal["sgd", "adam"]
    rate: Annotated[int, Meta(ge=1, lt=MAX_RATE)]
    momentum: Annotated[int, Meta(ge=0, lt=1 << _FACTOR)]
    second: Annotated[int, Meta(ge=1, le=14)]
    warmup: Annotated[int, Meta(ge=0, le=1 << 31)]
    decay: bool

    @property
    def state_rows(self) -> int:
        return 3 if self.name == ADAM else 1


def sgd(rate: float = 0.1, momentum: float = 0.9, *, warmup: int = 0, decay: bool = True) -> Optimiser:
    """Return gradient descent with momentum; rate and momentum are those of `torch.optim.SGD`.

    Raises:
        LearnError: "bad-optimiser".
    """
    _require(0 <= momentum < 1, f"a momentum of {momentum}", "it lies from 0 to below 1")
    return _make(SGD, rate / (1 - momentum), momentum, warmup, decay)


def adam(rate: float = 1e-3, *, warmup: int = 0, decay: bool = True) -> Optimiser:
    """Return Adam with the betas 0.9 and 0.999 (1 - 2^-10).

    Raises:
        LearnError: "bad-optimiser".
    """
    return _make(ADAM, rate, 0.9, warmup, decay)


def _make(name: Literal["sgd", "adam"], rate: float, momentum: float, warmup: int, decay: bool) -> Optimiser:
    _require(
        0 < rate < MAX_RATE >> RATE_BITS, f"a rate of {rate:g}", "divided by 1 - momentum it lies between 0 and 16"
    )
    _require(warmup >= 0, f"a warmup of {warmup} steps", "it is 0 or more")
    return Optimiser(name, max(1, round(rate * (1 << RATE_BITS))), round(momentum * (1 << _FACTOR)), 10, warmup, decay)


def _require(is_right: bool, what: str, hint: str) -> None:
    if not is_right:
        raise LearnError("bad-optimiser", f"an optimiser cannot have {what}", hint=hint)


def compute_rate(optimiser: Optimiser, step: int, steps: int) -> int:
    """Return the rate of a step as an integer with RATE_BITS. Steps count from 1."""
    rate = optimiser.rate
    if step <= optimiser.warmup:
        rate = rate * step // optimiser.warmup
    elif optimiser.decay:
        rate = rate * (steps + 1 - step) // (steps + 1 - optimiser.warmup)
    if optimiser.name == ADAM:
        rate = _correct(rate, optimiser.momentum, optimiser.second, step)
    return max(1, min(rate, MAX_RATE - 1))


def _correct(rate: int, momentum: int, second: int, step: int) -> int:
    """Return the rate with Adam's corrections of means that began at 0: sqrt(1 - beta2^t) / (1 - beta1^t)."""
    one = 1 << 32
    first, other = one, one
    for _ in range(min(step, _FORGOTTEN)):
        first = first * momentum >> _FACTOR
        other -= other >> second
    return rate * isqrt((one - other) << 32) // (one - first)


def build_update(optimiser: Optimiser, size: int, shards: int) -> BuiltProgram:
    """Return the program of one update of `size` weights."""
    if not 1 <= shards <= MAX_SHARDS:
        raise LearnError("bad-shards", f"a step has 1 to {MAX_SHARDS} shards, not {shards}")
    b = ProgramBuilder()
    control = b.input(1, 3, -MAX_VALUE, MAX_VALUE, name="seed, step, rate")
    weights = b.input(1, size, -WEIGHT_LIMIT, WEIGHT_LIMIT, name="weights")
    most = MAX_SQUARE if optimiser.name == ADAM else GRADIENT_LIMIT
    state = b.input(optimiser.state_rows, size, -most, most, name="state")
    given = [b.input(1, size, -GRADIENT_LIMIT, GRADIENT_LIMIT, name=f"gradient {n}") for n in range(shards)]
    rate = b.clamp(b.view(control, 2, [(1, 1)], [(1, 1)]), 1, MAX_RATE)
    gradient = _find_mean(given)
    step, after = (_step_adam if optimiser.name == ADAM else _step_sgd)(optimiser, state, gradient, rate)
    key = b.concat([b.view(control, 0, [(1, 3)], [(2, 1)]), b.constant(ROUND)], 1)
    moved = shift_stochastically(step, _KEPT, key)
    return b.finish([b.clamp(weights - moved, -WEIGHT_LIMIT, WEIGHT_LIMIT), after])


def _find_mean(given: Sequence[Value]) -> Value:
    total = given[0]
    for each in given[1:]:
        total = total + each
    mean = total if len(given) == 1 else rescale(total, 1 / len(given))
    return mean.builder.clamp(mean, -GRADIENT_LIMIT, GRADIENT_LIMIT)


def _follow(mean: Value, gradient: Value, momentum: int) -> Value:
    """Return the moving mean with one more gradient."""
    weight = (1 << _FACTOR) - momentum
    b = mean.builder
    return b.clamp(mean + b.mul(gradient - mean, weight, _FACTOR), -GRADIENT_LIMIT, GRADIENT_LIMIT)


def _step_sgd(optimiser: Optimiser, state: Value, gradient: Value, rate: Value) -> tuple[Value, Value]:
    """Return the step with _KEPT more bits than a weight has, and the state after it."""
    b = state.builder
    mean = _follow(state, gradient, optimiser.momentum) if optimiser.momentum else gradient
    return b.mul(mean, rate, GRADIENT_BITS + RATE_BITS - WEIGHT_BITS - _KEPT), mean


def _step_adam(optimiser: Optimiser, state: Value, gradient: Value, rate: Value) -> tuple[Value, Value]:
    """Return the step with _KEPT more bits than a weight has, and the state after it: mean, mean square, its root.

    The new mean square is at least its decayed self and at least the share of the new gradient, and at most the sum of
    both. So the larger of the two roots is within a factor of 1.42 of the new one, and a few rounds of Newton's
    iteration find it.
    """
    b, size = state.builder, state.cols
    mean, square, root = [b.view(state, row * size, [(1, 1)], [(size, 1)]) for row in range(3)]
    mean = _follow(b.clamp(mean, -GRADIENT_LIMIT, GRADIENT_LIMIT), gradient, optimiser.momentum)
    square, root = b.clamp(square, 0, MAX_SQUARE), b.clamp(root, 1, GRADIENT_LIMIT)
    square = square - b.shift(square, optimiser.second) + b.shift(gradient * gradient, optimiser.second)
    square = b.clamp(square, 0, MAX_SQUARE)
    own = b.shift(_find_larger(gradient, -gradient), optimiser.second // 2)
    root = b.clamp(_find_larger(root, own), 1, GRADIENT_LIMIT)
    for _ in range(_ROOT_ROUNDS):
        root = b.clamp(b.shift(root + b.intdiv(square, root), 1), 1, GRADIENT_LIMIT)
    most = 1 << _RATIO_BITS + 3
    ratio = b.clamp(b.intdiv(mean * (1 << _RATIO_BITS), root), -most, most)
    step = b.mul(ratio, rate, _RATIO_BITS + RATE_BITS - WEIGHT_BITS - _KEPT)
    return step, b.concat([mean, square, root])


def _find_larger(x: Value, y: Value) -> Value:
    difference = y - x
    return x + x.builder.clamp(difference, 0, difference.largest)


def make_state(optimiser: Optimiser, size: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Return the optimiser's state before the first step."""
    return np.zeros((optimiser.state_rows, size), np.int64)
