"""The plan of a slice: packed data stays in the caches, and within a quarter of operands and product."""

from functools import lru_cache
from itertools import pairwise, product
from typing import Final, NamedTuple

from inos.primitives.matrices import STRIP_BYTES
from inos.work.backends.base import Slice

MAX_SLAB_PANELS: Final = 16
"""For this many panels, sums of columns that share a noise column fit int16."""
MAX_BLOCK_BYTES: Final = 17 << 20
"""A larger block does not stay in the third cache, and new memory takes time to clear."""
PEEL_BYTES: Final = 4096
"""The removal of noise takes this much memory for one side of one strip."""
TICKET_BYTES: Final = 1024
"""The accumulators of one ticket take this much memory."""
WIN_BYTES: Final = 44
TILE: Final = 16
"""A tile has this many strips of the kept side: the streamed side is read once for all of them."""
TILES: Final = {16: 0.0, 8: 0.03, 4: 0.1}
"""These numbers of strips of the streamed side may be in a tile; the value is by how much a product is slower."""
PEELING: Final = 0.25
"""The removal of noise costs this part of a product of one panel."""
PACKING: Final = 3.0
"""Packing a strip costs this many times its product with one other strip."""
FLOOR_BYTES: Final = 2 << 20
"""Every product may take this much memory, however small it is."""


class Plan(NamedTuple):
    """For each slab of panels, blocks of one side are packed one after the other, and the other side is streamed past
    each in tiles, by each thread for itself."""

    keeps_x: bool
    block: int
    tile: int
    slabs: tuple[tuple[int, int], ...]


def cut(count: int, most: int) -> tuple[tuple[int, int], ...]:
    """Return [first, last) of parts of nearly the same size, each at most `most`."""
    parts = -(-count // most)
    return tuple(pairwise(count * at // parts for at in range(parts + 1)))


def compute_allowed(piece: Slice) -> int:
    """Return the bytes that may be used besides operands and product: a quarter of theirs."""
    rows = min(16 * piece.last, piece.x.ref.rows) - 16 * piece.first
    m, n, k = piece.x.ref.rows, piece.w.ref.rows, piece.x.ref.cols
    return max(FLOOR_BYTES, (m * k + n * k + 4 * rows * n) // 4)


def compute_plan(piece: Slice, x_scale: int) -> Plan:
    """Return the fastest plan that keeps within the memory allowed."""
    strips = piece.last - piece.first
    return _plan(strips, piece.w.strips, piece.x.panels, x_scale, piece.threads, compute_allowed(piece))


def plan_small(
    strips_x: int, strips_w: int, panels: int, x_scale: int, allowed: int = FLOOR_BYTES
) -> tuple[bool, int] | None:
    """Return (keeps_x, strips in a tile) for a product whose kept side is packed as a whole, within `allowed` bytes, or
    None if it does not fit."""
    plan = _plan(strips_x, strips_w, panels, x_scale, 1, allowed)
    kept, streamed = (strips_x, strips_w) if plan.keeps_x else (strips_w, strips_x)
    return (plan.keeps_x, min(plan.tile, streamed)) if plan.block >= kept and len(plan.slabs) == 1 else None


@lru_cache
def _plan(strips_x: int, strips_w: int, panels: int, x_scale: int, threads: int, allowed: int) -> Plan:
    keeps_x = strips_x * x_scale < strips_w
    strips, kept_scale, scale = (strips_x, x_scale, 1) if keeps_x else (strips_w, 1, x_scale)

    def measure(depth: int, block: int, tile: int) -> int:
        return measure_block(depth, block, kept_scale) + threads * measure_room(depth, tile, scale)

    def is_allowed(depth: int, block: int, tile: int) -> bool:
        return measure_block(depth, block, kept_scale) <= MAX_BLOCK_BYTES and measure(depth, block, tile) <= allowed

    def slow(depth: int, block: int, tile: int) -> float:
        return PEELING / depth + PACKING / block + TILES[tile]

    depths = sorted({-(-panels // parts) for parts in range(-(-panels // MAX_SLAB_PANELS), panels + 1)})
    blocks = [strips, *range(TILE, min(strips, 64 * TILE), TILE)]
    options = [option for option in product(depths, blocks, TILES) if is_allowed(*option)]
    depth, block, tile = min(options or [(1, min(strips, TILE), min(TILES))], key=lambda option: slow(*option))
    return Plan(keeps_x, block, tile, cut(panels, depth))


def measure_block(depth: int, strips: int, scale: int) -> int:
    """Return the bytes of the kept side."""
    return strips * (depth * STRIP_BYTES * scale + PEEL_BYTES)


def measure_room(depth: int, tile: int, scale: int) -> int:
    """Return the bytes of the memory that one thread works in."""
    return tile * (depth * STRIP_BYTES * scale + PEEL_BYTES + TILE * (TICKET_BYTES + WIN_BYTES))
