"""The Triton kernels. All arithmetic is exact: products of bytes summed in 32 bits, and 32-bit integers that wrap.

Operands are rows x depth bytes, and X' is kept as X' - 128 so that both sides are signed. Numbers of rows are multiples
of the blocks' sides, numbers of columns of 1024.
"""

import triton
import triton.language as tl

from inos.work.backends.gpu.blake3 import hash_head


@triton.jit
def _xor(a, b):
    return a ^ b


@triton.jit
def add_noise(plain, rows, columns, noisy, depth, SIDE: tl.constexpr):
    """Add to each entry of SIDE rows and one step of 64 columns the entry of its noise row that P_b names."""
    row, column = tl.program_id(0) * SIDE + tl.arange(0, SIDE), tl.arange(0, 64)
    step = tl.program_id(1) * 64
    place = row[:, None] * depth + (step + column)[None, :]
    chosen = tl.load(columns + step + column).to(tl.int32)
    noise = tl.load(rows + row[:, None] * 64 + chosen[None, :])
    tl.store(noisy + place, (tl.load(plain + place) + noise).to(tl.int8))


@triton.jit
def sum_columns(values, inverse, sums, depth, SIDE: tl.constexpr):
    """Add up the columns of SIDE rows that share a noise column of the other operand."""
    row, column = tl.program_id(0) * SIDE + tl.arange(0, SIDE), tl.arange(0, 64)
    total = tl.zeros((SIDE, 64), dtype=tl.int32)
    for step in range(0, depth, 64):
        chosen = step + tl.load(inverse + step + column).to(tl.int32)
        total += tl.load(values + row[:, None] * depth + chosen[None, :]).to(tl.int32)
    tl.store(sums + row[:, None] * 64 + column[None, :], total)


@triton.jit
def sum_steps(noisy, offsets, height, depth, SIDE: tl.constexpr):
    """Write 128 times the sum of each row of W' from the start of the panel to the end of each step: steps x rows."""
    row, column = tl.program_id(0) * SIDE + tl.arange(0, SIDE), tl.arange(0, 64)
    panel = tl.program_id(1) * 1024
    total = tl.zeros((SIDE,), dtype=tl.int32)
    for step in range(16):
        part = tl.load(noisy + row[:, None] * depth + (panel + 64 * step + column)[None, :])
        total += tl.sum(part.to(tl.int32), axis=1)
        tl.store(offsets + (panel // 64 + step) * height + row, 128 * total)


@triton.jit
def multiply(
    x,
    w,
    offsets,
    states,
    product,
    height,
    width,
    depth,
    SIDE_X: tl.constexpr,
    SIDE_W: tl.constexpr,
    NEEDS_ROWS: tl.constexpr,
):
    """Multiply SIDE_X rows of X' by SIDE_W rows of W': the state of each ticket after each panel, and the product."""
    row = tl.program_id(0) * SIDE_X + tl.arange(0, SIDE_X)
    column = tl.program_id(1) * SIDE_W + tl.arange(0, SIDE_W)
    strip = tl.program_id(0) * (SIDE_X // 16) + tl.arange(0, SIDE_X // 16)
    near = tl.arange(0, 64)
    place = row[:, None] * width + column[None, :]
    for panel in range(depth // 1024):
        acc = tl.zeros((SIDE_X, SIDE_W), dtype=tl.int32)
        state = tl.zeros((SIDE_X // 16, SIDE_W), dtype=tl.uint32)
        whole = acc
        for step in range(16):
            at = panel * 1024 + step * 64 + near
            left = tl.load(x + row[:, None] * depth + at[None, :])
            right = tl.load(w + column[None, :] * depth + at[:, None])
            acc = tl.dot(left, right, acc, out_dtype=tl.int32)
            # X' = (X' - 128) + 128, so that 128 times the sum of W' is missing in every entry.
            whole = acc + tl.load(offsets + (panel * 16 + step) * width + column)[None, :]
            bits = tl.reshape(whole.to(tl.uint32, bitcast=True), (SIDE_X // 16, 16, SIDE_W))
            state = ((state << 13) | (state >> 19)) ^ tl.reduce(bits, 1, _xor)
        tl.store(states + (panel * (height // 16) + strip[:, None]) * width + column[None, :], state)
        if NEEDS_ROWS:
            if panel > 0:
                whole += tl.load(product + place)
            tl.store(product + place, whole)


@triton.jit
def hash_tickets(states, key, heads, count, MANY: tl.constexpr):
    """Write the first word of each ticket's digest, read big-endian."""
    place = tl.program_id(0) * MANY + tl.arange(0, MANY)
    inside = place < count
    tl.store(heads + place, hash_head(states, key, place, inside), inside)


@triton.jit
def peel(
    sums_x,
    sums_w,
    rows_x,
    rows_w,
    product,
    width,
    SIDE_X: tl.constexpr,
    SIDE_W: tl.constexpr,
):
    """Remove the noise: Y = X'W'^T - X F^T - (64 + E) W'^T, where the rows of X have E - 64."""
    row = tl.program_id(0) * SIDE_X + tl.arange(0, SIDE_X)
    column = tl.program_id(1) * SIDE_W + tl.arange(0, SIDE_W)
    noise = tl.zeros((SIDE_X, SIDE_W), dtype=tl.int32)
    for q in range(64):
        f = tl.load(rows_w + column * 64 + q).to(tl.int32)
        e = tl.load(rows_x + row * 64 + q).to(tl.int32) + 128
        noise += tl.load(sums_x + row * 64 + q)[:, None] * f[None, :]
        noise += e[:, None] * tl.load(sums_w + column * 64 + q)[None, :]
    place = row[:, None] * width + column[None, :]
    tl.store(product + place, tl.load(product + place) - noise)
