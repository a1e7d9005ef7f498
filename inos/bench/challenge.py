"""What checking a challenge on chain costs: one 16 x 16 tile of a product of any depth, with its paths."""

import statistics
import time
from collections.abc import Callable
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos import work
from inos.primitives.codec import decode, encode
from inos.primitives.matrices import MatrixRef, StripRow
from inos.primitives.transactions import Challenge, Transaction, get_max_bytes, is_transaction_signed, sign_transaction
from inos.work.fraud import Tile, is_tile_wrong, open_tile
from inos.work.strips import StripTree, compute_leaf_row, compute_strip

DEPTHS: Final = (1024, 8192, 65_536)
ROWS: Final = 256
"""Of both operands: paths as long as in a product of 16 strips each; a tree of 2^20 rows has 12 hashes more."""


class ChallengeRow(Struct, frozen=True):
    """Medians, milliseconds."""

    depth: int
    bytes: int
    """Of the whole transaction."""
    check_ms: float
    """Decoded, signature checked, hashed into the three trees, multiplied, compared."""
    numpy_ms: float
    """The tile's product alone in numpy int32, to compare with."""


def measure_challenges(rounds: int) -> list[ChallengeRow]:
    """A wrong tile at each depth, checked again and again."""
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
        raise RuntimeError("the wrong tile was taken for right")
    left, right = x[16:32].astype(np.int32), w[32:48].astype(np.int32)
    return ChallengeRow(
        depth, len(data), _time(lambda: _check(data, limit, refs), rounds), _time(lambda: left @ right.T, rounds)
    )


def _check(data: bytes, limit: int, refs: tuple[MatrixRef, MatrixRef, MatrixRef]) -> bool:
    """What a node does with a challenge in a block, as far as it depends on the depth."""
    tx = decode(Transaction, data, limit=limit)
    if not isinstance(tx.payload, Challenge) or not is_transaction_signed(tx):
        return False
    challenge = tx.payload
    tile = Tile(challenge.i, challenge.j, challenge.x, challenge.w, challenge.y)
    return is_tile_wrong(*refs, tile)


def _open(array: NDArray[np.generic], first: int, count: int) -> StripRow:
    strips = b"".join(compute_strip(array, index) for index in range(first, first + count))
    return StripRow(strips, StripTree(compute_leaf_row(array)).compute_range_path(first, count))


def _time(call: Callable[[], object], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)
