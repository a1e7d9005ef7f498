"""Tests the index when votes, waits or verdicts remove blocks. tests/property has the random runs."""

import msgspec
import pytest

from inos.chain.entry import Entry
from inos.chain.index import BlockIndex
from inos.primitives.units import BlockId, TimeMs
from support.chain_maker import EASY
from support.consensus_lab import Lab
from support.header_records import MemoryRecords

GENESIS = Lab(EASY).headers[0]


@pytest.fixture
def index() -> BlockIndex:
    return BlockIndex(EASY, BlockId(bytes(32)), GENESIS, MemoryRecords())


def grow(index: BlockIndex, parent: Entry, count: int, *, has_bodies: bool = True) -> list[Entry]:
    """Return `count` blocks in a row, each of one ticket."""
    grown = []
    for _ in range(count):
        header = msgspec.structs.replace(GENESIS, height=parent.height + 1, parent=parent.id)
        parent = index.add(BlockId(len(index).to_bytes(32, "big")), header, parent)
        if has_bodies:
            index.set_body(parent)
        grown.append(parent)
    return grown


def connect(index: BlockIndex, entries: list[Entry]) -> None:
    for entry in entries:
        index.set_active(entry)
    index.prune_side()


def test_a_pledged_block_that_is_condemned_is_wanted_no_more(index: BlockIndex) -> None:
    connect(index, grow(index, index.genesis, 3))
    other = grow(index, index.genesis, 2, has_bodies=False)
    assert index.pledge(other[1])
    assert index.list_missing(10) == [entry.id for entry in other]
    index.set_invalid(other[0], "bad-tx-root", "its body")
    assert index.pledged is None
    assert index.list_missing(10) == []
    index.check_invariants()


def test_a_pledged_block_that_cannot_be_connected_is_not_the_best_header(index: BlockIndex) -> None:
    connect(index, grow(index, index.genesis, 1))
    heavier = grow(index, index.genesis, 4)
    assert index.pledge(heavier[3])
    assert index.redeem()
    assert index.best_header is index.final is heavier[3]
    index.set_invalid(heavier[0], "bad-state-root", "once it was executed")
    index.reopen(index.genesis)
    assert index.best_header is index.heaviest is index.tip
    index.check_invariants()


def test_what_waits_for_matrices_is_tried_again_though_another_branch_was_to_be_final(index: BlockIndex) -> None:
    connect(index, grow(index, index.genesis, 1))
    held, pledged = grow(index, index.genesis, 3), grow(index, index.genesis, 2)
    index.set_held(held[0], lacks_matrices=True)
    assert index.pledge(pledged[1])
    assert index.redeem()
    index.set_invalid(pledged[0], "bad-state-root", "once it was executed")
    index.reopen(index.genesis)
    index.release_held()
    assert index.find_best_side() is held[2]
    index.check_invariants()


def test_headers_above_a_held_block_that_are_forgotten_are_not_the_best(index: BlockIndex) -> None:
    held = grow(index, index.genesis, 1)
    above = grow(index, held[0], 3, has_bodies=False)
    index.set_held(held[0], lacks_matrices=True)
    assert index.best_header is above[2]
    assert index.make_room(1) == above
    assert index.best_header is held[0]
    assert index.list_missing(10) == []
    index.check_invariants()


def test_condemned_blocks_of_a_branch_that_counts_again_are_not_the_best(index: BlockIndex) -> None:
    branch = grow(index, index.genesis, 4, has_bodies=False)
    index.tick(TimeMs(0))
    index.tick(TimeMs(30_000))
    assert all(entry.is_stalled for entry in branch)
    index.set_invalid(branch[2], "bad-tx-root", "its body")
    index.set_body(branch[0])
    assert index.best_header is branch[1]
    index.check_invariants()
