"""Tests rankings of accounts: their order, their pages, and that they follow the records."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from inos.chain.ledger import Ledger
from inos.chain.ranking import Ranking, make_rank_changes
from inos.consensus.records import Kind
from inos.primitives.units import U64_MAX, Address
from support.chain_maker import ALICE, BOB, MINER, Branch, feed, grow_at_random


@pytest.fixture
def branch() -> Branch:
    return Branch()


@pytest.fixture
def ledger(branch: Branch, tmp_path: Path) -> Iterator[Ledger]:
    opened = branch.open_ledger(tmp_path)
    yield opened
    opened.close()


def list_expected(ledger: Ledger) -> dict[Ranking, list[tuple[Address, int]]]:
    """Return all rankings, computed from the state and the records of all accounts."""
    reader = ledger.view.reader
    addresses = [Address(key[1:]) for key, _ in reader.iterate(bytes([Kind.ACCOUNT]))]
    accounts = {each: reader.state.get_account(each) for each in addresses}
    records = {each: reader.get_record(each) for each in addresses}
    values = {
        Ranking.HOLDINGS: {each: account.balance + account.bonded for each, account in accounts.items()},
        Ranking.MINED: {each: record.mined for each, record in records.items()},
        Ranking.SETTLED: {each: record.worker.tickets for each, record in records.items()},
    }
    return {
        ranking: sorted(((each, value) for each, value in of.items() if value), key=lambda one: (-one[1], one[0]))
        for ranking, of in values.items()
    }


def test_rankings_follow_the_records_over_random_blocks_and_a_restart(
    branch: Branch, ledger: Ledger, tmp_path: Path
) -> None:
    rng = random.Random(11)
    settled = 0
    for _ in range(40):
        feed(ledger, [grow_at_random(branch, rng)])
        expected = list_expected(ledger)
        assert {each: ledger.view.reader.list_ranking(each, limit=100) for each in Ranking} == expected
        settled += len(expected[Ranking.SETTLED])
    assert sum(mined for _, mined in expected[Ranking.MINED]) == 40
    assert settled > 0
    ledger.close()
    again = branch.open_ledger(tmp_path)
    assert {each: again.view.reader.list_ranking(each, limit=100) for each in Ranking} == expected
    again.close()


def test_pages_join_to_the_whole_and_equal_values_come_by_address(branch: Branch, ledger: Ledger) -> None:
    for miner in (ALICE, BOB, ALICE, BOB, MINER):
        branch.grow(miner=miner.address)
    feed(ledger, branch.blocks)
    whole = ledger.view.reader.list_ranking(Ranking.MINED, limit=9)
    first, second = sorted((ALICE.address, BOB.address))
    assert whole == [(first, 2), (second, 2), (MINER.address, 1)]
    paged: list[tuple[Address, int]] = []
    while page := ledger.view.reader.list_ranking(
        Ranking.MINED, after=(paged[-1][1], paged[-1][0]) if paged else None, limit=1
    ):
        paged += page
    assert paged == whole


def test_the_largest_value_comes_first_and_an_unchanged_one_writes_nothing() -> None:
    def write(value: int) -> list[bytes]:
        return list(make_rank_changes(Ranking.HOLDINGS, ALICE.address, 0, value))

    assert write(U64_MAX) < write(2**40) < write(1)
    assert make_rank_changes(Ranking.HOLDINGS, ALICE.address, 5, 5) == {}
    moved = make_rank_changes(Ranking.HOLDINGS, ALICE.address, 5, 6)
    assert list(moved.values()) == [None, b""]
