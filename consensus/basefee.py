"""The base fee: what posting a job burns per ticket, moved by use as EIP-1559 moves the price of gas."""

from inos.consensus.params import Params
from inos.primitives.units import U64_MAX, Nano, Tickets


def compute_useful_tickets(params: Params, difficulty: Tickets) -> Tickets:
    """Posted tickets per block at which the base fee stays: `useful_target_percent` of D, at least 1."""
    return Tickets(max(1, difficulty * params.useful_target_percent // 100))


def compute_next_base_fee(params: Params, base_fee: Nano, posted: Tickets, difficulty: Tickets) -> Nano:
    """The base fee of the next block, in nano per ticket, from this block's fee and the tickets posted in it.

    Up by base_fee * (posted - wanted) / wanted / 8, the excess counted up to `wanted`, so at most 1/8,
    but at least 1 nano; down in the same way without the 1 nano, never under the floor. Divisions round down.
    """
    wanted = compute_useful_tickets(params, difficulty)
    distance = min(abs(posted - wanted), wanted)
    step = base_fee * distance // wanted // params.base_fee_change_denominator
    if posted > wanted:
        return Nano(min(U64_MAX, base_fee + max(step, 1)))
    return Nano(max(params.base_fee_floor, base_fee - step))
