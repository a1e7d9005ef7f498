"""How a slice is cut, so that what is packed stays within a quarter of operands and product."""

from itertools import pairwise
from typing import Final, NamedTuple

from primitives.matrices import STRIP_BYTES
from work.backends.base import Slice

MAX_SLAB_PANELS: Final = 16
"""Sums of columns that share a noise column fit int16 for so many panels."""
PEEL_BYTES: Final = 4096
"""One side of the peeling of one strip."""
TICKET_BYTES: Final = 1024
"""Accumulators of one ticket."""
WIN_BYTES: Final = 44
TILE: Final = 16
"""Strips of the kept side in a tile: what is streamed is read once for all of them."""
TILES: Final = ((16, 0.0), (8, 0.03), (4, 0.1))
"""Strips of the streamed side in a tile, and by how much a product is slower with so many."""
PEELING: Final = 0.25
"""What peeling costs of a product of one panel."""
FLOOR_BYTES: Final = 2 << 20
"""What a product may take however small it is."""


class Plan(NamedTuple):
    """One side is packed whole, panels of a slab at a time; the other in tiles, by each thread for itself."""

    keeps_x: bool
    tile: int
    slabs: tuple[tuple[int, int], ...]


def cut_panels(panels: int, most: int = MAX_SLAB_PANELS) -> tuple[tuple[int, int], ...]:
    """[first, last) of slabs of nearly the same size, `most` panels at most."""
    count = -(-panels // most)
    edges = [panels * at // count for at in range(count + 1)]
    return tuple(pairwise(edges))


def compute_plan(piece: Slice, x_scale: int) -> Plan:
    """The fastest way that keeps within the memory allowed: deep slabs cost less peeling, large tiles less reading."""
    rows = min(16 * piece.last, piece.x.ref.rows) - 16 * piece.first
    depth = piece.x.ref.cols
    allowed = (piece.x.ref.rows * depth + piece.w.ref.rows * depth + 4 * rows * piece.w.ref.rows) // 4
    strips_x, strips_w = piece.last - piece.first, piece.w.strips
    keeps_x = strips_x * x_scale < strips_w
    strips = strips_x if keeps_x else strips_w
    scales = (x_scale, 1) if keeps_x else (1, x_scale)

    def measure(panels: int, tile: int) -> int:
        kept = strips * (panels * STRIP_BYTES * scales[0] + PEEL_BYTES)
        return kept + piece.threads * measure_room(panels, tile, scales[1])

    options = [(panels, tile) for panels in range(1, min(MAX_SLAB_PANELS, piece.x.panels) + 1) for tile, _ in TILES]
    fitting = [option for option in options if measure(*option) <= max(allowed, FLOOR_BYTES)]
    slowness = dict(TILES)
    panels, tile = min(fitting or [(1, TILES[-1][0])], key=lambda o: (PEELING / o[0] + slowness[o[1]], o))
    return Plan(keeps_x, tile, cut_panels(piece.x.panels, panels))


def measure_room(panels: int, tile: int, scale: int) -> int:
    """Bytes a thread works in."""
    return tile * (panels * STRIP_BYTES * scale + PEEL_BYTES + TILE * (TICKET_BYTES + panels * WIN_BYTES))
