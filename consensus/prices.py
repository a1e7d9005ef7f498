"""What posting a job burns (protocol, section 5), and the figures about prices that every interface shows.

All prices round up and are unbounded integers; everything else rounds down.
"""

from typing import Final

from msgspec import Struct

from inos.consensus.params import Params, compute_subsidy
from inos.primitives.matrices import PANEL_BYTES, STRIP_BYTES, STRIP_ROWS, compute_tickets
from inos.primitives.transactions import JobMode
from inos.primitives.units import Height, Tickets

PER_MILLE: Final = 1000
PPM: Final = 1_000_000
TICKET_MACS: Final = 1 << 18
"""Multiply-accumulates of a ticket: 16 x 16 x 1024."""
TERA: Final = 10**12


class JobPrice(Struct, frozen=True):
    """What posting a job burns, in nano, part by part."""

    work: int
    """For its tickets."""
    bytes: int
    """For what a checked job makes every node fetch; 0 in mode optimistic."""
    place: int
    """For its record in the state."""

    @property
    def total(self) -> int:
        return self.work + self.bytes + self.place


class WindowShare(Struct, frozen=True):
    """How much of a window's mining was paid work, and what faking as much would have cost; in millionths."""

    paid_ppm: int
    """Tickets settled / max(weight, tickets settled): never above a million."""
    burned_ppm: int
    """What the settled jobs had burned / subsidies."""


def compute_matrix_bytes(rows: int, width: int) -> int:
    """Bytes of a matrix's strips, padding included: that is what nodes hash, send and fetch of it.

    Args:
        width: bytes of a row.
    """
    return -(-rows // STRIP_ROWS) * -(-width // PANEL_BYTES) * STRIP_BYTES


def compute_product_bytes(rows_x: int, rows_w: int, depth: int) -> int:
    """Bytes of the strips of both operands and the result (docs/decisions/0080)."""
    return (
        compute_matrix_bytes(rows_x, depth)
        + compute_matrix_bytes(rows_w, depth)
        + compute_matrix_bytes(rows_x, 4 * rows_w)
    )


def compute_work_price(params: Params, height: Height, difficulty: Tickets, tickets: int) -> int:
    """Nano that `tickets` burn in a block of difficulty D at `height`: S * burn_per_mille * tickets / (1000 * D)."""
    subsidy = compute_subsidy(params, height)
    return _divide_up(subsidy * params.burn_per_mille * tickets, PER_MILLE * difficulty)


def compute_job_price(
    params: Params, height: Height, difficulty: Tickets, *, rows_x: int, rows_w: int, depth: int, mode: JobMode
) -> JobPrice:
    """What posting a product burns in the block at `height` of difficulty D (protocol, section 5)."""
    size = compute_product_bytes(rows_x, rows_w, depth) if mode == JobMode.CHECKED else 0
    subsidy = compute_subsidy(params, height)
    return JobPrice(
        work=compute_work_price(params, height, difficulty, compute_tickets(rows_x, rows_w, depth)),
        bytes=_divide_up(subsidy * params.byte_burn_per_mille * size, PER_MILLE * params.max_checked_block_bytes),
        place=params.job_fee,
    )


def compute_price_per_tera(params: Params, height: Height, difficulty: Tickets) -> int:
    """Nano that the work part of a price burns per 10^12 multiply-accumulates."""
    subsidy = compute_subsidy(params, height)
    return _divide_up(subsidy * params.burn_per_mille * TERA, PER_MILLE * difficulty * TICKET_MACS)


def compute_per_tera(burn: int, rows_x: int, rows_w: int, depth: int) -> int:
    """Nano per 10^12 multiply-accumulates of a product that burns `burn` nano; padding does not count."""
    return _divide_up(burn * TERA, rows_x * rows_w * depth)


def compute_window_share(*, settled: int, weight: int, settled_burn: int, subsidies: int) -> WindowShare:
    """Paid share of a window of blocks, and what it burned.

    Args:
        settled: tickets of the jobs settled in the window. weight: of its blocks.
        settled_burn: nano that those jobs had burned. subsidies: nano.
    """
    most = max(weight, settled)
    return WindowShare(
        paid_ppm=settled * PPM // most if most else 0,
        burned_ppm=settled_burn * PPM // subsidies if subsidies else 0,
    )


def _divide_up(a: int, b: int) -> int:
    return -(-a // b)
