"""The pool's policy, limit by limit, and how it follows the chain."""

import threading
import time

import msgspec
import pytest

from inos.chain.mempool import Mempool, MempoolLimits, PoolRejected, Refusal
from inos.consensus.records import Account, account_key
from inos.consensus.state import StateView
from inos.primitives.blocks import Block
from inos.primitives.codec import encode
from inos.primitives.payments import Payment, pack_payments
from inos.primitives.transactions import Transaction, Transfer, TransferMany, compute_tx_id
from inos.primitives.units import Address, Height
from support.chain_maker import ALICE, BOB, CAROL, EASY, MINER, Branch, Key, make_post, sign_steadily
from support.consensus_lab import Records, edit

GENESIS = Block(Branch().headers[0], ())
RICH = 10**12


def make_state(**nonces: int) -> StateView:
    people = {"alice": ALICE, "bob": BOB, "carol": CAROL, "miner": MINER}
    return StateView(
        Records(
            {
                account_key(key.address): encode(Account(nonce=nonces.get(name, 0), balance=RICH))
                for name, key in people.items()
            }
        )
    )


def pay(key: Key, nonce: int, fee: int = 1000, amount: int = 1) -> Transaction:
    return sign_steadily(key, nonce, fee, Transfer(BOB.address, amount))


def make_block(height: int, *transactions: Transaction) -> Block:
    return Block(edit(GENESIS, height=height).header, transactions)


def add(pool: Mempool, *transactions: Transaction, state: StateView | None = None, height: int = 0) -> None:
    for tx in transactions:
        assert pool.add(tx, state or make_state(), Height(height)) == compute_tx_id(tx)


def refuse(pool: Mempool, tx: Transaction, state: StateView | None = None) -> PoolRejected:
    before = pool.list_best_first(), pool.bytes_used
    with pytest.raises(PoolRejected) as caught:
        pool.add(tx, state or make_state(), Height(0))
    assert (pool.list_best_first(), pool.bytes_used) == before
    return caught.value


def list_transactions(pool: Mempool) -> list[Transaction]:
    return [tx for tx_id in pool.list_best_first() if (tx := pool.get(tx_id)) is not None]


def test_known_and_cheap_and_old(pool: Mempool) -> None:
    add(pool, pay(ALICE, 0))
    assert refuse(pool, pay(ALICE, 0)).code == "already-known"
    cheap = pay(BOB, 0, fee=100)
    error = refuse(pool, cheap)
    assert error.code == "fee-too-low"
    assert str(len(encode(cheap))) in error.hint
    assert len(encode(cheap)) > 100
    add(pool, pay(BOB, 0, fee=len(encode(cheap)) + 2))
    error = refuse(pool, pay(CAROL, 4), make_state(carol=5))
    assert error.code == "nonce-too-old"
    assert "5" in error.hint


@pytest.fixture
def pool() -> Mempool:
    return Mempool(EASY)


def test_replacement_pays_a_tenth_more(pool: Mempool) -> None:
    old = pay(ALICE, 0, fee=1001)
    add(pool, old, pay(ALICE, 1))
    for fee in (900, 1001, 1101):
        error = refuse(pool, pay(ALICE, 0, fee=fee, amount=2))
        assert error.code == "replacement-fee-too-low"
        assert "1102" in error.hint
    new = pay(ALICE, 0, fee=1102, amount=2)
    add(pool, new)
    assert not pool.has(compute_tx_id(old))
    assert list(pool.select(make_state())) == [new, pay(ALICE, 1)]
    assert pool.bytes_used == len(encode(new)) + len(encode(pay(ALICE, 1)))


def test_transactions_with_matrices_are_known_until_they_leave(pool: Mempool) -> None:
    post, other = (sign_steadily(ALICE, nonce, 2000, make_post(nonce + 1)) for nonce in (0, 2))
    add(pool, post, pay(ALICE, 1), other)
    assert pool.list_with_matrices() == [post, other]
    add(pool, pay(ALICE, 2, fee=5000))
    assert pool.list_with_matrices() == [post]
    pool.on_connected(make_block(1, post))
    assert pool.list_with_matrices() == []


def test_nonce_gaps(pool: Mempool) -> None:
    pool = Mempool(EASY, MempoolLimits(max_nonce_gap=3))
    assert refuse(pool, pay(ALICE, 4)).code == "nonce-gap-too-large"
    add(pool, pay(ALICE, 3))
    assert pool.next_nonce(ALICE.address, make_state()) == 0
    assert list(pool.select(make_state())) == []
    add(pool, pay(ALICE, 0), pay(ALICE, 1))
    assert pool.next_nonce(ALICE.address, make_state()) == 2
    add(pool, pay(ALICE, 2))
    assert pool.next_nonce(ALICE.address, make_state()) == 4
    assert [tx.nonce for tx in pool.select(make_state())] == [0, 1, 2, 3]


def test_limit_of_one_account() -> None:
    pool = Mempool(EASY, MempoolLimits(max_per_account=3))
    add(pool, *(pay(ALICE, n) for n in range(3)))
    assert refuse(pool, pay(ALICE, 3)).code == "account-limit"
    add(pool, pay(ALICE, 1, fee=1100), pay(BOB, 0))
    assert len(pool) == 4


def test_balance_must_cover_the_queue(pool: Mempool) -> None:
    state = StateView(Records({account_key(ALICE.address): encode(Account(balance=5000))}))
    add(pool, pay(ALICE, 0, fee=1000, amount=2000), state=state)
    error = refuse(pool, pay(ALICE, 1, fee=1000, amount=1001), state)
    assert error.code == "insufficient-balance"
    assert "3000" in error.message
    add(pool, pay(ALICE, 1, fee=1000, amount=1000), state=state)
    assert refuse(pool, sign_steadily(ALICE, 2, 900, make_post(1, reward=1)), state).code == "insufficient-balance"
    assert refuse(pool, pay(CAROL, 0), state).code == "insufficient-balance"


def pay_many(key: Key, nonce: int, fee: int, *amounts: int) -> Transaction:
    payments = (Payment(Address(bytes(19) + bytes([n])), amount) for n, amount in enumerate(amounts))
    return sign_steadily(key, nonce, fee, TransferMany(pack_payments(payments)))


def test_balance_must_cover_all_payments(pool: Mempool) -> None:
    state = StateView(Records({account_key(ALICE.address): encode(Account(balance=5000))}))
    assert refuse(pool, pay_many(ALICE, 0, 1000, 2000, 2001), state).code == "insufficient-balance"
    add(pool, pay_many(ALICE, 0, 1000, 2000, 2000), state=state)
    assert refuse(pool, pay(ALICE, 1, fee=1000, amount=1), state).code == "insufficient-balance"


def test_many_payments_compete_by_what_they_cost_a_block() -> None:
    """256 payments cost a block 83 times as much as a transfer, and must pay as much more for the same place."""
    tight = msgspec.structs.replace(EASY, max_block_bytes=4 << 20, max_block_cost_us=400_000)
    times = (250 + 256 * 80) / 250
    for factor, is_first in ((times * 1.01, True), (times * 0.99, False)):
        pool = Mempool(tight)
        many = pay_many(ALICE, 0, int(10_000 * factor), *[1] * 256)
        add(pool, many, pay(BOB, 0, fee=10_000))
        assert (pool.list_best_first()[0] == compute_tx_id(many)) == is_first


def test_the_estimate_of_many_payments_covers_their_cost() -> None:
    tight = msgspec.structs.replace(EASY, max_block_bytes=4000, max_block_cost_us=4000)
    pool = Mempool(tight)
    assert pool.estimate_fee(7300, 20_730) == 7300
    add(pool, *(pay(ALICE, n, fee=10_000) for n in range(40)))
    assert pool.estimate_fee(7300) == pytest.approx(pool.estimate_fee(7300, 7300), rel=0.01)
    assert pool.estimate_fee(7300, 20_730) == pytest.approx(pool.estimate_fee(7300) * 20_730 / 7300, rel=0.01)


def test_full_pool_drops_the_cheapest_with_what_follows_it() -> None:
    size = len(encode(pay(ALICE, 0)))
    pool = Mempool(EASY, MempoolLimits(max_bytes=5 * size))
    add(pool, pay(ALICE, 0, fee=3000), pay(ALICE, 1, fee=400), pay(ALICE, 2, fee=9000))
    add(pool, pay(BOB, 0, fee=500), pay(BOB, 1, fee=2000))
    assert refuse(pool, pay(CAROL, 0, fee=399)).code == "pool-full"
    assert refuse(pool, pay(CAROL, 0, fee=400)).code == "pool-full", "as good is not better"
    rich = pay(CAROL, 0, fee=401)
    add(pool, rich)
    assert list_transactions(pool) == [pay(ALICE, 0, fee=3000), pay(BOB, 1, fee=2000), pay(BOB, 0, fee=500), rich]
    # One's own are spared: to pay for one with the fee of another of one's own would leave a gap.
    add(pool, pay(CAROL, 1, fee=450))
    assert refuse(pool, pay(CAROL, 2, fee=499)).code == "pool-full"
    add(pool, pay(CAROL, 2, fee=600))
    assert [tx.nonce for tx in pool.select(make_state())].count(0) == 2
    assert not pool.has(compute_tx_id(pay(BOB, 1, fee=2000)))


def test_replacement_in_a_full_pool_needs_no_room() -> None:
    size = len(encode(pay(ALICE, 0)))
    pool = Mempool(EASY, MempoolLimits(max_bytes=2 * size))
    add(pool, pay(ALICE, 0, fee=500), pay(BOB, 0, fee=400))
    add(pool, pay(ALICE, 0, fee=600))
    assert len(pool) == 2


def test_following_the_chain(pool: Mempool) -> None:
    waiting = [pay(ALICE, n) for n in range(4)]
    add(pool, *waiting, pay(BOB, 0))
    other = pay(ALICE, 1, fee=5000)
    block = make_block(1, waiting[0], other)
    pool.on_connected(block)
    assert sorted(tx.nonce for tx in list_transactions(pool)) == [0, 2, 3]
    state = make_state(alice=2)
    assert [tx.nonce for tx in pool.select(state)][:1] == [2] or pool.next_nonce(ALICE.address, state) == 4
    pool.on_disconnected(block, make_state())
    assert [tx for tx in pool.select(make_state()) if tx.sender == ALICE.public] == [waiting[0], other, *waiting[2:]]
    # Another one stands in its place meanwhile: it stays.
    pool.on_connected(block)
    mine = pay(ALICE, 1, fee=1500)
    pool.add(mine, make_state(alice=1), Height(0))
    pool.on_disconnected(block, make_state())
    assert pool.has(compute_tx_id(mine))
    assert not pool.has(compute_tx_id(other))


def test_limits_hold_when_a_block_comes_back() -> None:
    size = len(encode(pay(ALICE, 0)))
    pool = Mempool(EASY, MempoolLimits(max_bytes=4 * size, max_per_account=3))
    add(pool, pay(BOB, 0, fee=400), pay(BOB, 1, fee=9000), pay(ALICE, 4), state=make_state(alice=4))
    pool.on_disconnected(make_block(1, *(pay(ALICE, n) for n in range(4))), make_state())
    assert pool.bytes_used <= 4 * size
    assert [tx.nonce for tx in pool.select(make_state())] == [0, 1, 2], "the cheapest queue went, no gap was torn"
    assert {tx.sender for tx in list_transactions(pool)} == {ALICE.public}


def test_what_waits_for_too_long_goes() -> None:
    pool = Mempool(EASY, MempoolLimits(max_age_blocks=10))
    add(pool, pay(ALICE, 1), height=5)
    add(pool, pay(BOB, 1), height=6)
    pool.on_connected(make_block(15))
    assert len(pool) == 2
    assert pool.get_age(compute_tx_id(pay(ALICE, 1))) == 10
    pool.on_connected(make_block(16))
    assert list_transactions(pool) == [pay(BOB, 1)]
    assert pool.get_age(compute_tx_id(pay(ALICE, 1))) == 0


def test_estimate(pool: Mempool) -> None:
    assert pool.estimate_fee() == 500
    assert pool.estimate_fee(200) == 200
    small = Mempool(msgspec.structs.replace(EASY, max_block_bytes=300))
    add(small, pay(ALICE, 0, fee=4000), pay(BOB, 0, fee=2000), pay(CAROL, 0, fee=3000))
    size = len(encode(pay(CAROL, 0, fee=3000)))
    assert small.estimate_fee(size) == pytest.approx(2200, rel=0.01), "a tenth above the first that does not fit"


def test_full_pool_is_not_sorted_for_every_transaction() -> None:
    """With ten thousand waiting transactions, displacing a thousand one by one takes little more time than signing
    them.
    """
    state_records = Records({})
    pool = Mempool(EASY, MempoolLimits(max_bytes=0, max_per_account=10**6, max_nonce_gap=10**6))
    state_records.all = {account_key(key.address): encode(Account(balance=RICH)) for key in (ALICE, BOB)}
    state = StateView(state_records)
    template = pay(ALICE, 0)
    size = len(encode(msgspec.structs.replace(template, nonce=70_000, fee=70_000)))
    pool = Mempool(EASY, MempoolLimits(max_bytes=10_000 * size, max_per_account=1))
    senders = [bytes([1]) + n.to_bytes(31, "big") for n in range(11_000)]
    view = RichView(state)
    for number, sender in enumerate(senders[:10_000]):
        pool.add(msgspec.structs.replace(template, sender=sender, fee=70_000 + number), view, Height(0))
    start = time.process_time()
    for number, sender in enumerate(senders[10_000:]):
        pool.add(msgspec.structs.replace(template, sender=sender, fee=90_000 + number), view, Height(0))
    assert time.process_time() - start < 2.0
    assert len(pool) <= 10_000 * 1.05


class RichView(StateView):
    """A state in which every account has plenty."""

    def get_account(self, address: Address) -> Account:
        return Account(balance=RICH)


def test_readers_on_other_threads(pool: Mempool) -> None:
    stop, failures = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            try:
                pool.list_best_first()
                pool.next_nonce(ALICE.address, make_state())
                pool.estimate_fee()
            except RuntimeError as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for round_number in range(30):
        taken = [pay(key, n, fee=1000 + round_number) for key in (ALICE, BOB, CAROL) for n in range(10)]
        add(pool, *taken)
        pool.on_connected(make_block(round_number, *taken))
    stop.set()
    for thread in threads:
        thread.join(60)
    assert failures == []


def test_what_stands_behind_a_gap_takes_at_most_a_sixteenth() -> None:
    size = len(encode(pay(ALICE, 1)))
    pool = Mempool(EASY, MempoolLimits(max_bytes=16 * 2 * size + 15))
    add(pool, pay(ALICE, 1, fee=500), pay(BOB, 1, fee=400))
    error = refuse(pool, pay(CAROL, 1, fee=400))
    assert error.code == "gaps-full"
    assert "lower nonces" in error.hint
    add(pool, pay(CAROL, 1, fee=600))  # it displaces the cheapest one behind a gap
    assert [tx.fee for tx in list_transactions(pool)] == [600, 500]
    add(pool, pay(ALICE, 0, fee=300), pay(BOB, 1, fee=400))  # Alice's gap is closed
    assert refuse(pool, pay(MINER, 1, fee=400)).code == "gaps-full"


def test_a_gap_torn_by_the_chain_counts_too() -> None:
    size = len(encode(pay(ALICE, 1)))
    pool = Mempool(EASY, MempoolLimits(max_bytes=16 * 2 * size + 15))
    add(pool, *(pay(ALICE, n, fee=1000 + n) for n in range(5)))
    pool.remove(compute_tx_id(pay(ALICE, 0, fee=1000)))
    assert pool.bytes_used <= 2 * size, "what follows stands behind a gap now"
    pool.on_connected(make_block(1, pay(ALICE, 0, fee=7)))
    assert pool.next_nonce(ALICE.address, make_state(alice=1)) == 1 + len(pool)


def test_what_cannot_be_executed_goes_first_whatever_it_pays() -> None:
    size = len(encode(pay(ALICE, 0, fee=90_000)))
    pool = Mempool(EASY, MempoolLimits(max_bytes=3 * size))
    refused, follower = pay(ALICE, 0, fee=90_000), pay(ALICE, 1, fee=80_000)
    add(pool, refused, follower, pay(BOB, 0, fee=5000))
    pool.on_refused([Refusal(compute_tx_id(refused), "job-not-open")], make_state())
    add(pool, pay(CAROL, 0, fee=300))
    assert {tx.fee for tx in list_transactions(pool)} == {5000, 300}
    # One that would be idle itself displaces nothing that a block could take.
    assert refuse(pool, pay(MINER, 1, fee=10**6)).code in ("gaps-full", "pool-full")


def test_the_rate_is_by_the_scarcest_of_bytes_cost_and_matrices() -> None:
    """A block holds at most 300 transactions by cost, so each is worth a three-hundredth of its bytes, for any own
    size.
    """
    params = msgspec.structs.replace(EASY, max_block_bytes=1_000_000, max_block_cost_us=300 * 250)
    pool = Mempool(params)
    post = sign_steadily(ALICE, 0, 32_000, make_post(1))  # 2,700 us: 36,000 bytes
    transfer = pay(BOB, 0, fee=3000)  # 250 us: 3,334 bytes
    add(pool, post, transfer)
    assert list_transactions(pool) == [transfer, post]
    assert pool.estimate_fee() == 500
