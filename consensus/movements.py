"""Movements on accounts and their reasons. They are no part of the state: histories, receipts and explorers use them.

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
"""Place in a block of what the beneficiary gets after the transactions."""


class Reason(IntEnum):
    """The reason why nano moved, which implies the direction: see SIGNS. It is stored, so a number is never
    used again.
    """

    ALLOCATED = 0
    """The genesis file allocates it."""
    FEE = 1
    SENT = 2
    RECEIVED = 3
    JOB_REWARD_ESCROWED = 4
    JOB_BURN = 5
    JOB_REWARD_RETURNED = 6
    """The poster cancelled the job, or its deadline passed."""
    JOB_PAID = 7
    """The worker's result is right, or was not challenged in time."""
    CLAIM_BOND_LOCKED = 8
    CLAIM_BOND_RETURNED = 9
    CLAIM_LAPSED = 10
    """The worker's bond is lost."""
    LAPSE_COMPENSATION = 11
    """The poster gets half of the lost bond."""
    RESULT_CHALLENGED = 12
    """The worker's bond is lost."""
    CHALLENGE_PAID = 13
    """The challenger gets half of the lost bond."""
    VOTER_BOND_LOCKED = 14
    VOTER_BOND_WITHDRAWN = 15
    VOTER_SLASHED = 16
    """The voter's bond is lost."""
    REPORT_PAID = 17
    """The reporter gets a tenth of the lost bond."""
    SUBSIDY = 18
    """The subsidy without the part that goes into the epoch's pot."""
    FEES_COLLECTED = 19
    DISPUTE_STAKED = 20
    STAKE_RETURNED = 21
    STAKE_LOST = 22
    """The disputer pays its part of the jury's fee."""
    BOND_TO_JURY = 23
    """The worker pays its part of the jury's fee."""
    RESULT_REJECTED = 24
    """A jury did not find the result right: the worker's bond is lost."""
    DISPUTE_PAID = 25
    """The disputer gets half of the lost bond, less the jury's fee."""
    JURY_PAID = 26
    JUROR_SILENT = 27
    """A committed verdict was not opened: a part of the voter's bond is lost."""
    VOTES_PAID = 28
    """A committee member gets its part of the pot."""
    VOTES_INCLUDED = 29
    """The beneficiary of the block that carries the votes gets its part of the pot."""


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
"""The effect of a movement of 1 nano on the balance and on the bonded nano."""


class Movement(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """One change of one account."""

    reason: Reason
    amount: U64
    counterparty: AddressBytes | None = None
    """The account at the other end, if there is one."""
    job: Hash32 | None = None

    @property
    def balance(self) -> int:
        """The change of the account's balance, in nano."""
        return SIGNS[self.reason][0] * self.amount

    @property
    def bonded(self) -> int:
        """The change of the account's bonded nano."""
        return SIGNS[self.reason][1] * self.amount


class AccountEntry(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """What happened to one account at one place of a block: its movements, empty if it is only concerned."""

    place: U32
    address: AddressBytes
    movements: tuple[Movement, ...]
