"""The bond of a voting node: what its account's mined figure needs, within its owner's limits."""

from typing import Final

from msgspec import Struct

from inos.consensus.params import Params
from inos.consensus.records import Voter
from inos.primitives.units import Nano

SLACK_PART: Final = 4
"""A bond is raised to a quarter more than is needed, so that it is raised seldom: each raise moves the voter to the end
of the queue of changes.
"""


class BondLimits(Struct, frozen=True):
    """The owner's limits, in nano."""

    first: Nano
    """The bond with which the node registers; 0 means that it registers nothing by itself."""
    most: Nano
    """The bond is raised up to this as the mined figure grows."""


NO_BONDS: Final = BondLimits(Nano(0), Nano(0))


def compute_needed_bond(params: Params, mined: Nano) -> Nano:
    """Return the least bond under which everything that was mined counts."""
    return Nano(-(-mined // params.bond_leverage))


def compute_next_lock(params: Params, limits: BondLimits, mined: Nano, voter: Voter | None, spendable: int) -> Nano:
    """Return what the account should lock with its next RegisterVoter transaction; 0 for nothing.

    Args:
        mined: the account's mined figure; without one it cannot register.
        voter: the account's record under this node's key, or None before it is registered.
        spendable: the nano that the account can lock besides the fee.
    """
    if not limits.first or not mined:
        return Nano(0)
    if voter is None:
        return limits.first if limits.first <= spendable else Nano(0)
    needed = compute_needed_bond(params, mined)
    if voter.is_leaving or needed <= voter.bond:
        return Nano(0)
    wanted = max(needed + needed // SLACK_PART - voter.bond, params.min_voter_bond)
    lock = min(wanted, limits.most - voter.bond, spendable)
    return Nano(lock if lock >= params.min_voter_bond else 0)
