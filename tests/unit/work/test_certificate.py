"""Every reason to refuse a certificate, a strip or a result, by its code."""

from collections.abc import Callable

import numpy as np
import pytest
from blake3 import blake3
from msgspec.structs import replace
from numpy.typing import NDArray

from inos import work
from inos.primitives.errors import InosError
from inos.primitives.matrices import MatrixRef, make_matrix_ref
from inos.primitives.units import Hash
from inos.work import InvalidCertificate, InvalidMatrix, Win
from inos.work.certificate import compute_digest
from inos.work.freivalds import COLS_PER_SUM, RESULTS_PER_SUM, _multiply, _project

ANCHOR = bytes(range(32))
ANY = 2**256 - 1


def make(rows: int, cols: int, seed: int = 0) -> NDArray[np.int8]:
    return np.random.default_rng(seed).integers(-64, 64, (rows, cols), dtype=np.int8)


@pytest.fixture(scope="module")
def win() -> Win:
    """The seal of ticket (2, 3, 1), where both matrices and the panel are ragged."""
    wins = work.mine(make(37, 1500), make(50, 1500, 1), ANCHOR, ANY).wins
    return next(win for win in wins if (win.seal.i, win.seal.j, win.seal.p) == (2, 3, 1))


def get_code(win: Win, target: int = ANY) -> str:
    with pytest.raises(InvalidCertificate) as caught:
        work.verify(win.seal, win.witness, ANCHOR, target)
    return caught.value.code


def flip(data: bytes, at: int = 0) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def with_ref(win: Win, side: str, ref: MatrixRef) -> Win:
    return replace(win, seal=replace(win.seal, **{side: ref}))


def test_a_right_one_is_accepted(win: Win) -> None:
    work.verify(win.seal, win.witness, ANCHOR, ANY)
    work.verify(win.seal, win.witness, ANCHOR, int.from_bytes(win.seal.digest, "big"))
    assert get_code(win, int.from_bytes(win.seal.digest, "big") - 1) == "above-target"


SEAL_CHANGES: dict[str, Callable[[Win], Win]] = {
    "bad-x-matrix-id": lambda w: with_ref(w, "x", replace(w.seal.x, id=flip(w.seal.x.id))),
    "bad-w-matrix-id": lambda w: with_ref(w, "w", replace(w.seal.w, rows=51)),
    "depth-mismatch": lambda w: with_ref(w, "w", replace(w.seal.w, cols=1499)),
    "bad-x-shape": lambda w: replace(
        w, seal=replace(w.seal, x=make_matrix_ref(1, 2**20 + 1, 1500, Hash(w.seal.x.root)))
    ),
    "index-outside-matrix": lambda w: replace(w, seal=replace(w.seal, i=3)),
    "bad-w-path": lambda w: replace(w, seal=replace(w.seal, j=2)),
    "digest-mismatch": lambda w: replace(w, seal=replace(w.seal, digest=flip(w.seal.digest, 31))),
}
WITNESS_CHANGES: dict[str, Callable[[Win], Win]] = {
    "bad-x-path-length": lambda w: replace(w, witness=replace(w.witness, x_path=w.witness.x_path[:-1])),
    "bad-w-path-length": lambda w: replace(w, witness=replace(w.witness, w_path=(*w.witness.w_path, bytes(32)))),
    "bad-x-path": lambda w: replace(w, witness=replace(w.witness, x_strip=flip(w.witness.x_strip, 5))),
    "bad-w-strip-size": lambda w: replace(w, witness=replace(w.witness, w_strip=w.witness.w_strip[:-1])),
}


@pytest.mark.parametrize(("code", "change"), [*SEAL_CHANGES.items(), *WITNESS_CHANGES.items()])
def test_changes_are_refused_by_name(win: Win, code: str, change: Callable[[Win], Win]) -> None:
    assert get_code(change(win)) == code


@pytest.mark.parametrize(("i", "j", "p"), [(3, 3, 1), (2, 4, 1), (2, 3, 2), (2**32 - 1, 0, 0)])
def test_indices_outside_the_matrices(win: Win, i: int, j: int, p: int) -> None:
    assert get_code(replace(win, seal=replace(win.seal, i=i, j=j, p=p))) == "index-outside-matrix"


@pytest.mark.parametrize(("i", "j", "p"), [(-1, 3, 1), (2, -1, 1), (2, 3, -1), (2**40, 3, 1)])
def test_numbers_no_decoder_lets_through(win: Win, i: int, j: int, p: int) -> None:
    """These seals are made by a program and not decoded: strip (2, -1) would be the one before (2, 0)."""
    assert get_code(replace(win, seal=replace(win.seal, i=i, j=j, p=p))) == "index-outside-matrix"


def _forge(win: Win, rows: int, cols: int, at: int, value: int) -> Win:
    """Return a seal over an X of one strip, whose tree covers `strip` with one byte set to `value`, with a matching
    digest.
    """
    strip = bytearray(16 * 1024)
    strip[at] = value
    root = Hash(blake3(bytes(strip), derive_key_context="inos v1 matrix strip").digest())
    ref = make_matrix_ref(1, rows, cols, root)
    w = work.Operand.commit(np.zeros((1, cols), np.int8))
    witness = replace(win.witness, x_strip=bytes(strip), x_path=(), w_strip=work.compute_strip(w.array, 0), w_path=())
    seal = replace(win.seal, x=ref, w=w.ref, i=0, j=0, p=0)
    return Win(replace(seal, digest=compute_digest(seal, witness, ANCHOR)), witness)


def test_committed_padding_and_entries_are_checked(win: Win) -> None:
    work.verify(*_take(_forge(win, 3, 5, 4, 63)), ANCHOR, ANY)
    assert get_code(_forge(win, 3, 5, 4, 64)) == "x-entry-out-of-range"
    assert get_code(_forge(win, 3, 5, 4, 191)) == "x-entry-out-of-range"
    assert get_code(_forge(win, 3, 5, 5, 1)) == "x-nonzero-padding"
    assert get_code(_forge(win, 3, 5, 3 * 1024, 1)) == "x-nonzero-padding"


def _take(win: Win) -> tuple[work.certificate.Seal, work.certificate.Witness]:
    return win.seal, win.witness


def test_strips_of_results() -> None:
    y = np.random.default_rng(3).integers(-(2**31), 2**31, (20, 300), dtype=np.int32)
    ref, leaves = work.matrix_ref(y), work.compute_leaves(y)
    assert len(leaves) == 4
    strip, path = work.compute_strip(y, 3), work.compute_matrix_path(leaves, 3)
    work.check_strip(ref, 2, 3, strip, path)
    for arguments, code in (
        ((ref, 1, 3, strip, path), "bad-matrix-id"),
        ((ref, 2, 4, strip, path), "index-outside-matrix"),
        ((ref, 2, -1, strip, path), "index-outside-matrix"),
        ((ref, 2, 2, strip, path), "bad-path"),
        ((ref, 2, 3, strip + b"\0", path), "bad-strip-size"),
        ((ref, 2, 3, strip, path[1:]), "bad-path-length"),
    ):
        with pytest.raises(InvalidMatrix) as caught:
            work.check_strip(*arguments)
        assert caught.value.code == code
    with pytest.raises(InvalidMatrix) as caught:
        work.assemble(ref, 2, {0: strip})
    assert caught.value.code == "strip-missing"
    with pytest.raises(InvalidMatrix):
        work.compute_matrix_path(leaves, 4)


def test_freivalds_seed_and_shapes() -> None:
    parts = [bytes([at]) * 32 for at in range(4)]
    expected = blake3(b"".join(parts), derive_key_context="inos v1 freivalds").digest()
    assert work.compute_freivalds_seed(*parts) == expected
    x, w = make(5, 7), make(6, 7, 1)
    y = x.astype(np.int32) @ w.astype(np.int32).T
    assert work.freivalds(x, w, y, expected)
    for arguments, code in (
        ((x, make(6, 8), y), "depth-mismatch"),
        ((x, w, y.T.copy()), "shape-mismatch"),
        ((x, w, y.astype(np.int64)), "bad-dtype"),
        ((x, w, make(5, 6)), "bad-dtype"),
        ((x.astype(np.int32), w, y), "bad-dtype"),
        ((x[0], w, y), "bad-shape"),
    ):
        with pytest.raises(InvalidMatrix) as caught:
            work.freivalds(*arguments, expected)
        assert caught.value.code == code
    for seed in (b"", expected[:31], expected + b"0"):
        with pytest.raises(InosError) as wrong:
            work.freivalds(x, w, y, seed)
        assert wrong.value.code == "bad-seed"


@pytest.mark.parametrize(
    ("m", "n", "k", "entry", "result"),
    [
        (1, 1, 65536, -128, -(2**31)),
        (2, 1, 65536, 127, 2**31 - 1),
        (1, 70_000, 3, -128, 2**31 - 1),
        (300, 1, 2049, 127, -(2**31)),
    ],
)
def test_freivalds_of_the_largest_sums_is_that_of_python_integers(
    m: int, n: int, k: int, entry: int, result: int
) -> None:
    """Both sides are near their limits of 2^57 and 2^59, where float64 alone would round."""
    data = blake3(b"vectors", key=ANCHOR).digest(length=16 * n)
    sums = [sum(data[column::16]) for column in range(16)]  # columns of R, since all rows of Y and W are equal
    x, w = np.full((m, k), entry, np.int8), np.full((n, k), entry, np.int8)
    y = np.full((m, n), result, np.int32)
    assert all(total * result != k * entry * entry * total for total in sums)
    assert not work.freivalds(x, w, y, ANCHOR)
    vectors = np.frombuffer(data, np.uint8).reshape(n, 16)
    projected = _project(w, vectors)
    assert projected.tolist() == [[entry * total for total in sums]] * k
    assert _multiply(y, vectors, RESULTS_PER_SUM).tolist() == [[result * total for total in sums]] * m
    assert _multiply(x, projected, COLS_PER_SUM).tolist() == [[k * entry * entry * total for total in sums]] * m


def test_freivalds_of_views_and_one_wrong_entry_anywhere() -> None:
    x, w = make(7, 40)[::-1, ::2], np.asfortranarray(make(5, 20, 1))
    y = np.asfortranarray(x.astype(np.int32) @ w.astype(np.int32).T)
    assert work.freivalds(x, w, y, ANCHOR)
    for place in np.ndindex(y.shape):
        for wrong in (y[place] + 1, y[place] - 1, -(2**31), 2**31 - 1):
            spoiled = y.copy()
            spoiled[place] = wrong
            assert not work.freivalds(x, w, spoiled, ANCHOR)


def test_freivalds_is_exact_at_the_extremes() -> None:
    x, w = np.full((2, 65536), -128, np.int8), np.full((3, 65536), -128, np.int8)
    y = np.full((2, 3), 128 * 128 * 65536, np.int32)
    assert work.freivalds(x, w, y, ANCHOR)
    extreme = np.full((3, 100_000), -(2**31), np.int32)
    assert not work.freivalds(np.zeros((3, 1), np.int8), np.zeros((100_000, 1), np.int8), extreme, ANCHOR)
    extreme[:] = 0
    assert work.freivalds(np.zeros((3, 1), np.int8), np.zeros((100_000, 1), np.int8), extreme, ANCHOR)
    extreme[2, 99_999] = 1
    assert not work.freivalds(np.zeros((3, 1), np.int8), np.zeros((100_000, 1), np.int8), extreme, ANCHOR)


def test_freivalds_against_the_protocol_in_python_integers() -> None:
    x, w = make(9, 11), make(13, 11, 1)
    y = np.random.default_rng(5).integers(-(2**31), 2**31, (9, 13), dtype=np.int32)
    data = blake3(b"vectors", key=ANCHOR).digest(length=13 * 16)
    r = np.array(list(data), dtype=object).reshape(13, 16)
    for result in (y, x.astype(np.int32) @ w.astype(np.int32).T):
        left, right = result.astype(object) @ r, x.astype(object) @ (w.astype(object).T @ r)
        assert work.freivalds(x, w, result, ANCHOR) == bool((left == right).all())


def test_limbs_over_the_whole_range() -> None:
    every = np.arange(-(2**15), 2**15).astype(np.int16).reshape(256, 256)
    limbs = work.split_int16(every)
    assert len(limbs) == 3
    assert all(limb.dtype == np.int8 and limb.min() >= -64 and limb.max() <= 63 for limb in limbs)
    assert np.array_equal(sum(limb.astype(np.int64) * 128**at for at, limb in enumerate(limbs)), every)
    with pytest.raises(InvalidMatrix):
        work.split_int16(every.astype(np.int32))


def test_limb_products_can_be_mined() -> None:
    random = np.random.default_rng(1)
    x, w = (random.integers(-(2**15), 2**15, (rows, 70), dtype=np.int16) for rows in (20, 30))
    tickets = 0

    def multiply(a: NDArray[np.int8], b: NDArray[np.int8]) -> NDArray[np.int32]:
        nonlocal tickets
        mined = work.mine(a, b, ANCHOR, 0)
        tickets += mined.tickets
        assert mined.product is not None
        return mined.product

    assert np.array_equal(work.multiply_limbs(x, w, multiply), x.astype(np.int64) @ w.astype(np.int64).T)
    assert tickets == 9 * 2 * 2
    with pytest.raises(InvalidMatrix):
        work.multiply_limbs(x, w[:, 1:])
