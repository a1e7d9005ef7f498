"""A state machine over the pool: whatever happens, the books balance to the nano and nothing is paid twice."""

import asyncio
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from inos.primitives.payments import iterate_payments
from inos.primitives.transactions import TransferMany
from inos.primitives.units import JobId, Nano, TimeMs
from inos.workers.pool.records import PayoutState
from inos.workers.pool.split import iterate_parts
from support.pool_lab import CREDIT, MEMBERS, FakeBlock, PoolLab, make_worker

members = st.sampled_from(MEMBERS)
jobs = st.integers(0, 2).map(lambda n: JobId(bytes([n]) * 32))


class PoolMachine(RuleBasedStateMachine):
    """Shares, pieces, blocks, paid jobs, payouts, kills and reorganisations in any order."""

    @initialize(fee_ppm=st.integers(0, 1_000_000), difficulty=st.integers(1, 5000))
    def begin(self, fee_ppm: int, difficulty: int) -> None:
        self.top = Path(tempfile.mkdtemp())
        self.copies = 0
        self.shares = dict.fromkeys(MEMBERS, 0)
        self.undone: list[FakeBlock] = []
        self.lab = PoolLab(self.top / "0", fee_ppm, difficulty)

    def teardown(self) -> None:
        if hasattr(self, "lab"):
            self.lab.pool.books.close()
            shutil.rmtree(self.top)

    @rule(member=members, weight=st.integers(1, 3000), later=st.integers(0, 4000))
    def share(self, member: bytes, weight: int, later: int) -> None:
        self.lab.clock.seconds += later
        self.lab.share(member, weight)  # type: ignore[arg-type]
        self.shares[member] += weight  # type: ignore[index]

    @rule(member=members, job=jobs, tickets=st.integers(1, 500))
    def piece(self, member: bytes, job: JobId, tickets: int) -> None:
        self.lab.pool.add_piece(make_worker(member), job, tickets, TimeMs(5))  # type: ignore[arg-type]

    @rule(amount=st.integers(1, 60 * CREDIT))
    def find_block(self, amount: int) -> None:
        self.lab.chain.mine(amount, *self.lab.node.take())

    @rule(job=jobs, reward=st.integers(1, CREDIT), others=st.integers(0, 900))
    def be_paid_for_a_job(self, job: JobId, reward: int, others: int) -> None:
        self.lab.chain.jobs[job] = others
        self.lab.chain.mine(0, jobs={job: Nano(reward)})

    @rule(count=st.sampled_from([1, 3, 99, 100]))
    def others_find_blocks(self, count: int) -> None:
        for _ in range(count):
            self.lab.chain.mine(0, *self.lab.node.take())

    @rule(count=st.integers(1, 130), returns=st.booleans())
    def reorganise(self, count: int, returns: bool) -> None:
        undone = self.lab.chain.undo(count)
        if returns:
            self.lab.pool.follow()
            self.lab.chain.blocks += undone
        else:
            for _ in range(len(undone) + 1):
                self.lab.chain.mine()

    @rule()
    def follow(self) -> None:
        self.lab.pool.follow()

    @rule(is_refusing=st.booleans())
    def pay(self, is_refusing: bool) -> None:
        self.lab.node.is_refusing = is_refusing
        asyncio.run(self.lab.pool.pay())

    @rule()
    def kill(self) -> None:
        self.copies += 1
        self.lab.move(self.top / str(self.copies))

    @invariant()
    def balances(self) -> None:
        if not hasattr(self, "lab"):
            return
        books = self.lab.pool.books
        books.check_invariants()
        for member, tickets in self.shares.items():
            assert books.get_member(member).tickets == tickets, "a kill loses no share"
        # Each payout on the chain is charged once, in full, to those it paid.
        for _, payout in books.iterate_payouts(books.head.payouts):
            parts = list(iterate_parts(payout.parts))
            on_chain = self.lab.chain.find_transaction(payout.id)  # type: ignore[arg-type]
            if on_chain is not None:
                assert payout.state is not PayoutState.VOID
                (tx,) = (tx for tx in self.lab.chain.blocks[on_chain].transactions if tx.nonce == payout.nonce)
                assert isinstance(tx.payload, TransferMany)
                paid = list(iterate_payments(tx.payload.payments))
                assert [part.address for part in parts] == [payment.to for payment in paid]
                assert sum(part.amount for part in parts) == sum(payment.amount for payment in paid) + tx.fee
                assert tx.fee * 100 <= sum(part.amount for part in parts)


TestPool = PoolMachine.TestCase
TestPool.settings = settings(max_examples=15, stateful_step_count=40, deadline=None)
