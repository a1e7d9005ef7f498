"""Small products that a kernel makes in one call draw the same tickets as the reference in numpy."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inos import work
from inos.programs.mining import MiningProduct
from inos.programs.products import multiply
from inos.work.engine import make_small_products
from inos.work.strips import InvalidMatrix

NATIVE = [info.name for info in work.list_backends() if info.is_available and info.name != "numpy"]
ANCHORS = b"a" * 32, b"b" * 32
HALF, NONE = 2**255, 0
pytestmark = pytest.mark.skipif(
    not NATIVE or make_small_products(ANCHORS[0], NONE, backend=NATIVE[0]) is None,
    reason="no kernels were compiled, or before they made small products",
)
backends = pytest.mark.parametrize("backend", NATIVE)
shapes = st.tuples(st.integers(1, 90), st.integers(1, 90), st.sampled_from([1, 63, 64, 128, 1024, 1025, 3100]))


def draw(rows: int, cols: int, seed: int) -> Any:
    return np.random.default_rng(seed).integers(-64, 64, (rows, cols), np.int8)


def mine(product: MiningProduct, x: Any, w: Any, blocks: int) -> tuple[Any, int, list[Any]]:
    """Return what one call gives, and what it adds to the tickets and the wins."""
    tickets, wins = product.tickets, len(product.wins)
    made = product(x, w, blocks)
    return made, product.tickets - tickets, [win.seal for win in product.wins[wins:]]


def is_equal(one: tuple[Any, int, list[Any]], other: tuple[Any, int, list[Any]]) -> bool:
    def order(seal: Any) -> Any:
        return seal.x.id, seal.i, seal.j, seal.p

    return (
        np.array_equal(one[0], other[0])
        and one[1] == other[1]
        and sorted(one[2], key=order) == sorted(other[2], key=order)
    )


@backends
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(shape=shapes, blocks=st.integers(1, 3), seed=st.integers(0, 2**32 - 1), is_input=st.booleans())
def test_products_and_wins_are_those_of_the_reference(
    backend: str, shape: tuple[int, int, int], blocks: int, seed: int, is_input: bool
) -> None:
    """What is kept of W, which is an input in some examples, holds for other X and under another anchor."""
    m, n, k = shape
    w = draw(n * blocks, k, seed)
    product, reference = (
        MiningProduct(ANCHORS[0], HALF, [w] if is_input else [], backend=name) for name in (backend, "numpy")
    )
    for anchor in ANCHORS:
        for made in (product, reference):
            made.set_template(anchor, HALF)
        for number in range(2):
            x = draw(m * blocks, k, seed + 1 + number)
            found = mine(product, x, w, blocks)
            assert np.array_equal(found[0], multiply(x, w, blocks))
            assert is_equal(found, mine(reference, x, w, blocks))


@backends
def test_many_blocks_are_made_in_several_calls(backend: str) -> None:
    x, w = draw(5 * 160, 1024, 1), draw(5 * 160, 1024, 2)
    small = make_small_products(ANCHORS[0], NONE, backend=backend)
    assert small is not None
    job = small.prepare(x, w, 5, is_kept=True)
    assert job is not None
    assert job.together == 2 < job.blocks
    product = MiningProduct(ANCHORS[0], NONE, [w], backend=backend)
    for _ in range(2):
        assert np.array_equal(product(x, w, 5), multiply(x, w, 5))


@backends
@pytest.mark.parametrize("place", ["x", "w"])
def test_an_entry_out_of_range_is_named(backend: str, place: str) -> None:
    x, w = draw(20, 100, 1), draw(30, 100, 2)
    (x if place == "x" else w)[17, 99] = 64
    product = MiningProduct(ANCHORS[0], HALF, [w], backend=backend)
    with pytest.raises(InvalidMatrix, match="row 17, column 99 is 64"):
        product(x, w, 1)


@backends
def test_w_is_hashed_once_and_its_noise_drawn_once_for_each_anchor(backend: str) -> None:
    x, w = draw(40, 100, 1), draw(60, 100, 2)
    small = make_small_products(ANCHORS[0], NONE, backend=backend)
    assert small is not None
    (kept, other) = (small.prepare(x, w, 2, is_kept=is_kept) for is_kept in (True, False))
    assert kept is not None
    assert other is not None
    assert small.prepare(x, w, 2, is_kept=True) is kept
    out = np.empty((40, 30), np.int32)
    assert small.multiply(kept, x, w, out, 0) == (2 * 2 * 2, [])
    assert small.multiply(other, x, w, out, 0) == (2 * 2 * 2, [])
    assert (kept.call.w_known, other.call.w_known) == (2, 0)
    small.set_template(ANCHORS[1], NONE)
    assert (kept.call.w_known, other.call.w_known) == (1, 0)
