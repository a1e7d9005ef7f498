"""A draft of a state, with the few operations that all rules consist of. Amounts move nowhere else."""

import msgspec

from inos.consensus import amounts
from inos.consensus.codes import Code
from inos.consensus.jobevents import JobEvent, JobEventKind, make_job_event
from inos.consensus.movements import SIGNS, Movement, Reason
from inos.consensus.params import Params
from inos.consensus.records import Job, StateReader
from inos.consensus.state import Draft
from inos.primitives.errors import RuleViolation
from inos.primitives.matrices import Product
from inos.primitives.units import U64_MAX, Address, Height, JobId, Nano, Tickets


class Effects:
    """The changes that one transaction, or the start or end of a block, makes to the state and to the block's stats.

    They are made on top of the block's draft and dropped as a whole if a rule is broken.

    Args:
        height: the block's height.
        difficulty: the block's D, on which prices depend.
    """

    def __init__(self, params: Params, height: Height, difficulty: Tickets, below: StateReader) -> None:
        self.params = params
        self.height = height
        self.difficulty = difficulty
        self.state = Draft(below)
        self.fees = 0
        self.cost_us = 0
        self.tickets_posted = 0
        self.posted_burn = 0
        self.tickets_settled = 0
        self.settled_burn = 0
        self.settled: list[JobId] = []
        self.job_events: list[JobEvent] = []
        self.products: list[Product] = []
        """Products that were delivered and settled as if they were right: the block is valid only if they are."""
        self.history: dict[Address, list[Movement]] = {}
        """Movements by account, in order; the sender of a transaction comes first."""

    def charge(self, cost_us: int) -> None:
        """Add to the block's cost, in microseconds of the reference core (see `costs`)."""
        self.cost_us += cost_us

    def touch(self, address: Address) -> None:
        """Note that this belongs into the account's history, even if none of its nano move."""
        self.history.setdefault(address, [])

    def note_job(self, kind: JobEventKind, job_id: JobId, job: Job, worker: Address | None, amount: int) -> None:
        """Note what happened to a job."""
        self.job_events.append(make_job_event(kind, job_id, job, worker, amount))

    def move(
        self,
        address: Address,
        reason: Reason,
        amount: int,
        *,
        counterparty: Address | None = None,
        job: JobId | None = None,
    ) -> None:
        """Change an account's balance, bonded nano, or both as `reason` says, and record it; 0 nano change nothing.

        Raises:
            RuleViolation: "insufficient-balance", "overflow".
        """
        self.touch(address)
        if amount == 0:
            return
        account = self.state.get_account(address)
        of_balance, of_bonded = SIGNS[reason]
        balance, bonded = account.balance + of_balance * amount, account.bonded + of_bonded * amount
        if balance < 0:
            raise RuleViolation(
                Code.INSUFFICIENT_BALANCE,
                f"the balance of {address.hex()} does not cover {reason.name.lower().replace('_', ' ')}",
                expected=f"at most {account.balance} nano",
                got=amount,
            )
        if balance > U64_MAX or not 0 <= bonded <= U64_MAX:
            amounts.change(account.balance, of_balance * amount, f"the balance of {address.hex()}")
            amounts.change(account.bonded, of_bonded * amount, f"the bonds of {address.hex()}")
        self.state.set_account(address, msgspec.structs.replace(account, balance=balance, bonded=bonded))
        self.history[address].append(Movement(reason, amount, counterparty, job))

    def open_claim(self, address: Address, amount: Nano, job: JobId, poster: Address) -> None:
        """Lock the bond of one more open claim.

        Raises:
            RuleViolation: "insufficient-balance".
        """
        self.move(address, Reason.CLAIM_BOND_LOCKED, amount, counterparty=poster, job=job)
        account = self.state.get_account(address)
        claims = amounts.add(account.open_claims, 1, "open claims")
        self.state.set_account(address, msgspec.structs.replace(account, open_claims=claims))

    def close_claim(
        self, address: Address, reason: Reason, amount: Nano, job: JobId, counterparty: Address | None
    ) -> None:
        """Take a closed claim's bond out of the bonded nano; `reason` says whether it returns to the balance."""
        self.move(address, reason, amount, counterparty=counterparty, job=job)
        account = self.state.get_account(address)
        claims = amounts.subtract(account.open_claims, 1, "open claims")
        self.state.set_account(address, msgspec.structs.replace(account, open_claims=claims))

    def mint(self, amount: int) -> None:
        market = self.state.get_market()
        minted = amounts.add(market.minted, amount, "everything minted")
        self.state.set_market(msgspec.structs.replace(market, minted=minted))

    def burn(self, amount: int) -> None:
        market = self.state.get_market()
        burned = amounts.add(market.burned, amount, "everything burned")
        self.state.set_market(msgspec.structs.replace(market, burned=burned))

    def escrow(self, amount: int) -> None:
        """Put a job's reward, already debited, into escrow."""
        market = self.state.get_market()
        escrowed = amounts.add(market.escrowed, amount, "everything in escrow")
        self.state.set_market(msgspec.structs.replace(market, escrowed=escrowed))

    def release_escrow(self, amount: int) -> None:
        """Take a job's reward out of escrow; the caller says where it goes."""
        market = self.state.get_market()
        escrowed = amounts.subtract(market.escrowed, amount, "everything in escrow")
        self.state.set_market(msgspec.structs.replace(market, escrowed=escrowed))
