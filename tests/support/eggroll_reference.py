"""EGGROLL's generation in plain numpy, one pair after the other, as docs/evolution.md describes it."""

from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from inos.evolve.eggroll import NORMAL, TOP, Examples, Settings


def round_shift(x: Any, bits: int) -> Any:
    return (x + (1 << bits >> 1)) >> bits


def draw(seed: bytes, step: int, stream: int, count: int, bits: int) -> NDArray[np.int64]:
    key = np.concatenate([np.frombuffer(seed, np.int8).astype("<i8"), np.array([step, stream], "<i8")])
    width = 1 if bits <= 8 else 2
    data = blake3(key.tobytes(), derive_key_context="inos program random v1").digest(count * width)
    entries = np.frombuffer(data, "u1" if width == 1 else "<u2").astype(np.int64)
    return (entries & ((1 << bits) - 1)) - (1 << (bits - 1))


def compute_loss(hidden: NDArray[np.int64], z: NDArray[np.int64], labels: NDArray[np.int64], s: Settings) -> int:
    z = round_shift(z, s.last_shift)
    total = 0
    for scores, label in zip(z, labels, strict=True):
        top = int(scores.max())
        powers = [int(np.round(255 * np.exp(max(int(each) - top, -200) / 32))) for each in scores]
        total += top + int(np.round(np.log(max(1, sum(powers)) / 255) * 32)) - int(scores[label])
    return total


def compute_reference(
    genome: NDArray[np.int64], seed: bytes, number: int, examples: Examples, s: Settings
) -> tuple[NDArray[np.int64], int]:
    """Return the next genome and how many examples it classifies right."""
    width, classes = examples.inputs.shape[1], examples.classes
    split = s.hidden * width
    weights = [genome[:split].reshape(s.hidden, width), genome[split:].reshape(classes, s.hidden)]
    for step in range(number * s.updates, (number + 1) * s.updates):
        weights = _update(weights, seed, step, examples, s)
    first, last = (np.clip(round_shift(w, 8), -63, 63) for w in weights)
    hidden = np.clip(round_shift(examples.inputs @ first.T, s.first_shift), 0, 63)
    right = int(((hidden @ last.T).argmax(axis=1) == examples.labels[:, 0]).sum())
    return np.concatenate([w.reshape(-1) for w in weights]), right


def _update(
    weights: list[NDArray[np.int64]], seed: bytes, step: int, examples: Examples, s: Settings
) -> list[NDArray[np.int64]]:
    chosen = (draw(seed, step, 0, s.batch, 16) + (1 << 15)) * examples.count >> 16
    x, labels = examples.inputs[chosen], examples.labels[chosen, 0]
    noise = [
        tuple(
            NORMAL[draw(seed, step, 2 * n + 1 + side, s.pairs * w.shape[side], 7) + 64].reshape(s.pairs, -1)
            for side in (0, 1)
        )
        for n, w in enumerate(weights)
    ]
    first, last = (np.clip(round_shift(w, 8), -63, 63) for w in weights)
    sums = [np.zeros_like(w) for w in weights]
    for pair in range(s.pairs):
        (a1, c1), (a2, c2) = ((rows[pair], columns[pair]) for rows, columns in noise)
        push = round_shift(np.outer(x @ c1, a1), s.sigma)
        losses = []
        for sign in (1, -1):
            hidden = np.clip(round_shift(x @ first.T + sign * push, s.first_shift), 0, 63)
            z = hidden @ last.T + round_shift(sign * np.outer(hidden @ c2, a2), s.sigma)
            losses.append(compute_loss(hidden, z, labels, s))
        better = int(np.sign(losses[0] - losses[1]))
        for total, a, c in zip(sums, (a1, a2), (c1, c2), strict=True):
            total += better * np.outer(a, c)
    drop = ((s.rate - s.last_rate) << 20) // max(1, s.cooling)
    rate = int(np.clip(s.rate - round_shift(step * drop, 20), min(s.rate, s.last_rate), max(s.rate, s.last_rate)))
    return [np.clip(w - round_shift(total * rate, 8), -TOP, TOP) for w, total in zip(weights, sums, strict=True)]
