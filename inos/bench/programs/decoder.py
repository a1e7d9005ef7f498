"""A language model's decoder as one program: a loop over tokens, with a cache of keys and values.

Its weights are random, since only its speed is of interest: it has the shape of a character model of 0.8 million
parameters. Attention of one new token is written elementwise, because a product of one row would fill a sixteenth of
its tickets.
"""

import math
from typing import Any, Final

import numpy as np
from msgspec import Struct

from inos.programs.builder import BuiltProgram, ProgramBuilder, Value
from inos.programs.library import argmax, exponentials, linear, normalise, one_hot, rescale, tabulate, transpose
from inos.programs.types import Array

UNIT: Final = 1 << 12
"""Fixed point of the residual stream."""
REACH: Final = 4.0
"""Normalised rows and attention lie within plus and minus this."""
LETTERS: Final = 80
WINDOW: Final = 1 << 17
STREAM: Final = 1 << 19


class Model(Struct, frozen=True):
    """The model's dimensions, and how many tokens it writes."""

    layers: int = 4
    width: int = 128
    heads: int = 4
    steps: int = 64
    sequences: int = 16

    @property
    def depth(self) -> int:
        """Return the columns of a head."""
        return self.width // self.heads

    @property
    def tokens(self) -> int:
        return self.steps * self.sequences


def make_decoder(model: Model) -> BuiltProgram:
    """Return the program: its input is a prompt, step by step, and its output what was read or written at each step."""
    return _Decoder(model).build()


def draw_prompt(model: Model) -> Array:
    """Return the first tokens of all sequences; all later ones are written."""
    return np.random.default_rng(2).integers(0, LETTERS, (model.sequences, 1), dtype=np.int8)


class _Decoder:
    def __init__(self, model: Model) -> None:
        self._model = model
        self._rng = np.random.default_rng(1)
        self._b = ProgramBuilder()

    def build(self) -> BuiltProgram:
        b, model = self._b, self._model
        steps, rows = model.steps, model.sequences * model.heads * model.steps
        prompt = b.input(model.sequences, 1, 0, LETTERS - 1, name="prompt")
        letters = b.constant(np.round(self._draw(LETTERS, model.width, spread=0.5) * UNIT).astype(np.int32))
        places = b.constant(np.round(self._draw(steps, model.width, spread=0.3) * UNIT).astype(np.int32))
        future = b.constant(np.where(np.tril(np.ones((steps, steps), bool)), 0, -WINDOW))
        layers = [self._draw_layer() for _ in range(model.layers)]
        head = self._draw(LETTERS, model.width)
        empty = b.view(0, 0, [(rows, 0)], [(model.depth, 0)])

        def step(carried: list[Value], slices: list[Value]) -> tuple[list[Value], list[Value]]:
            token, caches, (now,) = carried[0], carried[1:], slices
            stream = b.gather(letters, token) + b.gather(places, now)
            here = b.view(transpose(one_hot(now, steps)), 0, [(rows // steps, 0), (steps, 1)], [(1, 1)])
            hidden = b.gather(future, now)
            kept: list[Value] = []
            for at, weights in enumerate(layers):
                stream, keys, values = self._run_layer(stream, caches[2 * at : 2 * at + 2], here, hidden, weights)
                kept += [keys, values]
            last = linear(self._normalise(stream), head, scale=REACH / 63, unit=UNIT)
            return [argmax(last), *kept], [token]

        order = b.constant(np.arange(steps)[:, None])
        start = [(prompt, 0, LETTERS - 1), *[(empty, -64, 63)] * (2 * model.layers)]
        _, (text,) = b.repeat(steps, start, [order], step)
        return b.finish([text])

    def _draw(self, rows: int, cols: int, spread: float = 0.08) -> Any:
        return self._rng.normal(0, spread, (rows, cols))

    def _draw_layer(self) -> dict[str, Any]:
        width = self._model.width
        shapes = {"split": (3 * width, width), "join": (width, width), "up": (4 * width, width)}
        return {name: self._draw(*shape) for name, shape in {**shapes, "down": (width, 4 * width)}.items()}

    def _normalise(self, stream: Value) -> Value:
        return normalise(stream, levels=63, reach=REACH)

    def _run_layer(
        self, stream: Value, caches: list[Value], here: Value, hidden: Value, weights: dict[str, Any]
    ) -> tuple[Value, Value, Value]:
        b = self._b
        split = linear(self._normalise(stream), weights["split"], scale=REACH / 63, unit=UNIT)
        split = rescale(split, 63 / REACH / UNIT, -63, 63)
        mixed, keys, values = self._attend(split, caches, here, hidden)
        joined = linear(mixed, weights["join"], scale=REACH / 63, unit=UNIT)
        stream = b.clamp(stream + joined, -STREAM, STREAM)
        up = linear(self._normalise(stream), weights["up"], scale=REACH / 63, unit=256)
        active = tabulate(up, _gelu, unit=256, reach=8, scale=REACH / 63)
        down = linear(b.clamp(active, -63, 63), weights["down"], scale=REACH / 63, unit=UNIT)
        return b.clamp(stream + down, -STREAM, STREAM), keys, values

    def _attend(self, split: Value, caches: list[Value], here: Value, hidden: Value) -> tuple[Value, Value, Value]:
        """Return the heads' mixed values, and the caches with the new token's keys and values."""
        b, model = self._b, self._model
        heads, steps, depth, width = model.sequences * model.heads, model.steps, model.depth, model.width

        def spread(offset: int) -> Value:
            """Return the row of each head, once for every token in the cache."""
            return b.view(split, offset, [(model.sequences, 3 * width), (model.heads, depth), (steps, 0)], [(depth, 1)])

        keys = b.clamp(caches[0] + b.mul(spread(width), here), -64, 63)
        values = b.clamp(caches[1] + b.mul(spread(2 * width), here), -64, 63)
        scores = b.view(b.sum(b.mul(keys, spread(0))), 0, [(heads, steps)], [(steps, 1)])
        scores = rescale(scores, (REACH / 63) ** 2 / math.sqrt(depth) * 64, -(1 << 15), 1 << 15)
        seen = b.view(hidden, 0, [(heads, 0)], [(steps, 1)])
        powers = exponentials(scores + seen, unit=64, levels=126)
        parts = b.mul(values, b.view(powers, 0, [(heads * steps, 1)], [(1, 1)]))
        mixed = b.sum(b.view(parts, 0, [(heads, steps * depth), (depth, 1)], [(steps, depth)]))
        total = b.view(b.clamp(b.sum(powers), 1, 1 << 30), 0, [(heads, 1), (depth, 0)], [(1, 1)])
        mixed = b.clamp(b.intdiv(mixed, total), -63, 63)
        return b.view(mixed, 0, [(model.sequences, width)], [(width, 1)]), keys, values


def _gelu(x: Any) -> Any:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
