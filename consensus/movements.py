"""What moved on an account and why: no state, but what account histories, receipts and explorers are made from.

`Effects.move` makes every one of them, and nothing else changes an account's balance or bonded nano. So the sum of an
account's movements since genesis is what it has.
"""

from enum import IntEnum
from typing import Final

from msgspec import Struct

from inos.primitives.matrices import U32, Hash32
from inos.primitives.transactions import U64, AddressBytes
from inos.primitives.units import U32_MAX

PLACE_START: Final = 0
"""Place in a block of what happens before its transactions; transaction i is at place i + 1."""
PLACE_END: Final = U32_MAX
"""Place of what the beneficiary gets after them."""


class Reason(IntEnum):
    """Why nano moved. A reason says which way: see SIGNS. Stored; a number is never used again."""

    ALLOCATED = 0
    """By the genesis file."""
    FEE = 1
    SENT = 2
    RECEIVED = 3
    JOB_REWARD_ESCROWED = 4
    JOB_BURN = 5
    JOB_REWARD_RETURNED = 6
    """To the poster, who cancelled or whose deadline passed."""
    JOB_PAID = 7
    """To the worker whose result is right, or was not challenged in time."""
    CLAIM_BOND_LOCKED = 8
    CLAIM_BOND_RETURNED = 9
    CLAIM_LAPSED = 10
    """The worker's bond is lost."""
    LAPSE_COMPENSATION = 11
    """The poster's half of it."""
    RESULT_CHALLENGED = 12
    """The worker's bond is lost."""
    CHALLENGE_PAID = 13
    """The challenger's half of it."""
    VOTER_BOND_LOCKED = 14
    VOTER_BOND_WITHDRAWN = 15
    VOTER_SLASHED = 16
    """The voter's bond is lost."""
    REPORT_PAID = 17
    """The reporter's tenth of it."""
    SUBSIDY = 18
    """Without the part that goes into the epoch's pot."""
    FEES_COLLECTED = 19
    DISPUTE_STAKED = 20
    STAKE_RETURNED = 21
    STAKE_LOST = 22
    """The disputer's part of the jury's fee."""
    BOND_TO_JURY = 23
    """The worker's part of the jury's fee."""
    RESULT_REJECTED = 24
    """A jury did not find the result right: the worker's bond is lost."""
    DISPUTE_PAID = 25
    """The disputer's half of it, less the jury's fee."""
    JURY_PAID = 26
    JUROR_SILENT = 27
    """A committed verdict was not opened: a part of the voter's bond is lost."""
    VOTES_PAID = 28
    """A committee member's part of the pot."""
    VOTES_INCLUDED = 29
    """To the beneficiary of the block that carries the votes."""


SIGNS: Final[dict[Reason, tuple[int, int]]] = {
    Reason.ALLOCATED: (1, 0),
    Reason.FEE: (-1, 0),
    Reason.SENT: (-1, 0),
    Reason.RECEIVED: (1, 0),
    Reason.JOB_REWARD_ESCROWED: (-1, 0),
    Reason.JOB_BURN: (-1, 0),
    Reason.JOB_REWARD_RETURNED: (1, 0),
    Reason.JOB_PAID: (1, 0),
    Reason.CLAIM_BOND_LOCKED: (-1, 1),
    Reason.CLAIM_BOND_RETURNED: (1, -1),
    Reason.CLAIM_LAPSED: (0, -1),
    Reason.LAPSE_COMPENSATION: (1, 0),
    Reason.RESULT_CHALLENGED: (0, -1),
    Reason.CHALLENGE_PAID: (1, 0),
    Reason.VOTER_BOND_LOCKED: (-1, 1),
    Reason.VOTER_BOND_WITHDRAWN: (1, -1),
    Reason.VOTER_SLASHED: (0, -1),
    Reason.REPORT_PAID: (1, 0),
    Reason.SUBSIDY: (1, 0),
    Reason.FEES_COLLECTED: (1, 0),
    Reason.DISPUTE_STAKED: (-1, 1),
    Reason.STAKE_RETURNED: (1, -1),
    Reason.STAKE_LOST: (0, -1),
    Reason.BOND_TO_JURY: (0, -1),
    Reason.RESULT_REJECTED: (0, -1),
    Reason.DISPUTE_PAID: (1, 0),
    Reason.JURY_PAID: (1, 0),
    Reason.JUROR_SILENT: (0, -1),
    Reason.VOTES_PAID: (1, 0),
    Reason.VOTES_INCLUDED: (1, 0),
}
"""What a movement of 1 nano does to the balance, and to what is bonded."""


class Movement(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One change of one account."""

    reason: Reason
    amount: U64
    counterparty: AddressBytes | None = None
    """The account at the other end, where there is one."""
    job: Hash32 | None = None

    @property
    def balance(self) -> int:
        """What the account's balance grew by, in nano; negative where it fell."""
        return SIGNS[self.reason][0] * self.amount

    @property
    def bonded(self) -> int:
        """What the account's bonded nano grew by; negative where they fell."""
        return SIGNS[self.reason][1] * self.amount


class AccountEntry(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What one place of a block was for one account: its movements, none where it is only concerned."""

    place: U32
    address: AddressBytes
    movements: tuple[Movement, ...]
