"""Products without tickets are exact, of every shape."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inos.work.backends.native.bare import multiply_bare
from inos.work.backends.native.library import find_best

pytestmark = pytest.mark.skipif(find_best() is None, reason="no kernels were compiled")


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 150), st.integers(1, 150), st.sampled_from([1, 64, 65, 1024, 1500, 20_000, 65_536])),
    seed=st.integers(0, 2**32 - 1),
    is_extreme=st.booleans(),
)
def test_products_are_exact(shape: tuple[int, int, int], seed: int, is_extreme: bool) -> None:
    (m, n, k), rng = shape, np.random.default_rng(seed)
    if is_extreme:
        x, w = rng.choice(np.array([-64, 63], np.int8), (m, k)), np.full((n, k), -64, np.int8)
    else:
        x, w = (rng.integers(-64, 64, (rows, k), np.int8) for rows in (m, n))
    made = multiply_bare(x, w)
    assert made is not None
    assert np.array_equal(made, (x.astype(np.float64) @ w.astype(np.float64).T).astype(np.int64))
