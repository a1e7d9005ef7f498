"""The tracker of announced transactions, and challenges of 2 MiB, of which one answer holds only one."""

import asyncio

from msgspec.structs import replace

from inos.chain.events import TipChanged
from inos.network.sync.relay.transactions import TransactionTracker
from inos.network.wire.limits import get_limit
from inos.network.wire.messages import encode_message
from inos.network.wire.transactions import Transactions
from inos.primitives.blocks import Block, compute_block_id
from inos.primitives.codec import encode
from inos.primitives.matrices import MAX_PANELS, MAX_RESULT_PATH, STRIP_BYTES, StripRow
from inos.primitives.transactions import MAX_TX_BYTES, Challenge, Transaction, compute_tx_id, sign_transaction
from support.network_fakes import (
    CHAIN_ID,
    FAST,
    GENESIS,
    FakeNode,
    get_address,
    make_header,
    make_service,
    make_tx,
    running,
    until,
)

PATH = (bytes(32),) * 2 * MAX_RESULT_PATH


def make_challenge(nonce: int) -> Transaction:
    """Return the largest possible challenge."""
    row = StripRow(bytes([nonce]) * MAX_PANELS * STRIP_BYTES, PATH)
    payload = Challenge(bytes(32), 2**32 - 1, 2**32 - 1, row, row, StripRow(bytes(STRIP_BYTES), PATH))
    return sign_transaction(b"\x05" * 32, CHAIN_ID, nonce, 2**63, payload)


def test_the_largest_transaction_fits_every_limit_on_its_way() -> None:
    tx = make_challenge(1)
    assert 2_000_000 < len(encode(tx)) <= MAX_TX_BYTES
    assert len(encode_message(Transactions(2**63, (tx,)))) <= get_limit(Transactions).max_bytes
    assert len(encode_message(Transactions(1, (make_tx(0),) * 256))) <= get_limit(Transactions).max_bytes


async def test_several_large_ones_announced_at_once_all_come() -> None:
    first, second = FakeNode(), FakeNode()
    sent = [make_tx(0), make_challenge(1), make_challenge(2), make_tx(3), make_challenge(4)]
    patient = replace(FAST, transactions=10.0)
    a = make_service(first, 1, limits=patient)
    await a.start()
    b = make_service(second, 2, get_address(a), limits=patient)
    async with running(a, b):
        await until(lambda: a.peers() and b.peers())
        for tx in sent:
            await first.add_transaction(tx)
        await until(lambda: all(second.mempool.has(compute_tx_id(tx)) for tx in sent))


async def test_a_transaction_of_an_undone_block_is_offered_again_to_peers_that_could_not_fetch_it() -> None:
    first, second = FakeNode(), FakeNode()
    tx = make_tx(0)
    id, asked = compute_tx_id(tx), asyncio.Event()
    a = make_service(first, 1)
    await a.start()
    b = make_service(second, 2, get_address(a))
    block = Block(make_header(GENESIS, transactions=(tx,)), (tx,))
    pool = first.mempool

    def find_none(id: bytes) -> None:  # The block has taken it out of the pool meanwhile.
        asked.set()

    async with running(a, b):
        await until(lambda: a.peers() and b.peers())
        pool.get = find_none
        await first.add_transaction(tx)
        await until(asked.is_set)
        del pool.get
        first.ledger.blocks[compute_block_id(block.header)] = block
        first.publish(TipChanged(first.ledger.tip, (), (compute_block_id(block.header),)))
        await until(lambda: second.mempool.has(id))


def test_transactions_are_asked_of_one_peer_at_a_time():
    tracker = TransactionTracker(limit=8)
    tracker.announce("a", b"1")
    tracker.announce("b", b"1")
    assert tracker.take("a", 9) == [b"1"]
    assert tracker.take("b", 9) == []
    tracker.give_back("a", [b"1"])
    assert tracker.take("a", 9) == []
    assert tracker.take("b", 9) == [b"1"]
    tracker.settle(b"1")
    tracker.give_back("b", [b"1"])
    assert len(tracker) == 0


def test_one_peer_cannot_fill_the_tracker_and_its_leaving_cleans_up():
    tracker = TransactionTracker(limit=8)
    for number in range(100):
        tracker.announce("liar", b"%d" % number)
    assert len(tracker) == 2
    tracker.announce("b", b"true")
    assert len(tracker) == 3
    tracker.forget("liar")
    assert len(tracker) == 1
