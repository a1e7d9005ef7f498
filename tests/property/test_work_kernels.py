"""Every compiled kernel that this processor can run gives the same bits as numpy."""

from typing import Any

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inos import work
from inos.primitives.hashing import compute_stream
from inos.work import Lottery, Operand, strips
from inos.work.backends.native.check import NativeCheck, check_natively
from inos.work.backends.native.library import find_kernels
from inos.work.freivalds import _check as check_in_numpy

NATIVE = [info.name for info in work.list_backends() if info.is_available and info.name != "numpy"]
ANY = 2**256 - 1
seeds = st.integers(0, 2**32 - 1)
fills = st.sampled_from(["random", "low", "high", "mixed"])
pytestmark = pytest.mark.skipif(not NATIVE, reason="no kernels were compiled")
backends = pytest.mark.parametrize("backend", NATIVE)
relaxed = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def make(rows: int, cols: int, seed: int, fill: str = "random") -> NDArray[np.int8]:
    """Random entries, all -64, all 63, or only these two."""
    if fill in ("low", "high"):
        return np.full((rows, cols), -64 if fill == "low" else 63, dtype=np.int8)
    random = np.random.default_rng(seed)
    if fill == "mixed":
        return random.choice(np.array([-64, 63], dtype=np.int8), (rows, cols))
    return random.integers(-64, 64, (rows, cols), dtype=np.int8)


def draw(x: Operand, w: Operand, anchor: bytes, backend: str, threads: int) -> tuple[Any, int, set[Any]]:
    found = set()
    lottery = Lottery(w, anchor, ANY, backend=backend, threads=threads)
    drawn = lottery.draw(x, 0, x.strips, lambda *win: found.add(win))
    return drawn.product, drawn.tickets, found


@backends
@relaxed
@given(
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90), st.integers(1, 3100)),
    seed=seeds,
    fill=st.tuples(fills, fills),
    threads=st.integers(1, 3),
)
def test_products_digests_and_wins(
    backend: str, shape: tuple[int, int, int], seed: int, fill: tuple[str, str], threads: int
) -> None:
    m, n, k = shape
    x, w = Operand.commit(make(m, k, seed, fill[0])), Operand.commit(make(n, k, seed + 1, fill[1]))
    anchor = blake3(seed.to_bytes(4, "little")).digest()
    product, tickets, found = draw(x, w, anchor, backend, threads)
    expected, count, wins = draw(x, w, anchor, "numpy", 1)
    assert np.array_equal(product, expected)
    assert tickets == count == len(found)
    assert found == wins


@backends
@pytest.mark.parametrize("fill", [("random", "random"), ("low", "low"), ("high", "low"), ("mixed", "high")])
@pytest.mark.parametrize("depth", [16_385, 65_536])
def test_the_deepest_products(backend: str, fill: tuple[str, str], depth: int) -> None:
    """Sums of 1,024 steps are peeled in parts, since they exceed int16."""
    x, w = Operand.commit(make(17, depth, 1, fill[0])), Operand.commit(make(33, depth, 2, fill[1]))
    product, _, found = draw(x, w, bytes(32), backend, 2)
    assert np.array_equal(product, x.array.astype(np.int64) @ w.array.astype(np.int64).T)
    assert found == draw(x, w, bytes(32), "numpy", 2)[2]


@backends
@pytest.mark.parametrize("shape", [(600, 16, 1024), (16, 4700, 64), (530, 300, 1025), (1, 1, 1), (17, 1, 65)])
def test_tiles_of_every_kind_and_slices(backend: str, shape: tuple[int, int, int]) -> None:
    m, n, k = shape
    x, w = Operand.commit(make(m, k, 3)), Operand.commit(make(n, k, 4))
    product, _, found = draw(x, w, bytes(32), backend, 2)
    expected, _, wins = draw(x, w, bytes(32), "numpy", 2)
    assert np.array_equal(product, expected)
    assert found == wins
    middle = x.strips // 2
    lottery = Lottery(w, bytes(32), 0, backend=backend, threads=2)
    parts = [lottery.mine_strips(x, a, b).product for a, b in ((0, middle), (middle, x.strips)) if a < b]
    assert np.array_equal(np.concatenate(parts), expected)


@backends
def test_a_product_that_is_written_past_the_caches(backend: str) -> None:
    x, w = Operand.commit(make(2100, 64, 3)), Operand.commit(make(2064, 64, 4))
    lottery = Lottery(w, bytes(32), 0, backend=backend, threads=2)
    parts = [lottery.mine_strips(x, a, b).product for a, b in ((0, 130), (130, x.strips))]
    assert np.array_equal(np.concatenate(parts), x.array.astype(np.int32) @ w.array.astype(np.int32).T)


@backends
@pytest.mark.parametrize("room", [0, 1 << 40])
@pytest.mark.parametrize("shape", [(48, 300, 1500), (300, 48, 2500), (33, 70, 17_000)])
def test_little_and_much_memory_give_the_same(
    backend: str, room: int, shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without spare memory, slabs are one panel deep and tiles are four strips wide."""
    m, n, k = shape
    x, w = Operand.commit(make(m, k, 5)), Operand.commit(make(n, k, 6))
    kept = draw(x, w, bytes(32), backend, 2)
    monkeypatch.setattr("inos.work.backends.native.plan.FLOOR_BYTES", room)
    again = draw(x, w, bytes(32), backend, 2)
    assert np.array_equal(again[0], kept[0])
    assert again[1:] == kept[1:]


@backends
@pytest.mark.parametrize("limit", [0, 256 << 20])
def test_many_x_under_one_anchor(backend: str, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """W' is kept from the second X on, unless it is too large."""
    monkeypatch.setattr("inos.work.backends.native.prepared.MAX_KEPT_BYTES", limit)
    w = Operand.commit(make(300, 1500, 6))
    lottery = Lottery(w, bytes(32), ANY, backend=backend, threads=2)
    for seed in (1, 2, 2, 3, 1):
        x = Operand.commit(make(40, 1500, seed))
        found: set[Any] = set()
        product = lottery.draw(x, 0, x.strips, lambda *win, found=found: found.add(win)).product
        expected, _, wins = draw(x, w, bytes(32), "numpy", 1)
        assert np.array_equal(product, expected)
        assert found == wins


@backends
@pytest.mark.parametrize("shape", [(100, 1100, 70), (33, 17_000, 40), (16, 64, 300)])
def test_tickets_without_rows_are_the_same(backend: str, shape: tuple[int, int, int]) -> None:
    """Under one anchor, rows may be wanted of some slices of some X and not of others."""
    m, k, n = shape
    w, others = Operand.commit(make(n, k, 8)), [Operand.commit(make(m, k, seed)) for seed in (1, 2)]
    lottery = Lottery(w, bytes(32), ANY, backend=backend, threads=2)
    for x in (*others, *others):
        expected, count, wins = draw(x, w, bytes(32), "numpy", 1)
        for needs_rows in (False, True, False):
            found: set[Any] = set()
            drawn = lottery.draw(x, 0, x.strips, lambda *win, found=found: found.add(win), needs_rows=needs_rows)
            assert found == wins
            assert drawn.tickets == count
            assert drawn.product is not None
            assert np.array_equal(drawn.product, expected) if needs_rows else drawn.product.shape == (0, n)


@backends
def test_only_digests_up_to_the_target_win(backend: str) -> None:
    x = Operand.commit(make(64, 1024, 7))
    _, _, every = draw(x, x, bytes(32), backend, 1)
    limit = sorted(win[3] for win in every)[5]
    mined = work.mine(x, x, bytes(32), int.from_bytes(limit, "big"), backend=backend, threads=1)
    assert sorted(win.seal.digest for win in mined.wins) == sorted(win[3] for win in every)[:6]
    for win in mined.wins:
        work.verify(win.seal, win.witness, bytes(32), int.from_bytes(limit, "big"))


@pytest.mark.parametrize("name", list(find_kernels()))
@relaxed
@given(rows=st.integers(1, 100), cols=st.integers(1, 3000), seed=seeds, fill=fills)
def test_leaves(name: str, rows: int, cols: int, seed: int, fill: str) -> None:
    array = make(rows, cols, seed, fill)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("inos.work.backends.native.leaves.find_best", lambda: find_kernels()[name])
        found = work.compute_leaves(array)
        patch.setattr(strips, "_hash_natively", lambda *_: None)
        assert found == work.compute_leaves(array)


@pytest.mark.parametrize("name", list(find_kernels()))
@relaxed
@given(
    shape=st.tuples(st.integers(1, 150), st.integers(1, 300), st.integers(1, 700)),
    seed=seeds,
    off=st.sampled_from([0, 0, 1, -1, 65536, 2**31 - 1, -(2**31)]),
)
def test_freivalds(name: str, shape: tuple[int, int, int], seed: int, off: int) -> None:
    """The answer is the same for any int8 operands and any Y, even if the protocol would refuse them."""
    m, n, k = shape
    random = np.random.default_rng(seed)
    x, w = (random.integers(-128, 128, (rows, k), dtype=np.int8) for rows in (m, n))
    y = (x.astype(np.int64) @ w.astype(np.int64).T).astype(np.int32)
    y[random.integers(m), random.integers(n)] ^= np.int32(off)
    vectors = np.frombuffer(compute_stream(bytes(32), "vectors", 16 * n), dtype=np.uint8).reshape(-1, 16)
    assert check_natively(x, w, y, vectors, find_kernels()[name]) is check_in_numpy(x, w, y, vectors) is (off == 0)
    copied = np.zeros_like(y)
    assert NativeCheck(w, vectors, find_kernels()[name]).check(x, copied, y) is (off == 0)
    assert off or np.array_equal(copied, y)


@pytest.mark.parametrize(("n", "k"), [(70_000, 300), (300, 70_000)])
@pytest.mark.parametrize("name", list(find_kernels()))
def test_freivalds_of_extremes(name: str, n: int, k: int) -> None:
    x, w = np.full((3, k), -128, dtype=np.int8), np.full((n, k), -128, dtype=np.int8)
    vectors = np.full((n, 16), 255, dtype=np.uint8)
    y = np.full((3, n), k * 128 * 128, dtype=np.int32)
    assert check_natively(x, w, y, vectors, find_kernels()[name])
    for value in (-(2**31), 2**31 - 1):
        y[2, n - 1] = value
        assert not check_natively(x, w, y, vectors, find_kernels()[name])
