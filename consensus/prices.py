"""The price of posting a job, which is burned (protocol, section 5), and figures about prices that every interface
shows.

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
"""Multiply-accumulate operations of a ticket: 16 x 16 x 1024."""
TERA: Final = 10**12


class JobPrice(Struct, frozen=True):
    """The parts of what posting a job burns, in nano."""

    work: int
    """The price of its tickets."""
    bytes: int
    """The price of the bytes that a checked job makes every node fetch; 0 in mode optimistic."""
    place: int
    """The price of its record in the state."""

    @property
    def total(self) -> int:
        return self.work + self.bytes + self.place


class WindowShare(Struct, frozen=True):
    """The share of paid work in a window's mining, and what faking as much would have cost, in millionths."""

    paid_ppm: int
    """Tickets settled / max(weight, tickets settled), which is never above a million."""
    burned_ppm: int
    """Nano that the settled jobs had burned / subsidies."""


def compute_matrix_bytes(rows: int, width: int) -> int:
    """Return the bytes of a matrix's strips, padding included: nodes hash, send and fetch as many.

    Args:
        width: bytes of a row.
    """
    return -(-rows // STRIP_ROWS) * -(-width // PANEL_BYTES) * STRIP_BYTES


def compute_product_bytes(rows_x: int, rows_w: int, depth: int) -> int:
    """Return the bytes of the strips of both operands and the result (docs/decisions/0080)."""
    return (
        compute_matrix_bytes(rows_x, depth)
        + compute_matrix_bytes(rows_w, depth)
        + compute_matrix_bytes(rows_x, 4 * rows_w)
    )


def compute_work_price(params: Params, height: Height, difficulty: Tickets, tickets: int) -> int:
    """Return the nano that `tickets` burn in a block of difficulty D at `height`: S * burn_per_mille * tickets / (1000
    * D).
    """
    subsidy = compute_subsidy(params, height)
    return _divide_up(subsidy * params.burn_per_mille * tickets, PER_MILLE * difficulty)


def compute_job_price(
    params: Params, height: Height, difficulty: Tickets, *, rows_x: int, rows_w: int, depth: int, mode: JobMode
) -> JobPrice:
    """Return what posting a product burns in the block at `height` of difficulty D (protocol, section 5)."""
    size = compute_product_bytes(rows_x, rows_w, depth) if mode == JobMode.CHECKED else 0
    subsidy = compute_subsidy(params, height)
    return JobPrice(
        work=compute_work_price(params, height, difficulty, compute_tickets(rows_x, rows_w, depth)),
        bytes=_divide_up(subsidy * params.byte_burn_per_mille * size, PER_MILLE * params.max_checked_block_bytes),
        place=params.job_fee,
    )


def compute_task_price(params: Params, height: Height, difficulty: Tickets, units: int) -> JobPrice:
    """Return what posting a task burns in the block at `height` of difficulty D: each unit burns what a ticket does."""
    return JobPrice(work=compute_work_price(params, height, difficulty, units), bytes=0, place=params.job_fee)


def compute_price_per_tera(params: Params, height: Height, difficulty: Tickets) -> int:
    """Return the nano that the work part of a price burns per 10^12 multiply-accumulates."""
    subsidy = compute_subsidy(params, height)
    return _divide_up(subsidy * params.burn_per_mille * TERA, PER_MILLE * difficulty * TICKET_MACS)


def compute_per_tera(burn: int, rows_x: int, rows_w: int, depth: int) -> int:
    """Return the nano per 10^12 multiply-accumulates of a product that burns `burn` nano; padding does not count."""
    return _divide_up(burn * TERA, rows_x * rows_w * depth)


def compute_window_share(*, settled: int, weight: int, settled_burn: int, subsidies: int) -> WindowShare:
    """Return the paid share of a window of blocks, and the share of its subsidies that was burned.

    Args:
        settled: tickets of the jobs settled in the window.
        weight: weight of the window's blocks.
        settled_burn: nano that those jobs had burned.
        subsidies: subsidies of the window's blocks, in nano.
    """
    most = max(weight, settled)
    return WindowShare(
        paid_ppm=settled * PPM // most if most else 0,
        burned_ppm=settled_burn * PPM // subsidies if subsidies else 0,
    )


def _divide_up(a: int, b: int) -> int:
    return -(-a // b)
