"""Tests how the pool follows a chain whose final height moves, and one that lacks its past."""

from pathlib import Path

from msgspec.structs import replace

from inos.primitives.units import Height
from inos.workers.pool.follower import MOVEMENTS_AT_ONCE, Follower
from inos.workers.pool.records import IncomeState
from support.pool_lab import CREDIT, MEMBERS, OWN, PoolLab

A, B = MEMBERS[:2]


def test_an_earned_block_that_a_final_branch_undoes_is_owed_to_nobody(tmp_path: Path) -> None:
    lab = PoolLab(tmp_path / "pool")
    follower = Follower(lab.pool.books, OWN, 0, ripe_blocks=5)
    lab.share(A, 10)
    lab.chain.mine(CREDIT)
    for _ in range(8):
        lab.chain.mine()
    follower.follow(lab.chain)
    assert lab.pool.books.get_member(A).owed == CREDIT  # it is deep enough, and not final
    lab.chain.undo(9)
    for _ in range(12):
        lab.chain.mine()
    lab.chain.final_height = Height(8)
    follower.follow(lab.chain)
    assert lab.pool.books.get_member(A).owed == 0
    ((_, income),) = lab.pool.books.iterate_incomes(1)
    assert income.state is IncomeState.UNDONE
    assert lab.pool.books.list_open_incomes() == []
    lab.pool.books.check_invariants()


async def test_a_payout_below_an_imported_state_is_not_paid_again(tmp_path: Path) -> None:
    lab = PoolLab(tmp_path / "pool", fee_ppm=0)
    lab.share(A, 10)
    lab.chain.mine(10 * CREDIT)
    lab.ripen()
    await lab.pool.pay()
    lab.chain.mine(0, *lab.node.take())
    lab.chain.base_height = lab.chain.height  # the node begins again with a state from peers
    lab.move(tmp_path / "after")
    lab.ripen(300)
    member = lab.pool.books.get_member(A)
    assert (member.owed, member.pending) == (0, 10 * CREDIT)
    lab.share(B, 10)
    lab.chain.mine(10 * CREDIT)
    lab.ripen()
    await lab.pool.pay()  # the doubtful payout does not keep others waiting
    assert lab.pool.books.get_member(B).pending == 5 * CREDIT
    lab.chain.mine(0, *lab.node.take())
    lab.ripen(300)
    assert lab.pool.books.get_member(B).paid == 5 * CREDIT
    lab.pool.books.check_invariants()
    lab.pool.books.close()


def test_blocks_with_many_movements_are_searched_a_few_at_once(tmp_path: Path) -> None:
    lab = PoolLab(tmp_path / "pool")
    for _ in range(10):
        block = lab.chain.mine()
        lab.chain.blocks[-1] = replace(block, received=replace(block.received, movements=MOVEMENTS_AT_ONCE // 2))
    lab.chain.mine(CREDIT)
    scanned = []
    follower = Follower(lab.pool.books, OWN, 0)
    while not follower.follow(lab.chain):
        scanned.append(lab.pool.books.head.scanned_height)
    assert scanned == [2, 4, 6, 8, 10]
    assert lab.pool.books.head.incomes == 1
    lab.pool.books.close()
