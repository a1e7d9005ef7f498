"""`inos bench challenge`: the cost of checking a challenge on chain: one 16 x 16 tile of a product, with its paths."""

from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos import work
from inos.bench.timing import time_median
from inos.primitives.codec import decode, encode
from inos.primitives.matrices import MatrixRef, StripRow
from inos.primitives.transactions import Challenge, Transaction, get_max_bytes, is_transaction_signed, sign_transaction
from inos.work.fraud import Tile, is_tile_wrong, open_tile
from inos.work.strips import StripTree, compute_leaf_row, compute_strip

DEPTHS: Final = (1024, 8192, 65_536)
ROWS: Final = 256
"""Rows of both operands, 16 strips each; paths in a matrix of 2^20 rows have 12 hashes more."""


class ChallengeRow(Struct, frozen=True):
    """One depth; times are medians in milliseconds."""

    depth: int
    bytes: int
    """Size of the whole transaction."""
    check_ms: float
    """Decoding, checking the signature, hashing into the three trees, multiplying, comparing."""
    numpy_ms: float
    """The tile's product alone in numpy int32, for comparison."""


def measure_challenges(rounds: int) -> list[ChallengeRow]:
    """Time the check of a wrong tile at each depth."""
    return [_measure(depth, rounds) for depth in DEPTHS]


def _measure(depth: int, rounds: int) -> ChallengeRow:
    rng = np.random.default_rng(depth)
    x, w = (rng.integers(-64, 64, (ROWS, depth), np.int8) for _ in range(2))
    y = (x.astype(np.float64) @ w.astype(np.float64).T).astype(np.int32)
    y[17, 33] += 1
    refs = work.matrix_ref(x), work.matrix_ref(w), work.matrix_ref(y)
    arrays = {ref.id: array for ref, array in zip(refs, (x, w, y), strict=True)}
    tile = open_tile(*refs, 1, 2, lambda ref, first, count: _open(arrays[ref.id], first, count))
    payload = Challenge(bytes(32), tile.i, tile.j, tile.x, tile.w, tile.y)
    data, limit = encode(sign_transaction(bytes(31) + b"\1", 1, 0, 1, payload)), get_max_bytes(payload)
    if not _check(data, limit, refs):
        raise RuntimeError("the check accepted a wrong tile")
    left, right = x[16:32].astype(np.int32), w[32:48].astype(np.int32)
    check_s, numpy_s = (
        time_median(lambda: _check(data, limit, refs), rounds),
        time_median(lambda: left @ right.T, rounds),
    )
    return ChallengeRow(depth, len(data), 1000 * check_s, 1000 * numpy_s)


def describe_challenges(rows: list[ChallengeRow]) -> list[str]:
    """Return the figures as lines of text."""
    return [
        f"k = {row.depth:>6}  {row.bytes:>9,} bytes  checked in {row.check_ms:6.2f} ms"
        f"  (numpy's product of the tile alone: {row.numpy_ms:.2f} ms)"
        for row in rows
    ]


def _check(data: bytes, limit: int, refs: tuple[MatrixRef, MatrixRef, MatrixRef]) -> bool:
    """Check a challenge as a node does when it executes a block, as far as the cost depends on the depth."""
    tx = decode(Transaction, data, limit=limit)
    if not isinstance(tx.payload, Challenge) or not is_transaction_signed(tx):
        return False
    challenge = tx.payload
    tile = Tile(challenge.i, challenge.j, challenge.x, challenge.w, challenge.y)
    return is_tile_wrong(*refs, tile)


def _open(array: NDArray[np.generic], first: int, count: int) -> StripRow:
    strips = b"".join(compute_strip(array, index) for index in range(first, first + count))
    return StripRow(strips, StripTree(compute_leaf_row(array)).compute_range_path(first, count))
