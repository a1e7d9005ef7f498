"""Compares the pool with a model that keeps a plain list: its indices agree and its limits hold under random
operations.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from inos.chain.mempool import Mempool, MempoolLimits, PoolRejected, get_cost
from inos.consensus.records import Account, StateKey, account_key
from inos.consensus.state import StateView
from inos.primitives.blocks import Block
from inos.primitives.codec import encode
from inos.primitives.transactions import Transaction, Transfer, compute_tx_id, get_sender
from inos.primitives.units import Height
from support.chain_maker import ALICE, BOB, CAROL, EASY, Branch, Key, sign_steadily
from support.consensus_lab import Records, edit

LIMITS = MempoolLimits(max_bytes=2600, max_per_account=7, max_nonce_gap=3, max_age_blocks=4)
GAP_BYTES = 2600 // 16
BALANCE = 5_000
PEOPLE = (ALICE, BOB, CAROL)
GENESIS = Block(Branch(EASY).headers[0], ())


class PoolMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.pool = Mempool(EASY, LIMITS)
        self.model: dict[bytes, tuple[Transaction, int]] = {}
        """Each transaction with the height at which it came, by id."""
        self.nonces = {key: 0 for key in PEOPLE}
        self.blocks: list[Block] = []

    @property
    def height(self) -> Height:
        return Height(len(self.blocks))

    @property
    def state(self) -> StateView:
        records: dict[StateKey, bytes] = {
            account_key(key.address): encode(Account(nonce=nonce, balance=BALANCE))
            for key, nonce in self.nonces.items()
        }
        return StateView(Records(records))

    def get_queue(self, key: Key) -> dict[int, Transaction]:
        return {tx.nonce: tx for tx, _ in self.model.values() if get_sender(tx) == key.address}

    @rule(
        key=st.sampled_from(PEOPLE), ahead=st.integers(-1, 6), fee=st.integers(150, 1500), amount=st.integers(1, 2000)
    )
    def add(self, key: Key, ahead: int, fee: int, amount: int) -> None:
        nonce, queue = max(0, self.nonces[key] + ahead), self.get_queue(key)
        tx = sign_steadily(key, nonce, fee, Transfer(BOB.address, amount))
        before = set(self.pool.list_ids())
        try:
            self.pool.add(tx, self.state, self.height)
        except PoolRejected as error:
            self.check_refusal(error.code, key, tx, queue)
            assert set(self.pool.list_ids()) == before
            return
        replaced = queue.get(nonce)
        assert replaced is None or fee * 100 >= replaced.fee * 110
        after = set(self.pool.list_ids())
        gone = before - after - ({compute_tx_id(replaced)} if replaced is not None else set())
        assert after - before == {compute_tx_id(tx)}
        assert all(get_sender(self.model[id][0]) != key.address for id in gone), "makes room among its own"
        self.check_victims(gone, tx)
        self.model = {id: entry for id, entry in self.model.items() if id in after}
        self.model[compute_tx_id(tx)] = (tx, self.height)

    def list_idle(self) -> dict[bytes, Transaction]:
        """Return the transactions behind a gap, by id."""
        idle: dict[bytes, Transaction] = {}
        for key in PEOPLE:
            queue, nonce = self.get_queue(key), self.nonces[key]
            while nonce in queue:
                nonce += 1
            idle |= {compute_tx_id(tx): tx for n, tx in queue.items() if n > nonce}
        return idle

    def check_victims(self, gone: set[bytes], tx: Transaction) -> None:
        """Check that idle transactions go first, others only if they pay less than the new one, and that no gap
        arises.
        """
        rate, idle = tx.fee / len(encode(tx)), self.list_idle()
        for key in PEOPLE:
            lost = [each for id, (each, _) in self.model.items() if id in gone and get_sender(each) == key.address]
            if not lost:
                continue
            first = min(each.nonce for each in lost)
            assert {each.nonce for each in lost} == {nonce for nonce in self.get_queue(key) if nonce >= first}
            if not all(compute_tx_id(each) in idle for each in lost):
                assert min(each.fee / len(encode(each)) for each in lost) < rate
                others = {id for id, each in idle.items() if get_sender(each) != get_sender(tx)}
                assert others <= gone, "what a block could take goes after all that none could"

    def check_refusal(self, code: str, key: Key, tx: Transaction, queue: dict[int, Transaction]) -> None:
        nonce = self.nonces[key]
        queued = sum(each.fee + get_cost(each.payload) for n, each in queue.items() if n < tx.nonce)
        size = len(encode(tx))
        is_behind_gap = any(n not in queue for n in range(nonce, tx.nonce))
        assert {
            "already-known": compute_tx_id(tx) in self.model,
            "fee-too-low": tx.fee < size,
            "nonce-too-old": tx.nonce < nonce,
            "nonce-gap-too-large": tx.nonce > nonce + 3 + len(queue),
            "account-limit": len(queue) == 7 and tx.nonce not in queue,
            "replacement-fee-too-low": tx.nonce in queue and tx.fee * 100 < queue[tx.nonce].fee * 110,
            "insufficient-balance": queued + tx.fee + get_cost(tx.payload) > BALANCE,
            "pool-full": self.pool.bytes_used + size > 2600,
            "gaps-full": is_behind_gap
            and sum(len(encode(each)) for each in self.list_idle().values()) + size > GAP_BYTES,
        }[code]

    @rule(count=st.integers(0, 6))
    def connect(self, count: int) -> None:
        """Connect a block with the best transactions of the pool."""
        taken = [tx for tx, _ in zip(self.pool.select(self.state), range(count), strict=False)]
        block = Block(edit(GENESIS, height=self.height + 1).header, tuple(taken))
        self.blocks.append(block)
        for tx in taken:
            key = next(key for key in PEOPLE if key.address == get_sender(tx))
            assert tx.nonce == self.nonces[key]
            self.nonces[key] += 1
            del self.model[compute_tx_id(tx)]
        self.pool.on_connected(block)
        self.model = {id: entry for id, entry in self.model.items() if self.height - entry[1] <= 4}
        self.follow_trimming()

    @precondition(lambda self: self.blocks)
    @rule()
    def disconnect(self) -> None:
        block = self.blocks.pop()
        for key in PEOPLE:
            self.nonces[key] -= sum(get_sender(tx) == key.address for tx in block.transactions)
        self.pool.on_disconnected(block, self.state)
        after = set(self.pool.list_ids())
        undone = {compute_tx_id(tx): (tx, int(self.height)) for tx in block.transactions}
        assert after <= set(self.model) | set(undone)
        if self.pool.bytes_used + 1000 < 2600 and not self.list_idle():
            assert len(after) >= len(self.model), "nothing goes while there is room"
        self.model = {id: entry for id, entry in (self.model | undone).items() if id in after}

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from(list(self.model)))
        self.pool.remove(id)
        del self.model[id]
        self.follow_trimming()

    def follow_trimming(self) -> None:
        """Transactions that are behind a gap now may have been dropped too; all others must stay."""
        after, idle = set(self.pool.list_ids()), self.list_idle()
        assert set(self.model) - after <= set(idle)
        assert set(self.model) == after or sum(len(encode(tx)) for tx in idle.values()) > GAP_BYTES
        self.model = {id: entry for id, entry in self.model.items() if id in after}

    @rule(tx=st.sampled_from([bytes(32), b"\x01" * 32]))
    def remove_unknown(self, tx: bytes) -> None:
        self.pool.remove(tx)

    @invariant()
    def agrees_with_the_model(self) -> None:
        assert set(self.pool.list_ids()) == set(self.model)
        assert len(self.pool) == len(self.model)
        assert self.pool.bytes_used == sum(len(encode(tx)) for tx, _ in self.model.values()) <= 2600
        for id, (tx, height) in self.model.items():
            assert self.pool.has(id)
            assert self.pool.get(id) == tx
            assert self.pool.get_age(id) == max(0, self.height - height)
        for key in PEOPLE:
            queue = self.get_queue(key)
            assert len(queue) <= 7
            nonce = self.nonces[key]
            while nonce in queue:
                nonce += 1
            assert self.pool.next_nonce(key.address, self.state) == nonce

    @invariant()
    def gaps_are_bounded(self) -> None:
        assert sum(len(encode(tx)) for tx in self.list_idle().values()) <= GAP_BYTES

    @invariant()
    def lists_the_best_first(self) -> None:
        rates = [self.model[id][0].fee * 10**6 // len(encode(self.model[id][0])) for id in self.pool.list_best_first()]
        assert rates == sorted(rates, reverse=True)

    @invariant()
    def selects_each_account_in_order(self) -> None:
        nonces = dict(self.nonces)
        selected = list(self.pool.select(self.state))
        for tx in selected:
            key = next(key for key in PEOPLE if key.address == get_sender(tx))
            assert tx.nonce == nonces[key]
            nonces[key] += 1
        for key in PEOPLE:
            assert nonces[key] == self.pool.next_nonce(key.address, self.state)


TestPool = PoolMachine.TestCase
TestPool.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


def test_what_came_after_an_undone_block_waits_no_longer() -> None:
    """The state machine found this case: a transaction was dropped with an earlier one from a higher tip."""
    machine, (first, second, *_) = PoolMachine(), PEOPLE
    machine.connect(count=0)
    machine.add(key=first, ahead=0, fee=150, amount=1)
    machine.disconnect()
    machine.add(key=second, ahead=0, fee=150, amount=1)
    for _ in range(7):
        machine.connect(count=0)
        machine.agrees_with_the_model()
    assert not len(machine.pool)
