"""A state being drafted, with the few movements all rules are made of. No other place moves an amount."""

import msgspec

from inos.consensus import amounts
from inos.consensus.codes import Code
from inos.consensus.jobevents import JobEvent, JobEventKind, make_job_event
from inos.consensus.params import Params
from inos.consensus.records import Job, StateReader
from inos.consensus.state import Draft
from inos.primitives.errors import RuleViolation
from inos.primitives.matrices import Product
from inos.primitives.units import Address, Height, JobId, Nano, Tickets


class Effects:
    """What one transaction, or the start or end of a block, does to the state and adds to the block's figures.

    Made on top of the block's draft; dropped whole when a rule is broken.

    Args:
        height: of the block. difficulty: its D, which prices depend on.
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
        """Delivered, and settled as if they were right: the block is valid only if they are."""
        self.touched: list[Address] = []

    def charge(self, cost_us: int) -> None:
        """Add to what the block makes a node compute, in microseconds of the reference core (see `costs`)."""
        self.cost_us += cost_us

    def touch(self, address: Address) -> None:
        """Note that the transaction belongs into this account's history."""
        if address not in self.touched:
            self.touched.append(address)

    def note_job(self, kind: JobEventKind, job_id: JobId, job: Job, worker: Address | None, amount: int) -> None:
        """Note what happened to a job."""
        self.job_events.append(make_job_event(kind, job_id, job, worker, amount))

    def debit(self, address: Address, amount: int, what: str) -> None:
        """Take nano from a balance.

        Raises:
            RuleViolation: "insufficient-balance".
        """
        account = self.state.get_account(address)
        if amount > account.balance:
            raise RuleViolation(
                Code.INSUFFICIENT_BALANCE,
                f"{what} is more than {address.hex()} has",
                expected=f"at most {account.balance} nano",
                got=amount,
            )
        self.state.set_account(address, msgspec.structs.replace(account, balance=account.balance - amount))

    def credit(self, address: Address, amount: int) -> None:
        """Add nano to a balance."""
        account = self.state.get_account(address)
        balance = amounts.add(account.balance, amount, f"the balance of {address.hex()}")
        self.state.set_account(address, msgspec.structs.replace(account, balance=balance))

    def lock_bond(self, address: Address, amount: Nano) -> None:
        """Move nano from a balance under bond, for one more open claim.

        Raises:
            RuleViolation: "insufficient-balance".
        """
        self.debit(address, amount, "the job's bond")
        account = self.state.get_account(address)
        changed = msgspec.structs.replace(
            account,
            bonded=amounts.add(account.bonded, amount, "bonds"),
            open_claims=account.open_claims + 1,
        )
        self.state.set_account(address, changed)

    def release_bond(self, address: Address, amount: Nano) -> None:
        """Take a closed claim's bond out of an account; the caller says where it goes."""
        account = self.state.get_account(address)
        changed = msgspec.structs.replace(
            account,
            bonded=amounts.subtract(account.bonded, amount, "bonds"),
            open_claims=amounts.subtract(account.open_claims, 1, "open claims"),
        )
        self.state.set_account(address, changed)

    def take_bond(self, address: Address, amount: Nano) -> None:
        """Take a part of an open claim's bond out of an account; the caller says where it goes."""
        account = self.state.get_account(address)
        bonded = amounts.subtract(account.bonded, amount, "bonds")
        self.state.set_account(address, msgspec.structs.replace(account, bonded=bonded))

    def lock_stake(self, address: Address, amount: Nano) -> None:
        """Move nano from a balance under the stake of a dispute.

        Raises:
            RuleViolation: "insufficient-balance".
        """
        self.debit(address, amount, "the dispute's stake")
        account = self.state.get_account(address)
        bonded = amounts.add(account.bonded, amount, "bonds")
        self.state.set_account(address, msgspec.structs.replace(account, bonded=bonded))

    def release_stake(self, address: Address, amount: Nano) -> None:
        """Take a dispute's stake out of an account; the caller says where it goes."""
        self.take_bond(address, amount)

    def lock_voter_bond(self, address: Address, amount: Nano) -> None:
        """Move nano from a balance under a voter's bond.

        Raises:
            RuleViolation: "insufficient-balance".
        """
        self.debit(address, amount, "the voter's bond")
        account = self.state.get_account(address)
        bonded = amounts.add(account.bonded, amount, "bonds")
        self.state.set_account(address, msgspec.structs.replace(account, bonded=bonded))

    def release_voter_bond(self, address: Address, amount: Nano) -> None:
        """Take a voter's bond out of an account; the caller says where it goes."""
        account = self.state.get_account(address)
        bonded = amounts.subtract(account.bonded, amount, "bonds")
        self.state.set_account(address, msgspec.structs.replace(account, bonded=bonded))

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
