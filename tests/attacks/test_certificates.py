"""Attacks that broke a deployed rival: noise that a miner chooses, and seeds that do not bind the product's shape.

Here nothing in a seal, a witness, a header or the parameters describes the noise: its rank, its rows and its
permutations follow from the anchor and both ids alone, and an id binds rows, columns and every strip.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from inos import work
from inos.consensus.params import Params
from inos.primitives.blocks import Header, compute_anchor
from inos.primitives.matrices import DType, MatrixRef, Seal, Witness, make_matrix_ref
from inos.primitives.units import U256_MAX, Hash
from inos.work import tickets
from inos.work.certificate import Win, check_certificate, compute_digest
from inos.work.noise import STEP, compute_permutations, compute_seed_w, compute_seed_x

ANCHOR = bytes(range(32))
Noise = Callable[[bytes, int, int], NDArray[Any]]


def mine_one(x: NDArray[np.int8], w: NDArray[np.int8], anchor: bytes = ANCHOR) -> Win:
    return work.mine(x, w, anchor, U256_MAX, backend="numpy").wins[0]


@pytest.fixture
def operands(rng: np.random.Generator) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    return tuple(rng.integers(-64, 64, (32, 1024), dtype=np.int8) for _ in range(2))  # type: ignore[return-value]


def draw_low_rank(rank: int, low: int) -> Noise:
    """Return noise rows with only `rank` nonzero columns, which a miner would choose to save work."""

    def draw(seed: bytes, first: int, last: int) -> NDArray[Any]:
        rows = np.zeros((last - first, STEP), dtype=np.uint8 if low >= 0 else np.int8)
        rows[:, :rank] = 1
        return rows

    return draw


@pytest.mark.parametrize("rank", [0, 1, 16, 63])
def test_a_miner_cannot_choose_the_rank_of_the_noise(
    monkeypatch: pytest.MonkeyPatch, operands: tuple[NDArray[np.int8], NDArray[np.int8]], rank: int
) -> None:
    win = mine_one(*operands)
    work.verify(win.seal, win.witness, ANCHOR, U256_MAX)
    with monkeypatch.context() as cheat:
        cheat.setattr(tickets, "compute_noise_x", draw_low_rank(rank, 0))
        cheat.setattr(tickets, "compute_noise_w", draw_low_rank(rank, -64))
        cheap = compute_digest(win.seal, win.witness, ANCHOR)
    assert cheap != win.seal.digest
    forged = msgspec.structs.replace(win.seal, digest=cheap)
    with pytest.raises(work.InvalidCertificate) as refused:
        work.verify(forged, win.witness, ANCHOR, U256_MAX)
    assert refused.value.code == "digest-mismatch"


def test_a_miner_cannot_choose_the_permutations(
    monkeypatch: pytest.MonkeyPatch, operands: tuple[NDArray[np.int8], NDArray[np.int8]]
) -> None:
    win = mine_one(*operands)

    def keep_order(seed: bytes, first: int, last: int) -> NDArray[np.intp]:
        return np.tile(np.arange(STEP), (last - first, 1))

    with monkeypatch.context() as cheat:
        cheat.setattr(tickets, "compute_permutations", keep_order)
        cheap = compute_digest(win.seal, win.witness, ANCHOR)
    forged = msgspec.structs.replace(win.seal, digest=cheap)
    with pytest.raises(work.InvalidCertificate):
        work.verify(forged, win.witness, ANCHOR, U256_MAX)
    seed = compute_seed_w(ANCHOR, win.seal.w.id)
    drawn = compute_permutations(seed, 0, 16)
    assert all(sorted(row) == list(range(STEP)) for row in drawn.tolist())


def test_nothing_that_a_miner_writes_has_a_field_for_the_noise() -> None:
    assert Seal.__struct_fields__ == ("x", "w", "i", "j", "p", "digest")
    assert Witness.__struct_fields__ == ("x_strip", "x_path", "w_strip", "w_path")
    assert MatrixRef.__struct_fields__ == ("id", "rows", "cols", "root")
    names = (*Header.__struct_fields__, *Params.__struct_fields__)
    assert not [name for name in names if any(word in name for word in ("noise", "rank", "perm", "step", "tile"))]


def make_ref(ref: MatrixRef, rows: int, cols: int) -> MatrixRef:
    """Return a reference to the same strips with another shape."""
    return make_matrix_ref(DType.INT7, rows, cols, Hash(ref.root))


@pytest.mark.parametrize(("rows", "cols"), [(31, 1024), (17, 1024), (32, 1023), (32, 1)])
def test_seeds_bind_the_shape_of_both_operands(rows: int, cols: int) -> None:
    """Zeros have the same strips and root under many shapes; each has an id, and so noise, of its own."""
    zeros = np.zeros((32, 1024), dtype=np.int8)
    win = mine_one(zeros, zeros)
    other = make_ref(win.seal.x, rows, cols)
    assert other.root == win.seal.x.root
    assert other.id != win.seal.x.id
    seed_w = compute_seed_w(ANCHOR, win.seal.w.id)
    assert compute_seed_x(seed_w, other.id) != compute_seed_x(seed_w, win.seal.x.id)
    assert compute_seed_w(ANCHOR, other.id) != seed_w
    for changes in (
        {"x": other, "w": make_ref(win.seal.w, 32, cols)},
        {"w": make_ref(win.seal.w, 31, 1024)},
    ):
        moved = msgspec.structs.replace(win.seal, **changes)
        with pytest.raises(work.InvalidCertificate) as refused:
            check_certificate(moved, win.witness, ANCHOR, U256_MAX)
        assert refused.value.code == "digest-mismatch"
        with pytest.raises(work.InvalidCertificate):
            work.verify(moved, win.witness, ANCHOR, U256_MAX)


def test_one_matrix_in_both_places_has_two_kinds_of_noise(rng: np.random.Generator) -> None:
    x = rng.integers(-64, 64, (16, 1024), dtype=np.int8)
    win = mine_one(x, x)
    assert win.seal.x.id == win.seal.w.id
    seed_w = compute_seed_w(ANCHOR, win.seal.w.id)
    assert compute_seed_x(seed_w, win.seal.x.id) != seed_w


def test_a_ticket_belongs_to_one_anchor_and_one_place(operands: tuple[NDArray[np.int8], NDArray[np.int8]]) -> None:
    wins = work.mine(*operands, ANCHOR, U256_MAX, backend="numpy").wins
    assert len(wins) == 4
    assert len({win.seal.digest for win in wins}) == 4
    first, second = wins[0], wins[1]
    moved = msgspec.structs.replace(first.seal, i=second.seal.i, j=second.seal.j)
    with pytest.raises(work.InvalidCertificate):
        work.verify(moved, first.witness, ANCHOR, U256_MAX)
    with pytest.raises(work.InvalidCertificate):
        work.verify(first.seal, first.witness, bytes(32), U256_MAX)


@pytest.mark.parametrize("field", [name for name in Header.__struct_fields__ if name != "seal"])
def test_the_anchor_binds_every_field_of_the_header(field: str) -> None:
    header = Header(2, 1, 1, bytes(32), 1, bytes(32), bytes(32), bytes(32), bytes(20), 0, None)
    value = getattr(header, field)
    changed: Any = value + 1 if isinstance(value, int) else bytes([1]) * len(value)
    assert compute_anchor(msgspec.structs.replace(header, **{field: changed})) != compute_anchor(header)
