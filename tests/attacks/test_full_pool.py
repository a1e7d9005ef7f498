"""A pool filled with what no block can take, so that nobody else's transactions find a place.

Protocol 1's pools could be filled for a day, for nothing, with transactions behind a missing nonce: they offered the
highest fees, so nothing displaced them, and they never paid, because no block could take them.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from inos.chain.ledger import Ledger
from inos.chain.mempool import GAP_PART, Mempool, MempoolLimits, PoolRejected
from inos.chain.template import Template, make_template
from inos.primitives.codec import encode
from inos.primitives.transactions import ClaimJob, Payload, Transaction, Transfer
from inos.primitives.units import Nano, TimeMs
from support.chain_maker import EASY, Branch, sign_steadily
from support.consensus_lab import ALICE, BOB, MINER, Key

ROOM = 32 * 1024
FLOOR = 1000
"""The fee of honest people, about the least that a pool takes."""
GREED = 10**6
"""The fee that the attacker offers, and never pays."""
ATTACKERS = [Key((1000 + n).to_bytes(32, "big")) for n in range(300)]
NOW = TimeMs(1_700_000_000_000 + 10**9)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    funds = dict.fromkeys((key.address for key in (ALICE, BOB, *ATTACKERS)), Nano(10**9))
    opened = Branch(EASY, funds).open_ledger(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def pool() -> Mempool:
    return Mempool(EASY, MempoolLimits(max_bytes=ROOM))


def fill(pool: Mempool, ledger: Ledger, nonce: int, payload: Payload) -> int:
    """Let every attacker send one transaction, and return how many the pool took."""
    taken = 0
    for key in ATTACKERS:
        taken += send(pool, ledger, sign_steadily(key, nonce, GREED, payload))
    return taken


def send(pool: Mempool, ledger: Ledger, tx: Transaction) -> bool:
    try:
        pool.add(tx, ledger.view.state, ledger.view.tip.header.height)
    except PoolRejected:
        return False
    return True


def make(pool: Mempool, ledger: Ledger) -> Template:
    """Make a template as the writer does, which tells the pool what the block could not take."""
    template = make_template(ledger.view, pool, beneficiary=MINER.address, now_ms=NOW)
    pool.on_refused(template.refusals, ledger.view.state)
    return template


def pay(key: Key) -> Transaction:
    return sign_steadily(key, 0, FLOOR, Transfer(MINER.address, 5))


def test_transactions_behind_a_missing_nonce_leave_the_pool_to_others(ledger: Ledger, pool: Mempool) -> None:
    assert fill(pool, ledger, 1, Transfer(MINER.address, 1)) > 0
    assert pool.bytes_used <= ROOM // GAP_PART
    honest = [pay(ALICE), pay(BOB)]
    for tx in honest:
        assert send(pool, ledger, tx)
    assert sorted(map(encode, make(pool, ledger).transactions)) == sorted(map(encode, honest))


def test_transactions_that_the_rules_refuse_go_first_once_a_block_was_made(ledger: Ledger, pool: Mempool) -> None:
    """They come by relay, where nobody executes them on arrival, and fill the pool at a thousand times the fee."""
    fill(pool, ledger, 0, ClaimJob(bytes(32)))
    size = len(encode(sign_steadily(ATTACKERS[0], 0, GREED, ClaimJob(bytes(32)))))
    assert pool.bytes_used > ROOM - size, "the pool is full"
    assert not send(pool, ledger, pay(ALICE)), "until a block was made, they look like the best customers"
    assert make(pool, ledger).transactions == ()
    honest = [pay(ALICE), pay(BOB)]
    for tx in honest:
        assert send(pool, ledger, tx)
    assert sorted(map(encode, make(pool, ledger).transactions)) == sorted(map(encode, honest))


def test_new_ones_push_out_those_that_were_refused_and_not_honest_ones(ledger: Ledger, pool: Mempool) -> None:
    """New ones push out those that were refused, and not those that a block can take."""
    fill(pool, ledger, 0, ClaimJob(bytes(32)))
    make(pool, ledger)
    assert send(pool, ledger, pay(ALICE))
    fill(pool, ledger, 0, ClaimJob(b"\1" * 32))
    fill(pool, ledger, 1, Transfer(MINER.address, 1))
    assert pay(ALICE) in make(pool, ledger).transactions
