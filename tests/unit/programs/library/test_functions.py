"""Tables, softmax and normalisation against floats."""

from typing import Any

import numpy as np
import pytest

from inos.programs import InvalidProgram
from inos.programs.library import exponentials, normalise, softmax, tabulate
from support.built_programs import compute

UNIT = 256


def make_rows(seed: int, rows: int = 20, cols: int = 50, spread: float = 3.0) -> Any:
    return np.round(np.random.default_rng(seed).normal(0, spread, (rows, cols)) * UNIT).astype(np.int64)


def test_a_table_is_the_function_to_half_a_level() -> None:
    x = make_rows(1)
    (found,) = compute(lambda v: tabulate(v, np.tanh, unit=UNIT, reach=4, scale=1 / 63), (x, -9999, 9999))
    assert np.abs(found / 63 - np.tanh(x / UNIT)).max() <= 0.5 / 63 + 1e-3
    with pytest.raises(InvalidProgram, match="larger than 65536"):
        compute(lambda v: tabulate(v, np.tanh, unit=10_000, reach=4, scale=1), (x, -9999, 9999))


def test_exponentials_lose_at_most_half_a_level() -> None:
    x = make_rows(2)
    (found,) = compute(lambda v: exponentials(v, unit=UNIT, levels=8127), (x, -9999, 9999))
    shifted = (x - x.max(axis=1, keepdims=True)) / UNIT
    assert np.abs(found / 8127 - np.exp(shifted)).max() <= 0.51 / 8127


def test_softmax_is_close_to_the_float_one_and_masked() -> None:
    x = make_rows(3, 30, 30)
    mask = np.tril(np.ones((30, 30), dtype=bool))
    (found,) = compute(lambda v: softmax(v, unit=UNIT, levels=1000, mask=mask), (x, -9999, 9999))
    away = np.where(mask, x / UNIT, -np.inf)
    powers = np.exp(away - away.max(axis=1, keepdims=True))
    expected = powers / powers.sum(axis=1, keepdims=True)
    assert np.abs(found / 1000 - expected).max() <= 0.002
    assert not found[~mask].any()


@pytest.mark.parametrize("centre", [True, False])
@pytest.mark.parametrize("spread", [0.05, 3.0, 3000.0])
@pytest.mark.parametrize("cols", [8, 128])
def test_rows_are_normalised(centre: bool, spread: float, cols: int) -> None:
    x = make_rows(4, 20, cols, spread) + (40 if centre else 0)
    reach = int(np.abs(x).max()) + 1
    (found,) = compute(
        lambda v: normalise(v, levels=8000, reach=8.0, centre=centre, lo=-8000, hi=8000), (x, -reach, reach)
    )
    centred = x - x.mean(axis=1, keepdims=True) if centre else x
    expected = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True))
    assert np.abs(found / 1000 - expected).max() <= 0.002


def test_a_row_of_equal_entries_becomes_zeros() -> None:
    (found,) = compute(lambda v: normalise(v, levels=63, reach=4.0), (np.full((2, 16), 5), -64, 63))
    assert not found.any()
