"""What training needs, against floats."""

import numpy as np
import pytest

from inos.programs import Value
from inos.programs.library import scale_dynamically, sgd_step, shift_stochastically
from support.built_programs import compute


@pytest.mark.parametrize("spread", [0, 1, 5, 10_000])
def test_the_scale_is_found_at_run_time(spread: int) -> None:
    x = np.random.default_rng(1).integers(-spread, spread + 1, (20, 20))
    found, top = compute(scale_dynamically, (x, -(2**20), 2**20))
    largest = max(1, int(np.abs(x).max()))
    assert top.tolist() == [[largest]]
    assert (found == np.floor(63 * x / largest + 0.5)).all()


def test_stochastic_rounding_is_right_on_average() -> None:
    x = np.full((300, 300), 5 * 256 + 77)
    (found,) = compute(lambda v, key: shift_stochastically(v, 8, key), (x, -9999, 9999), ([[1, 2, 3]], 0, 9))
    assert set(np.unique(found)) == {5, 6}
    assert abs(found.mean() - x[0, 0] / 256) < 0.01


def test_a_program_trains_a_layer() -> None:
    """Gradient descent in a loop finds the weights of a linear map, up to rounding."""
    rng = np.random.default_rng(2)
    truth = rng.integers(-40, 40, (3, 16))
    x = rng.integers(-60, 60, (64, 16))
    y = x @ truth.T

    def write(inputs: Value, wanted: Value) -> Value:
        b = inputs.builder
        start = b.view(b.constant(0), 0, [(3, 0)], [(16, 0)])

        def step(carried: list[Value], _: list[Value]) -> tuple[list[Value], list[Value]]:
            weight = carried[0]
            error = b.matmul(inputs, b.clamp(b.shift(weight, 10), -64, 63)) - wanted
            small, top = scale_dynamically(error)
            gradient = b.matmul(b.view(small, 0, [(3, 1)], [(64, 3)]), b.view(inputs, 0, [(16, 1)], [(64, 16)]))
            return [sgd_step(weight, b.shift(gradient * b.clamp(top, 1, 2**16), 6), 1, 7)], []

        (weight,), _ = b.repeat(60, [(start, -(2**16), 2**16)], [], step)
        return b.shift(weight, 10)

    (found,) = compute(write, (x, -64, 63), (y, -(2**18), 2**18))
    assert np.abs(found - truth).max() <= 1
