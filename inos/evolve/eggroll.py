"""Writes the program that computes one generation of EGGROLL for a small network's weights.

The population consists of antithetic pairs: the genome plus and minus one rank-one perturbation a layer, which is drawn
from the seed again wherever it is needed, so that no member is ever stored or sent. A layer's products are shared by
the whole population: X·Wᵀ once, X·b for all perturbations a·bᵀ at once, and the update itself as one product Aᵀ·B.
Only the sign of the difference of a pair's losses counts. No gradient is computed anywhere.
(EGGROLL: Sarkar et al., "Evolution strategies at the hyperscale", 2025.)
"""

from typing import Any, Final

import numpy as np
from msgspec import Struct

from inos.evolve.errors import InvalidRun
from inos.evolve.signature import add_inputs
from inos.programs import InvalidProgram, ProgramBuilder, Value
from inos.programs.builder import BuiltProgram
from inos.programs.library import argmax, exponentials, one_hot, reshape, transpose

WEIGHT_BITS: Final = 8
"""A gene is a weight in 1/256; products see it rounded to -63 .. 63."""
TOP: Final = 63 << WEIGHT_BITS
LEVELS: Final = 255
"""Exponentials of the loss are in 1/255."""
UNIT: Final = 32
"""The loss is in 1/32 nats."""
_LOWER: Final = np.array([
    -56, -48, -44, -41, -38, -36, -35, -33, -32, -30, -29, -28, -27, -26, -25, -25, -24, -23, -22, -22, -21, -20, -20,
    -19, -18, -18, -17, -17, -16, -16, -15, -14, -14, -13, -13, -12, -12, -11, -11, -11, -10, -10, -9, -9, -8, -8, -7,
    -7, -7, -6, -6, -5, -5, -5, -4, -4, -3, -3, -2, -2, -2, -1, -1, 0,
])  # fmt: skip
"""The lower half of `NORMAL`."""
NORMAL: Final = np.concatenate([_LOWER, -_LOWER[::-1]])
"""128 numbers, round(21 * quantiles of the normal distribution) at (n + 0.5) / 128: seven random bits choose one."""


class Settings(Struct, frozen=True, kw_only=True):
    """How a generation searches.

    Args:
        hidden: neurons between inputs and outputs.
        pairs, batch: perturbations, and examples that each of them is tried on.
        updates: steps of the search in one generation, that is, in one task.
        first_shift, last_shift: bits by which the sums of either layer are divided.
        sigma: bits by which a perturbation is divided; a larger one makes it smaller.
        rate, last_rate, cooling: an update is multiplied by `rate` / 256 at first and `last_rate` / 256 after `cooling`
            steps of the search, and in a straight line between.
    """

    hidden: int = 48
    pairs: int = 256
    batch: int = 128
    updates: int = 2
    first_shift: int = 8
    last_shift: int = 4
    sigma: int = 7
    rate: int = 12
    last_rate: int = 1
    cooling: int = 600


class Examples(Struct, frozen=True, eq=False):
    """Public examples: n x inputs in -64 .. 63, and a column of labels 0 .. classes - 1."""

    inputs: Any
    labels: Any
    classes: int

    @property
    def count(self) -> int:
        return int(self.inputs.shape[0])


def check_examples(inputs: Any, labels: Any, classes: int) -> Examples:
    """Return examples whose shapes and entries a network of so many classes can learn from.

    Raises:
        InvalidRun: "bad-examples", "label-outside-model".
    """
    x, y = np.asarray(inputs), np.asarray(labels).reshape(-1)
    if x.ndim != 2 or x.dtype.kind not in "iu" or y.dtype.kind not in "iu" or not 1 <= len(x) <= 1 << 16:
        raise InvalidRun("bad-examples", f"examples are {x.shape} of {x.dtype} and {y.shape} of {y.dtype}")
    if len(x) != len(y):
        raise InvalidRun("bad-examples", f"there are {len(x)} examples and {len(y)} labels")
    if x.min() < -64 or x.max() > 63:
        raise InvalidRun("bad-examples", f"entries are {x.min()} .. {x.max()}, outside -64 .. 63")
    outside = np.flatnonzero((y < 0) | (y >= classes))
    if outside.size:
        row = int(outside[0])
        raise InvalidRun(
            "label-outside-model", f"example {row} has label {y[row]}; the model has classes 0 .. {classes - 1}"
        )
    return Examples(x.astype(np.int64), y[:, None].astype(np.int64), classes)


def count_genes(inputs: int, classes: int, settings: Settings) -> int:
    """Return how many weights the network has, without biases: give the inputs a constant column for one."""
    return settings.hidden * (inputs + classes)


def build_generation(examples: Examples, settings: Settings) -> BuiltProgram:
    """Return the program of one generation: genome, seed, number and parent in, the next genome and its fitness out.

    The fitness is how many of the examples the next genome classifies right.

    Raises:
        InvalidRun: "bad-settings" if the numbers leave what a program can hold.
    """
    try:
        return _Generation(examples, settings).build()
    except InvalidProgram as error:
        raise InvalidRun("bad-settings", f"no program can be made of these settings: {error.message}") from error


class _Generation:
    """The parts of the program, which share examples, settings and builder."""

    def __init__(self, examples: Examples, settings: Settings) -> None:
        self.b = ProgramBuilder()
        self.settings = settings
        self.width = int(examples.inputs.shape[1])
        self.classes = examples.classes
        self.count = examples.count
        genes = count_genes(self.width, self.classes, settings)
        self.genome, self.seed, self.number = add_inputs(self.b, genes, -TOP, TOP)
        self.x = self.b.constant(examples.inputs)
        self.labels = self.b.constant(examples.labels)

    def build(self) -> BuiltProgram:
        b, updates = self.b, self.settings.updates
        clock = b.constant(np.arange(updates)[:, None])
        (genome,), _ = b.repeat(updates, [(self.genome, -TOP, TOP)], [clock], self._update)
        first, last = (self._round(each) for each in self._split(genome))
        hidden = b.clamp(b.shift(b.matmul(self.x, first), self.settings.first_shift), 0, 63)
        wrong = argmax(b.matmul(hidden, last)) - self.labels
        right = 1 - b.clamp(wrong * wrong, 0, 1)
        return b.finish([genome, b.sum(right, 0)])

    def _update(self, carried: list[Value], slices: list[Value]) -> tuple[list[Value], list[Value]]:
        """Write one step of the search."""
        b, s = self.b, self.settings
        step = self.number * s.updates + slices[0]
        layers = self._split(carried[0])
        x, labels = self._draw_batch(step)
        factors = [
            (self._draw_normal(step, 2 * n + 1, w.rows), self._draw_normal(step, 2 * n + 2, w.cols))
            for n, w in enumerate(layers)
        ]
        plus, minus = self._compute_losses([self._round(w) for w in layers], factors, x, labels)
        sign = b.clamp(plus - minus, -1, 1)
        rate = self._compute_rate(step)
        after = []
        for weight, (a, c) in zip(layers, factors, strict=True):
            gradient = b.matmul(transpose(b.mul(a, sign)), transpose(c))
            after.append(b.clamp(weight - b.mul(gradient, rate, 8), -TOP, TOP))
        return [b.concat([reshape(each, 1, each.rows * each.cols) for each in after], 1)], []

    def _compute_losses(
        self, weights: list[Value], factors: list[tuple[Value, Value]], x: Value, labels: Value
    ) -> list[Value]:
        """Return the summed losses of all members with the plus sign, and of those with the minus sign, as columns."""
        b, s = self.b, self.settings
        (a1, c1), (a2, c2) = factors
        base = self._for_each_pair(b.matmul(x, weights[0]))
        along = reshape(b.matmul(c1, x), s.pairs * s.batch, 1)
        push = b.shift(along * self._for_each_example(a1), s.sigma)
        target = self._for_each_pair(one_hot(labels, self.classes))
        losses = []
        for sign in (1, -1):
            hidden = b.clamp(b.shift(base + push * sign, s.first_shift), 0, 63)
            dot = b.sum(hidden * self._for_each_example(c2))
            z = b.matmul(hidden, weights[1]) + b.mul(dot * self._for_each_example(a2), sign, s.sigma)
            losses.append(b.sum(reshape(self._cross_entropy(b.shift(z, s.last_shift), target), s.pairs, s.batch)))
        return losses

    def _cross_entropy(self, z: Value, target: Value) -> Value:
        """Return the loss of each row in 1/32 nats, by tables for exp and log."""
        b, most = self.b, LEVELS * self.classes
        total = b.clamp(b.sum(exponentials(z, unit=UNIT, levels=LEVELS)), 1, most)
        logarithms = np.round(np.log(np.arange(1, most + 1) / LEVELS) * UNIT).astype(np.int64)
        return b.max(z) + b.table(total, logarithms[None], 1) - b.sum(target * z)

    def _draw_batch(self, step: Value) -> tuple[Value, Value]:
        drawn = self.b.random(self._key(step, 0), self.settings.batch, 1, 16) + (1 << 15)
        index = self.b.clamp(self.b.intdiv(drawn * self.count, self.b.constant(1 << 16)), 0, self.count - 1)
        return self.b.gather(self.x, index), self.b.gather(self.labels, index)

    def _draw_normal(self, step: Value, stream: int, cols: int) -> Value:
        return self.b.table(self.b.random(self._key(step, stream), self.settings.pairs, cols, 7), NORMAL[None], -64)

    def _key(self, step: Value, stream: int) -> Value:
        return self.b.concat([self.seed, step, self.b.constant(stream)], 1)

    def _compute_rate(self, step: Value) -> Value:
        s = self.settings
        drop = ((s.rate - s.last_rate) << 20) // max(1, s.cooling)
        return self.b.clamp(s.rate - self.b.mul(step, drop, 20), min(s.rate, s.last_rate), max(s.rate, s.last_rate))

    def _split(self, genome: Value) -> list[Value]:
        """Return the weights of both layers, outputs x inputs."""
        b, s = self.b, self.settings
        first = s.hidden * self.width
        return [
            b.view(genome, 0, [(s.hidden, self.width)], [(self.width, 1)]),
            b.view(genome, first, [(self.classes, s.hidden)], [(s.hidden, 1)]),
        ]

    def _round(self, weight: Value) -> Value:
        return self.b.clamp(self.b.shift(weight, WEIGHT_BITS), -63, 63)

    def _for_each_pair(self, v: Value) -> Value:
        """Return the rows of v, one for each example, again for each pair."""
        s = self.settings
        return self.b.view(v, 0, [(s.pairs, 0), (s.batch, v.cols)], [(v.cols, 1)])

    def _for_each_example(self, v: Value) -> Value:
        """Return each row of v, one for each pair, again for each example."""
        s = self.settings
        return self.b.view(v, 0, [(s.pairs, v.cols), (s.batch, 0)], [(v.cols, 1)])
