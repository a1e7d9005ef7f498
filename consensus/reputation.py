"""Reputation: what the jobs that an account settled had burned, in nano. It halves every `reputation_half_life` blocks.

It halves for all accounts at the same heights, the multiples of the half-life. An account's record keeps the value with
the height at which it was written. The halvings since then are applied when it is read, so no block has to touch every
account.
"""

import msgspec

from inos.consensus import amounts
from inos.consensus.params import Params
from inos.consensus.records import Account
from inos.primitives.units import Height, Nano


def compute_halved(params: Params, amount: int, written: Height, height: Height) -> Nano:
    """Return `amount`, written at height `written`, as it stands at `height` (rounded down)."""
    half_life = params.reputation_half_life
    return Nano(amount >> (height // half_life - written // half_life))


def compute_open_claim_limit(params: Params, reputation: Nano) -> int:
    """Return how many claims an account may hold at once."""
    return min(params.max_open_claims, params.base_open_claims + reputation // params.reputation_per_claim)


def add_reputation(params: Params, account: Account, burned: int, height: Height) -> Account:
    """Return the account after it settled a job whose posting burned `burned`.

    Raises:
        RuleViolation: "overflow".
    """
    present = compute_halved(params, account.reputation, Height(account.reputation_height), height)
    return _with_reputation(account, amounts.add(present, burned, "reputation"), height)


def cut_reputation(params: Params, account: Account, height: Height) -> Account:
    """Return the account after one of its claims lapsed: it keeps three quarters of its reputation, rounded down."""
    present = compute_halved(params, account.reputation, Height(account.reputation_height), height)
    return _with_reputation(account, present * 3 // 4, height)


def clear_reputation(account: Account) -> Account:
    """Return the account without reputation: it delivered a wrong result, or signed conflicting votes."""
    return _with_reputation(account, 0, Height(0))


def _with_reputation(account: Account, reputation: int, height: Height) -> Account:
    """Set the reputation, and write none as (0, 0), so that an emptied account equals one that was never used."""
    return msgspec.structs.replace(account, reputation=reputation, reputation_height=height if reputation else 0)
