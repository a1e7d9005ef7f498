"""Test the browser's kernel in wasmtime against the reference, and its module against its source."""

import hashlib
from pathlib import Path

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


def draw_tickets(x: Operand, w: Operand, anchor: bytes, target: int) -> dict[tuple[int, int, int], bytes]:
    """Return the digests of the reference's winning tickets by (i, j, p)."""
    found: dict[tuple[int, int, int], bytes] = {}
    seed_w = compute_seed_w(anchor, w.ref.id)
    backend = NumpyBackend()
    backend.multiply(
        Slice(x, w, compute_seed_x(seed_w, x.ref.id), seed_w, target, 0, x.strips, 1),
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
