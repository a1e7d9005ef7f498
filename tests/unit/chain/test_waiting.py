"""Transactions that can never be valid must not keep others out of blocks, however much they promise to pay."""

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from inos.chain.ledger import Ledger
from inos.chain.mempool import Mempool
from inos.chain.template import make_template
from inos.primitives.transactions import Transaction, compute_tx_id
from inos.primitives.units import Height, Nano
from support.chain_maker import ALICE, BOB, EASY, MINER, NOW, Branch, Key, feed, make_post

ALLOWED_FAILURES = 3
"""This replaces the thousand that a template allows, so that few accounts are enough."""
CROWD = [Key((1000 + number).to_bytes(32, "big")) for number in range(ALLOWED_FAILURES + 2)]
FUNDS = 50_000


@pytest.fixture
def branch() -> Branch:
    return Branch(EASY, {key.address: Nano(FUNDS) for key in CROWD} | {ALICE.address: Nano(1_000_000)})


@pytest.fixture
def ledger(branch: Branch, tmp_path: Path) -> Iterator[Ledger]:
    ledger = branch.open_ledger(tmp_path)
    with patch("inos.chain.template.MAX_FAILURES", ALLOWED_FAILURES):
        yield ledger
    ledger.close()


def choose(ledger: Ledger, pool: Mempool) -> tuple[Transaction, ...]:
    template = make_template(ledger.view, pool, beneficiary=MINER.address, now_ms=NOW)
    pool.on_refused(template.refusals, ledger.view.state)
    return template.transactions


def connect(branch: Branch, ledger: Ledger, pool: Mempool, transactions: tuple[Transaction, ...]) -> None:
    made = branch.grow(*transactions)
    feed(ledger, [made])
    pool.on_connected(made.block)


def test_queues_of_emptied_accounts_leave_the_pool(branch: Branch, ledger: Ledger) -> None:
    pool, height = Mempool(branch.params), Height(0)
    for key in CROWD:
        pool.add(branch.pay(key, BOB.address, 1, fee=2000, ahead=1), ledger.view.state, height)
        pool.add(branch.pay(key, BOB.address, FUNDS - 3000, fee=3000), ledger.view.state, height)
    connect(branch, ledger, pool, tuple(pool.get(tx) for tx in pool.list_ids() if pool.get(tx).nonce == 0))  # type: ignore[union-attr,misc]
    assert {ledger.view.state.get_account(key.address).balance for key in CROWD} == {0}
    honest = branch.pay(ALICE, BOB.address, 5, fee=1000)
    pool.add(honest, ledger.view.state, height)
    assert len(pool) == len(CROWD) + 1
    first, second = choose(ledger, pool), choose(ledger, pool)
    assert honest in first + second
    assert pool.list_ids() == [compute_tx_id(honest)]


def test_what_was_refused_goes_behind_what_was_not(branch: Branch, ledger: Ledger) -> None:
    """The accounts could pay, but no base fee is as low as they ask."""
    pool, height = Mempool(branch.params), Height(0)
    for key in CROWD:
        pool.add(branch.sign(key, make_post(1, max_burn=0), fee=20_000), ledger.view.state, height)
    honest = branch.pay(ALICE, BOB.address, 5, fee=1000)
    pool.add(honest, ledger.view.state, height)
    assert choose(ledger, pool) == ()
    assert list(pool.select(ledger.view.state)).index(honest) < ALLOWED_FAILURES
    assert choose(ledger, pool) == (honest,)
    assert len(pool) == len(CROWD) + 1, "they may become valid and stay"


def test_a_replacement_of_what_was_refused_stands_in_line_again(branch: Branch, ledger: Ledger) -> None:
    pool, height = Mempool(branch.params), Height(0)
    pool.add(branch.sign(CROWD[0], make_post(1, max_burn=0), fee=20_000), ledger.view.state, height)
    cheap = branch.pay(ALICE, BOB.address, 5, fee=1000)
    pool.add(cheap, ledger.view.state, height)
    assert choose(ledger, pool) == (cheap,)
    better = branch.pay(CROWD[0], BOB.address, 5, fee=22_000)
    pool.add(better, ledger.view.state, height)
    assert choose(ledger, pool) == (better, cheap)
