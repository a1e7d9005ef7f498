"""Products that the kernels reduce are congruent to the exact ones, and certified as all others are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inos.work.backends.native.library import find_kernels
from inos.work.backends.native.modular import multiply_modulo
from inos.work.floats.moduli import LARGEST_RESIDUE, MODULI
from inos.work.strips import InvalidMatrix

pytestmark = pytest.mark.skipif(not find_kernels(), reason="no kernels were compiled")


@pytest.mark.parametrize("name", find_kernels())
@settings(max_examples=12, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 150), st.integers(1, 150), st.sampled_from([1, 64, 65, 1024, 1500, 3000])),
    blocks=st.integers(1, 5),
    threads=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_blocks_are_reduced_and_every_ticket_is_drawn(
    name: str, shape: tuple[int, int, int], blocks: int, threads: int, seed: int
) -> None:
    (m, n, k), rng, moduli = shape, np.random.default_rng(seed), MODULI[seed % 19 :][:blocks]
    x, w = (rng.integers(-64, 64, (blocks, rows + seed % 3, k), np.int8)[:, :rows] for rows in (m, n))
    out = np.full((blocks, m + seed % 2, n), -128, np.int8)[:, :m]
    tickets = multiply_modulo(x, w, moduli, out, kernel=find_kernels()[name], threads=threads)
    assert tickets == blocks * -(-m // 16) * -(-n // 16) * -(-k // 1024)
    for one, other, modulus, residues in zip(x, w, moduli, out, strict=True):
        exact = (one.astype(np.float64) @ other.astype(np.float64).T).astype(np.int64)
        assert ((exact - residues) % modulus == 0).all()
        assert abs(residues.astype(int)).max() <= LARGEST_RESIDUE


def test_what_does_not_fit_one_thread_is_left_alone() -> None:
    x, out = np.zeros((2, 3, 20_000), np.int8), np.full((2, 3, 3), 5, np.int8)
    assert multiply_modulo(x, x, MODULI[:2], out) is None
    assert (out == 5).all()


def test_an_entry_out_of_range_is_refused() -> None:
    x, out = np.zeros((2, 3, 100), np.int8), np.zeros((2, 3, 3), np.int8)
    bad = x.copy()
    bad[1, 2, 99] = 64
    for pair in ((x, bad), (bad, x)):
        with pytest.raises(InvalidMatrix, match="outside"):
            multiply_modulo(*pair, MODULI[:2], out)
