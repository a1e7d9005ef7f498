"""Rows as int7 entries with a scale each: compiled and in numpy, they say the same."""

import numpy as np
import pytest

from inos.work import quantised
from inos.work.quantised import quantise_rows, scale_product


@pytest.fixture(params=["compiled", "numpy"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "numpy":
        monkeypatch.setattr(quantised, "_find_compiled", lambda function: None)
    elif quantised._find_compiled("inos_run_quantise_rows") is None:
        pytest.skip("no kernel is compiled here")


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (17, 33), (300, 700)])
def test_rows_are_entries_times_units(rows: int, cols: int, rng: np.random.Generator) -> None:
    array = rng.standard_normal((rows, cols), np.float32) * np.float32(10) ** rng.uniform(-20, 20, (rows, 1))
    array = array.astype(np.float32)
    array[-1] = 0
    entries, units = quantise_rows(array)
    assert np.array_equal(units, np.maximum(np.abs(array).max(axis=1), np.float32(1e-30)) / np.float32(63))
    assert np.array_equal(entries, np.rint(array / units[:, None]))
    assert np.abs(entries).max(initial=0) <= 63


@pytest.mark.usefixtures("way")
def test_products_are_scaled_and_shifted(rng: np.random.Generator) -> None:
    product = rng.integers(-(2**28), 2**28, (70, 1100), np.int32)
    rows, cols, bias = (rng.random(n, np.float32) for n in (70, 1100, 1100))
    exact = product.astype(np.float64) * rows[:, None] * cols + bias
    assert np.allclose(scale_product(product, rows, cols, bias), exact, rtol=1e-6, atol=1e-6)


@pytest.mark.usefixtures("way")
def test_infinite_rows_stay_within_int7() -> None:
    entries, _ = quantise_rows(np.array([[np.inf, -np.inf, 1.0, 0.0]], np.float32))
    assert entries.min() >= -64
    assert entries.max() <= 63
