"""BLAKE3 in Triton: the keyed hash of one block of 64 bytes, for many blocks at a time."""

import triton
import triton.language as tl


@triton.jit
def _mix(a, b, c, d, x, y):
    a = a + b + x
    d = d ^ a
    d = (d >> 16) | (d << 16)
    c = c + d
    b = b ^ c
    b = (b >> 12) | (b << 20)
    a = a + b + y
    d = d ^ a
    d = (d >> 8) | (d << 24)
    c = c + d
    b = b ^ c
    b = (b >> 7) | (b << 25)
    return a, b, c, d


@triton.jit
def hash_head(blocks, key, place, inside):
    """Return the first word of the digests of the blocks at `place`, each of 16 words, as they are read big-endian."""
    at = blocks + place * 16
    m0, m1 = tl.load(at, inside, 0), tl.load(at + 1, inside, 0)
    m2, m3 = tl.load(at + 2, inside, 0), tl.load(at + 3, inside, 0)
    m4, m5 = tl.load(at + 4, inside, 0), tl.load(at + 5, inside, 0)
    m6, m7 = tl.load(at + 6, inside, 0), tl.load(at + 7, inside, 0)
    m8, m9 = tl.load(at + 8, inside, 0), tl.load(at + 9, inside, 0)
    m10, m11 = tl.load(at + 10, inside, 0), tl.load(at + 11, inside, 0)
    m12, m13 = tl.load(at + 12, inside, 0), tl.load(at + 13, inside, 0)
    m14, m15 = tl.load(at + 14, inside, 0), tl.load(at + 15, inside, 0)
    zero = m0 ^ m0
    v0, v1, v2, v3 = zero + tl.load(key), zero + tl.load(key + 1), zero + tl.load(key + 2), zero + tl.load(key + 3)
    v4, v5, v6, v7 = zero + tl.load(key + 4), zero + tl.load(key + 5), zero + tl.load(key + 6), zero + tl.load(key + 7)
    v8, v9, v10, v11 = zero + 0x6A09E667, zero + 0xBB67AE85, zero + 0x3C6EF372, zero + 0xA54FF53A
    # The counter is 0, the length 64 bytes, and the flags are chunk start and end, root and keyed.
    v12, v13, v14, v15 = zero, zero, zero + 64, zero + 27
    for _ in range(7):
        v0, v4, v8, v12 = _mix(v0, v4, v8, v12, m0, m1)
        v1, v5, v9, v13 = _mix(v1, v5, v9, v13, m2, m3)
        v2, v6, v10, v14 = _mix(v2, v6, v10, v14, m4, m5)
        v3, v7, v11, v15 = _mix(v3, v7, v11, v15, m6, m7)
        v0, v5, v10, v15 = _mix(v0, v5, v10, v15, m8, m9)
        v1, v6, v11, v12 = _mix(v1, v6, v11, v12, m10, m11)
        v2, v7, v8, v13 = _mix(v2, v7, v8, v13, m12, m13)
        v3, v4, v9, v14 = _mix(v3, v4, v9, v14, m14, m15)
        n0, n1, n2, n3, n4, n5, n6, n7 = m2, m6, m3, m10, m7, m0, m4, m13
        m8, m9, m10, m11, m12, m13, m14, m15 = m1, m11, m12, m5, m9, m14, m15, m8
        m0, m1, m2, m3, m4, m5, m6, m7 = n0, n1, n2, n3, n4, n5, n6, n7
    head = v0 ^ v8
    return (head << 24) | ((head & 0xFF00) << 8) | ((head >> 8) & 0xFF00) | (head >> 24)
