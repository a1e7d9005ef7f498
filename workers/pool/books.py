"""The pool's books: shares, incomes, payouts, and what each address earned, is owed and was paid.

States. An income is YOUNG until its block can hardly be undone, then EARNED by its members; UNDONE while its block is
not on the best chain, which takes back what was earned. A payout is SENT, then SETTLED, or VOID if its nonce went
elsewhere.
Each method writes one batch and changes memory after it, so both always agree. `check_invariants` says what holds.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from inos.primitives.units import Address, BlockId, JobId, TimeMs
from inos.workers.pool import records
from inos.workers.pool.fairness import PieceRecord, add_piece, add_share
from inos.workers.pool.incomes import divide_income
from inos.workers.pool.luck import BlockLuck, get_luck
from inos.workers.pool.records import (
    BucketRecord,
    Head,
    Income,
    IncomeState,
    Member,
    Payout,
    PayoutState,
    Pieces,
    Record,
    bucket_key,
    income_key,
    member_key,
    noise_key,
    payout_key,
    pieces_key,
)
from inos.workers.pool.split import Part, iterate_parts
from inos.workers.pool.store import PoolStore
from inos.workers.pool.window import MAX_ADDRESSES, Window

Changes = dict[bytes, Record | PieceRecord | None]
OPEN_BLOCKS: Final = 1000
"""No reorganisation is expected to reach deeper where nothing becomes final."""
KEPT_RECORDS: Final = 10_000
"""So many incomes and payouts are kept at least; older ones that are done with are dropped."""
NO_MEMBER: Final = Member()


class Books:
    """Opens the books in a folder, or begins them.

    Args:
        address: the account that pays and whose blocks are divided.

    Raises:
        ChainError: "database-in-use", "database-damaged", "database-io".
        PoolError: for the same reasons as `PoolStore.read_head` and `check_sums`.
    """

    def __init__(self, path: Path, genesis: BlockId, address: Address) -> None:
        self._store = PoolStore(path)
        self.close: Final = self._store.close
        try:
            self._head = self._store.read_head(genesis, address)
            self._members = dict(self._store.iterate_members())
            self._store.check_sums(self._head, self._members)
            self._oldest_income = self._head.incomes - self._store.count(records.INCOME)
            self._oldest_payout = self._head.payouts - self._store.count(records.PAYOUT)
            self.window = Window(self._store.read_buckets())
            self._open_incomes = dict(
                takewhile(
                    lambda each: each[1].height + OPEN_BLOCKS > self._head.scanned_height,
                    self.iterate_incomes(self._head.incomes),
                )
            )
            self._sent = {
                number: payout
                for number, payout in self.iterate_payouts(self._head.payouts)
                if payout.state is PayoutState.SENT
            }
        except BaseException:
            self._store.close()
            raise
        self._noise: dict[tuple[Address, bytes], PieceRecord] = {}
        self._done_blocks: dict[int, BlockLuck | None] = {}
        self._deliverers: dict[JobId, int] = {}
        """How many addresses delivered pieces of a job."""

    @property
    def head(self) -> Head:
        return self._head

    @property
    def members(self) -> Mapping[Address, Member]:
        return self._members

    def get_member(self, address: Address) -> Member:
        """Return an address's account, an empty one if it has none."""
        return self._members.get(address, NO_MEMBER)

    # Shares and pieces

    def add_shares(
        self,
        address: Address,
        weight: int,
        at_ms: TimeMs,
        span: int,
        *,
        count: int = 1,
        are_shares: bool = True,
        piece_of: bytes | None = None,
    ) -> bool:
        """Count the tickets of shares; return False for a new address that the window has no room for.

        Args:
            weight: the tickets of each.
            span: the tickets of the window now.
            are_shares: False for tickets of the node's own engine, which needs no shares.
            piece_of: the worker's identity if they came with a piece, for the check of its noise.
        """
        if not self.window.has_room(address) and address != self._head.address:
            return False
        buckets = {self.window.add(address, weight, at_ms, span) for _ in range(count)}
        tickets, shares = weight * count, count if are_shares else 0
        member = self.get_member(address)
        changed = Member(
            member.shares + shares,
            member.tickets + tickets,
            member.earned,
            member.pending,
            member.paid,
            member.first_ms or at_ms,
            at_ms,
        )
        dropped = self.window.drop_old(span)
        left = self._find_empty_members(each for old in dropped for each in old.tickets)
        head = replace(
            self._head,
            shares=self._head.shares + shares - sum(self._members[each].shares for each in left),
            tickets=self._head.tickets + tickets - sum(self._members[each].tickets for each in left),
            round_tickets=self._head.round_tickets + tickets,
        )
        changes: Changes = {
            records.HEAD: head,
            member_key(address): changed,
        }
        for each in buckets:
            changes[bucket_key(each.number, address)] = BucketRecord(each.began_ms, each.tickets[address])
        noise = None if piece_of is None else add_share(self.get_noise(address, piece_of), tickets)
        if piece_of is not None and noise is not None:
            changes[noise_key(address, piece_of)] = noise
        for old in dropped:
            changes |= {bucket_key(old.number, gone): None for gone in old.tickets}
        changes |= {member_key(empty): None for empty in left}
        self._store.write(changes)
        self._head = head
        self._members[address] = changed
        for empty in left:
            del self._members[empty]
        if piece_of is not None and noise is not None:
            self._noise[address, piece_of] = noise
        return True

    def _find_empty_members(self, addresses: Iterable[Address]) -> set[Address]:
        """Return those that have left the window and never earned anything; none while there are few members."""
        if len(self._members) <= MAX_ADDRESSES:
            return set()
        return {
            address
            for address in addresses
            if not self.window.has(address)
            and (member := self._members.get(address)) is not None
            and not (member.earned or member.pending or member.paid)
        }

    def add_piece(
        self, address: Address, identity: bytes, job: JobId | None, tickets: int, share_weight: int, at_ms: TimeMs
    ) -> None:
        """Count a piece whose rows are used; it is paid from the job's reward if the worker's pieces have noise."""
        record = add_piece(self.get_noise(address, identity), tickets, share_weight)
        changes: Changes = {}
        if job is not None and not record.is_refused:
            before = self._store.read_pieces(job, address)
            if before is not None or self._count_deliverer(job):
                changes[pieces_key(job, address)] = Pieces(tickets + (before.tickets if before else 0), at_ms)
        self._set_noise(address, identity, record, changes)

    def _count_deliverer(self, job: JobId) -> bool:
        """Count another address that delivers a job; return False if there are `MAX_ADDRESSES` already."""
        if job not in self._deliverers:
            self._deliverers[job] = len(self.list_pieces(job))
        if self._deliverers[job] >= MAX_ADDRESSES:
            return False
        self._deliverers[job] += 1
        return True

    def get_noise(self, address: Address, identity: bytes) -> PieceRecord:
        """Return what is known of the noise in a worker's pieces."""
        key = address, identity
        if key not in self._noise:
            self._noise[key] = self._store.read_noise(address, identity)
        return self._noise[key]

    def forget_noise(self, address: Address, identity: bytes) -> None:
        """Keep the record of a worker that left on disk alone."""
        self._noise.pop((address, identity), None)

    def _set_noise(self, address: Address, identity: bytes, record: PieceRecord, changes: Changes) -> None:
        self._store.write(changes | {noise_key(address, identity): record})
        self._noise[address, identity] = record

    def list_pieces(self, job: JobId) -> list[Part]:
        """Return the tickets of a job that each address delivered."""
        return [Part(address, pieces.tickets) for _, address, pieces in self._store.iterate_pieces(job)]

    def drop_pieces(self, before_ms: int) -> None:
        """Forget pieces that are older; their jobs were paid long ago, or never will be."""
        old = [(job, address) for job, address, pieces in self._store.iterate_pieces() if pieces.at_ms < before_ms]
        self._deliverers.clear()
        if old:
            self._store.write({pieces_key(job, address): None for job, address in old})

    # Incomes

    def add_income(self, income: Income) -> int:
        """Record a new income, which is YOUNG; return its number. A block begins another round."""
        number, head = self._head.incomes, replace(self._head, incomes=self._head.incomes + 1)
        if income.job is None:
            head = replace(head, round_tickets=0)
        old = _list_old(self._oldest_income, number, self._open_incomes)
        self._store.write({records.HEAD: head, income_key(number): income} | {income_key(each): None for each in old})
        self._head = head
        self._oldest_income += len(old)
        self._open_incomes[number] = income
        return number

    def set_income_state(self, number: int, state: IncomeState) -> None:
        """Move an income on; the members' earnings follow."""
        income = self._open_incomes[number]
        sign = (state is IncomeState.EARNED) - (income.state is IncomeState.EARNED)
        changed = replace(income, state=state)
        changes: Changes = {income_key(number): changed}
        members: dict[Address, Member] = {}
        head = self._head
        if sign:
            division = divide_income(income)
            for address, credit in division.parts:
                member = self.get_member(address)
                members[address] = replace(member, earned=member.earned + sign * credit)
            head = replace(
                head,
                earned=head.earned + sign * (income.amount - division.kept),
                kept=head.kept + sign * division.kept,
            )
            changes |= {member_key(address): member for address, member in members.items()} | {records.HEAD: head}
        self._store.write(changes)
        self._open_incomes[number] = changed
        self._members |= members
        self._head = head

    def set_scanned(self, height: int, block: BlockId) -> None:
        """Note the newest block that was searched for income."""
        head = replace(self._head, scanned_height=height, scanned=block)
        self._store.write({records.HEAD: head})
        self._head = head

    def forget_done(self, final_height: int) -> None:
        """Forget incomes that lie too deep to be undone, once they are judged by the chain that has this final height.

        Args:
            final_height: what is there or below stays.
        """
        deep = max(final_height, self._head.scanned_height - OPEN_BLOCKS)
        done = [
            number
            for number, income in self._open_incomes.items()
            if income.state is not IncomeState.YOUNG and income.height <= deep
        ]
        for number in done:
            del self._open_incomes[number]

    def list_open_incomes(self) -> list[tuple[int, Income]]:
        """Return the incomes whose blocks may still be undone, or come back."""
        return list(self._open_incomes.items())

    def list_recent_blocks(self, count: int) -> list[BlockLuck]:
        """Return the luck of the blocks on the chain among the newest `count` incomes, newest first.

        Incomes that are done with are read once: they have a part for each member, and no state but their last.
        """
        first = max(self._oldest_income, self._head.incomes - count)
        self._done_blocks = {number: luck for number, luck in self._done_blocks.items() if number >= first}
        found = []
        for number in range(self._head.incomes - 1, first - 1, -1):
            income = self._open_incomes.get(number)
            if income is not None:
                found.append(get_luck(income))
                continue
            if number not in self._done_blocks:
                self._done_blocks[number] = get_luck(self._store.read_income(number))
            found.append(self._done_blocks[number])
        return [luck for luck in found if luck is not None]

    def iterate_incomes(self, before: int) -> Iterator[tuple[int, Income]]:
        """Yield incomes below a number, newest first."""
        for number in range(min(before, self._head.incomes) - 1, -1, -1):
            income = self._store.read_income(number)
            if income is None:
                return
            yield number, income

    # Payouts

    def add_payout(self, payout: Payout) -> int:
        """Record a payout before it is sent, on disk; return its number."""
        number, head = self._head.payouts, replace(self._head, payouts=self._head.payouts + 1)
        members = {
            part.address: replace(member, pending=member.pending + part.amount)
            for part in iterate_parts(payout.parts)
            for member in (self.get_member(part.address),)
        }
        changes: Changes = {records.HEAD: head, payout_key(number): payout}
        old = _list_old(self._oldest_payout, number, self._sent)
        changes |= {payout_key(each): None for each in old}
        changes |= {member_key(address): member for address, member in members.items()}
        self._store.write(changes, is_synced=True)
        self._head = head
        self._oldest_payout += len(old)
        self._members |= members
        self._sent[number] = payout
        return number

    def end_payout(self, number: int, *, is_settled: bool) -> None:
        """Move what a payout had pending to what was paid, or back to what is owed."""
        payout = self._sent[number]
        changed = replace(payout, state=PayoutState.SETTLED if is_settled else PayoutState.VOID)
        members = {
            part.address: replace(
                member,
                pending=member.pending - part.amount,
                paid=member.paid + (part.amount if is_settled else 0),
            )
            for part in iterate_parts(payout.parts)
            for member in (self.get_member(part.address),)
        }
        changes: Changes = {payout_key(number): changed}
        changes |= {member_key(address): member for address, member in members.items()}
        self._store.write(changes, is_synced=True)
        self._members |= members
        del self._sent[number]

    def list_sent(self) -> list[tuple[int, Payout]]:
        """Return the payouts that are not settled, oldest first."""
        return sorted(self._sent.items())

    def iterate_payouts(self, before: int) -> Iterator[tuple[int, Payout]]:
        """Yield payouts below a number, newest first."""
        for number in range(min(before, self._head.payouts) - 1, -1, -1):
            payout = self._store.read_payout(number)
            if payout is None:
                return
            yield number, payout

    def list_owed(self, least: int, but: Iterable[Address] = ()) -> list[Part]:
        """Return the addresses that are owed `least` nano or more, those that are owed most first."""
        left_out = set(but)
        owed = [
            Part(address, member.owed)
            for address, member in self._members.items()
            if member.owed >= least and address not in left_out
        ]
        return sorted(owed, key=lambda part: (-part.amount, part.address))

    def check_invariants(self) -> None:
        """Check what holds at any time, for tests: the books balance to the nano.

        Raises:
            AssertionError: they do not.
        """
        head, incomes = self._head, [income for _, income in self.iterate_incomes(self._head.incomes)]
        earned = [income for income in incomes if income.state is IncomeState.EARNED]
        assert head.earned + head.kept == sum(income.amount for income in earned)
        assert head.earned == sum(member.earned for member in self._members.values())
        assert head.tickets == sum(member.tickets for member in self._members.values())
        for member in self._members.values():
            assert member.earned == member.paid + member.pending + member.owed
        paid = {state: 0 for state in PayoutState}
        for _, payout in self.iterate_payouts(head.payouts):
            paid[payout.state] += sum(part.amount for part in iterate_parts(payout.parts))
        assert paid[PayoutState.SETTLED] == sum(member.paid for member in self._members.values())
        assert paid[PayoutState.SENT] == sum(member.pending for member in self._members.values())


def _list_old(oldest: int, following: int, open_: Container[int]) -> list[int]:
    """Return the numbers of the records to drop before the `following` one. What is kept has no holes, as `check_sums`
    requires: a record that is still open keeps itself and those above it.
    """
    return list(takewhile(lambda number: number not in open_, range(oldest, following - KEPT_RECORDS + 1)))
