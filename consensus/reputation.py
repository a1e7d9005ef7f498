"""Reputation: what the jobs burned that an account settled, in nano, halving every `reputation_half_life` blocks.

It halves for everybody at the same heights, the multiples of the half-life. An account's
record keeps the value with the height it was written at, and the halvings since are made up for
when it is read, so no block has to touch every account.
"""

import msgspec

from inos.consensus import amounts
from inos.consensus.params import Params
from inos.consensus.records import Account
from inos.primitives.units import Height, Nano


def compute_halved(params: Params, amount: int, written: Height, height: Height) -> Nano:
    """`amount`, written at height `written`, as it stands at `height` (rounded down)."""
    half_life = params.reputation_half_life
    return Nano(amount >> (height // half_life - written // half_life))


def compute_open_claim_limit(params: Params, reputation: Nano) -> int:
    """How many claims an account may hold at once."""
    return min(params.max_open_claims, params.base_open_claims + reputation // params.reputation_per_claim)


def add_reputation(params: Params, account: Account, burned: int, height: Height) -> Account:
    """The account after it settled a job whose posting burned `burned`.

    Raises:
        RuleViolation: "overflow".
    """
    present = compute_halved(params, account.reputation, Height(account.reputation_height), height)
    return _with_reputation(account, amounts.add(present, burned, "reputation"), height)


def cut_reputation(params: Params, account: Account, height: Height) -> Account:
    """The account after a claim it let lapse: three quarters of its reputation, rounded down."""
    present = compute_halved(params, account.reputation, Height(account.reputation_height), height)
    return _with_reputation(account, present * 3 // 4, height)


def clear_reputation(account: Account) -> Account:
    """The account after a result of its was shown wrong, or votes nobody may both cast: no reputation at all."""
    return _with_reputation(account, 0, Height(0))


def _with_reputation(account: Account, reputation: int, height: Height) -> Account:
    """No reputation is always written as (0, 0), so that an emptied account equals one never used."""
    return msgspec.structs.replace(account, reputation=reputation, reputation_height=height if reputation else 0)
