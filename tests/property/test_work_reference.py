"""Compare the fast engine, ticket by ticket, with a slow one that follows section 3 of the protocol literally."""

from typing import Any

import numpy as np
from blake3 import blake3
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inos import work

ANY = 2**256 - 1
shapes = st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 2100))
seeds = st.integers(0, 2**32 - 1)
anchors = st.binary(min_size=32, max_size=32)


def derive(context: str, data: bytes) -> bytes:
    return blake3(data, derive_key_context="inos v1 " + context).digest()


def get_root(leaves: list[bytes]) -> bytes:
    """Compute RFC 6962's tree recursively: split at the largest power of two below the count."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return derive("matrix node", get_root(leaves[:split]) + get_root(leaves[split:]))


def get_id(array: NDArray[Any]) -> bytes:
    rows, cols = array.shape
    wide = np.ascontiguousarray(array).view(np.uint8).reshape(rows, -1)
    padded = np.pad(wide, ((0, -rows % 16), (0, -wide.shape[1] % 1024)))
    leaves = [
        derive("matrix strip", padded[i : i + 16, p : p + 1024].tobytes())
        for i in range(0, padded.shape[0], 16)
        for p in range(0, padded.shape[1], 1024)
    ]
    head = bytes([1 if array.dtype == np.int8 else 2]) + rows.to_bytes(4, "little") + cols.to_bytes(4, "little")
    return derive("matrix", head + get_root(leaves))


def stream(seed: bytes, purpose: bytes, length: int) -> bytes:
    return blake3(purpose, key=seed).digest(length=length)


def noise(seed: bytes, rows: int, cols: int, shift: int) -> NDArray[np.int64]:
    """Return all of E (shift 0) or F (shift 64), entry by entry."""
    low = [[(b & 0x7F) - shift for b in stream(seed, b"rows", 64 * rows)[64 * r : 64 * r + 64]] for r in range(rows)]
    perms = []
    for b in range(cols // 64):
        data = stream(seed, b"perm", 256 * cols // 64)[256 * b : 256 * b + 256]
        words = [int.from_bytes(data[4 * c : 4 * c + 4], "little") for c in range(64)]
        perms.append(sorted(range(64), key=words.__getitem__))
    return np.array([[low[r][perms[c // 64][c % 64]] for c in range(cols)] for r in range(rows)], dtype=np.int64)


def get_tickets(x: NDArray[np.int8], w: NDArray[np.int8], anchor: bytes) -> dict[tuple[int, int, int], bytes]:
    seed_w = derive("noise w", anchor + get_id(w))
    seed_x = derive("noise x", seed_w + get_id(x))
    padded = [np.pad(a.astype(np.int64), ((0, -a.shape[0] % 16), (0, -a.shape[1] % 1024))) for a in (x, w)]
    noisy_x = padded[0] + 64 + noise(seed_x, *padded[0].shape, 0)
    noisy_w = padded[1] + noise(seed_w, *padded[1].shape, 64)
    assert 0 <= noisy_x.min() <= noisy_x.max() <= 254
    assert -128 <= noisy_w.min() <= noisy_w.max() <= 126
    tickets = {}
    for i in range(len(noisy_x) // 16):
        for j in range(len(noisy_w) // 16):
            for p in range(noisy_x.shape[1] // 1024):
                acc, state = np.zeros((16, 16), dtype=np.int64), [0] * 16
                for left in range(p * 1024, p * 1024 + 1024, 64):
                    acc += (
                        noisy_x[16 * i : 16 * i + 16, left : left + 64]
                        @ noisy_w[16 * j : 16 * j + 16, left : left + 64].T
                    )
                    for c in range(16):
                        fold = 0
                        for r in range(16):
                            fold ^= int(acc[r, c]) & 0xFFFFFFFF
                        state[c] = ((state[c] << 13 | state[c] >> 19) & 0xFFFFFFFF) ^ fold
                data = b"".join(word.to_bytes(4, "little") for word in state)
                tickets[i, j, p] = blake3(data, key=seed_x).digest()
    return tickets


@settings(max_examples=60, deadline=None)
@given(shape=shapes, seed=seeds, anchor=anchors, threads=st.integers(1, 2))
@example((1, 1, 1), 1, bytes(32), 1)
@example((1, 33, 1023), 2, bytes(32), 1)
@example((33, 1, 1024), 3, bytes(32), 1)
@example((16, 17, 1025), 4, bytes(32), 2)
@example((15, 16, 4097), 5, b"\xff" * 32, 2)
def test_engine_agrees_with_the_protocol(shape: tuple[int, int, int], seed: int, anchor: bytes, threads: int) -> None:
    m, n, k = shape
    random = np.random.default_rng(seed)
    x, w = (random.integers(-64, 64, (rows, k), dtype=np.int8) for rows in (m, n))
    mined = work.mine(x, w, anchor, ANY, threads=threads)
    assert np.array_equal(mined.product, x.astype(np.int64) @ w.astype(np.int64).T)
    assert mined.product is not None
    assert work.matrix_id(mined.product) == get_id(mined.product)
    found = {(win.seal.i, win.seal.j, win.seal.p): win.seal.digest for win in mined.wins}
    assert found == get_tickets(x, w, anchor)
    assert all((win.seal.x.id, win.seal.w.id) == (get_id(x), get_id(w)) for win in mined.wins)
    for win in mined.wins:
        work.verify(win.seal, win.witness, anchor, int.from_bytes(win.seal.digest, "big"))


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(1, 300), cols=st.integers(1, 3000), seed=seeds, is_result=st.booleans())
def test_strips_paths_and_assembly(rows: int, cols: int, seed: int, is_result: bool) -> None:
    random = np.random.default_rng(seed)
    if is_result:
        array: NDArray[Any] = random.integers(-(2**31), 2**31, (rows, cols), dtype=np.int32)
    else:
        array = random.integers(-64, 64, (rows, cols), dtype=np.int8)
    dtype = 2 if is_result else 1
    ref, leaves = work.matrix_ref(array), work.compute_leaves(array)
    assert ref.id == get_id(array)
    strips = [work.compute_strip(array, index) for index in range(len(leaves))]
    assert {len(strip) for strip in strips} == {16384}
    assert np.array_equal(work.assemble(ref, dtype, strips), array)
    for index in {0, len(leaves) - 1, int(random.integers(len(leaves)))}:
        work.check_strip(ref, dtype, index, strips[index], work.compute_matrix_path(leaves, index))
