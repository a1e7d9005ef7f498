"""An integer network for digits that nobody trained, and images of noise: as the devnet's customer has them."""

import numpy as np

from inos.devnet.digits import DigitTask, quantise

HIDDEN = 20


def make_digit_task(count: int) -> DigitTask:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 17, (count, 64))
    weights = [rng.normal(0, 1, (64, HIDDEN)), rng.normal(0, 1, (HIDDEN, 10))]
    layers = quantise(weights, [rng.normal(0, 5, HIDDEN), rng.normal(0, 5, 10)], images.astype(np.float64))
    return DigitTask(layers, images.astype(np.int8), rng.integers(0, 10, count))
