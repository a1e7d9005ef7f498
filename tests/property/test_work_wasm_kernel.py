"""Test the browser's kernel in wasmtime against the reference, and its module against its source."""

import hashlib
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wasm_kernel
from inos.primitives.units import U256_MAX
from inos.work import Operand
from inos.work.backends.base import Slice
from inos.work.backends.numpy_backend import NumpyBackend
from inos.work.backends.wasm import load_module
from inos.work.noise import (
    X_SHIFT,
    compute_noise_w,
    compute_noise_x,
    compute_permutations,
    compute_seed_w,
    compute_seed_x,
)
from inos.work.tickets import compute_ticket
from inos.workers.filler import make_operands
from inos.workers.messages import Filler
from support.wasm_kernel import WasmKernel

pytest.importorskip("wasmtime", reason="wasmtime is not installed (pip install wasmtime==50.0.1)")
FOLDER = Path(wasm_kernel.FOLDER)
ROWS = st.integers(16, 150)
HASHES = st.binary(min_size=32, max_size=32)


@pytest.fixture(scope="module")
def kernel() -> WasmKernel:
    return WasmKernel(load_module())


def draw_tickets(
    x: Operand, w: Operand, anchor: bytes, target: int, strips: tuple[int, int] | None = None
) -> dict[tuple[int, int, int], bytes]:
    """Return the digests of the reference's winning tickets by (i, j, p), of all strips of X by default."""
    found: dict[tuple[int, int, int], bytes] = {}
    seed_w = compute_seed_w(anchor, w.ref.id)
    backend = NumpyBackend()
    backend.multiply(
        Slice(x, w, compute_seed_x(seed_w, x.ref.id), seed_w, target, *(strips or (0, x.strips)), 1),
        backend.prepare(w, seed_w, threads=1, stop=None),
        lambda i, j, p, digest: found.setdefault((i, j, p), digest),
        None,
    )
    return found


@settings(max_examples=25, deadline=None)
@given(ROWS, ROWS, st.integers(64, 2200), HASHES, HASHES, st.sampled_from([U256_MAX, U256_MAX >> 1, 1 << 250]))
def test_tickets_of_any_filler_are_those_of_the_reference(
    kernel: WasmKernel, rows_x: int, rows_w: int, depth: int, seed: bytes, anchor: bytes, target: int
) -> None:
    x, w = make_operands(Filler(seed, rows_x, rows_w, depth))
    assert kernel.reserve(rows_x, rows_w, depth)
    assert kernel.draw_operands(seed) == (x.ref.id, w.ref.id)
    for each in (anchor, bytes(32)):  # a second anchor leaves nothing of the first behind
        assert kernel.mine(each, target) == draw_tickets(x, w, each, target)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(16, 400), ROWS, st.sampled_from([64, 1000, 1024, 2100, 16 * 1024 + 70]), HASHES, HASHES, st.randoms()
)
def test_rows_and_tickets_of_any_piece_are_those_of_numpy_and_the_reference(
    kernel: WasmKernel, rows_x: int, rows_w: int, depth: int, seed: bytes, anchor: bytes, random: Random
) -> None:
    x, w = make_operands(Filler(seed, rows_x, rows_w, depth))
    first, j_first = random.randrange(x.strips), random.randrange(w.strips)
    last, j_last = random.randint(first + 1, min(x.strips, first + 11)), random.randint(j_first + 1, w.strips)
    rows_of_x, rows_of_w = x.array[16 * first : 16 * last], w.array[16 * j_first : 16 * j_last]
    assert kernel.reserve_piece(rows_of_w, j_first)
    exact = rows_of_x.astype(np.float64) @ rows_of_w.T.astype(np.float64)
    for each in (anchor, bytes(32)):  # W stays, and its noise is drawn again
        rows, found = kernel.multiply(rows_of_x, first, (x.ref.id, w.ref.id), each, 1 << 254)
        assert np.array_equal(rows, exact)
        tickets = draw_tickets(x, w, each, 1 << 254, (first, last))
        assert found == {place: digest for place, digest in tickets.items() if j_first <= place[1] < j_last}


@pytest.mark.parametrize(("first", "j_first"), [(65_000, 0), (4_000, 65_535)])
def test_strips_of_operands_far_beyond_the_module_s_memory_have_their_own_noise(
    kernel: WasmKernel, first: int, j_first: int
) -> None:
    """Strip 65,535 of an operand 70,000 columns wide would begin at byte 7.3 * 10^10: addresses have 32 bits."""
    random, depth = np.random.default_rng(first), 70_000
    x, w = (random.integers(-64, 64, (count, depth), np.int8) for count in (37, 30))
    ids, anchor = (bytes([1] * 32), bytes([2] * 32)), bytes([3] * 32)
    assert kernel.reserve_piece(w, j_first)
    rows, found = kernel.multiply(x, first, ids, anchor, U256_MAX)
    assert np.array_equal(rows, x.astype(np.float64) @ w.T.astype(np.float64))
    seed_w = compute_seed_w(anchor, ids[1])
    seed_x = compute_seed_x(seed_w, ids[0])
    padded = [np.pad(side, ((0, -len(side) % 16), (0, -depth % 1024))) for side in (x, w)]
    for i, j, p in ((0, 0, 0), (1, 0, 17), (2, 1, 68)):
        strips = (side[16 * at :][:16, 1024 * p :][:, :1024].tobytes() for side, at in zip(padded, (i, j), strict=True))
        place = (first + i, j_first + j, p)
        assert found[place] == compute_ticket(*strips, seed_x, seed_w, place)
    assert len(found) == 3 * 2 * 69


@settings(max_examples=15, deadline=None)
@given(st.integers(16, 1024), st.sampled_from([64, 1000, 1024, 2100]), HASHES)
def test_an_operand_in_memory_is_committed_to_as_the_reference_does(
    kernel: WasmKernel, rows: int, depth: int, seed: bytes
) -> None:
    x, _ = make_operands(Filler(seed, rows, 16, depth))
    assert kernel.commit(x.array) == (True, x.ref.id, x.ref.root)
    wrong = x.array.copy()
    wrong[rows - 1, depth - 1] = 64
    assert not kernel.commit(wrong)[0]


@settings(max_examples=10, deadline=None)
@given(ROWS, ROWS, st.integers(64, 2200), HASHES)
def test_what_graphics_cards_get_is_the_noise_of_the_protocol(
    kernel: WasmKernel, rows_x: int, rows_w: int, depth: int, seed: bytes
) -> None:
    operands = make_operands(Filler(seed, rows_x, rows_w, depth))
    assert kernel.reserve(rows_x, rows_w, depth)
    kernel.draw_operands(seed)
    kernel.mine(seed, 0)
    seeds = kernel.get_seeds()
    for which, (operand, draw, shift) in enumerate(
        zip(operands, (compute_noise_x, compute_noise_w), (X_SHIFT, 0), strict=True)
    ):
        rows = draw(seeds[which], 0, 16 * operand.strips).astype(np.int16) - shift
        assert kernel.read_view("draw_noise", which, rows.size) == rows.astype(np.int8).tobytes()
        perms = compute_permutations(seeds[which], 0, 16 * operand.panels).astype(np.uint8)
        assert kernel.read_view("get_perms", which, perms.size) == perms.tobytes()
        assert kernel.read_view("get_raw", which, operand.array.size) == operand.array.tobytes()


def test_a_filler_beyond_the_module_s_memory_is_refused(kernel: WasmKernel) -> None:
    assert not kernel.reserve(1 << 16, 1 << 16, 1 << 16)
    assert kernel.reserve(16, 16, 64)


def test_the_committed_hash_is_that_of_the_module() -> None:
    assert (FOLDER / "kernel.sha256").read_text() == f"{hashlib.sha256(load_module()).hexdigest()}  kernel.wasm\n"


@pytest.mark.skipif(bool(wasm_kernel.find_obstacle()), reason=wasm_kernel.find_obstacle() or "it can be compiled")
def test_the_committed_module_is_compiled_from_the_committed_source() -> None:
    assert wasm_kernel.compile_kernel() == load_module(), "run make wasm and commit what it writes"
