"""Tests how the pool follows a chain whose final height moves, and one that lacks its past."""

from pathlib import Path

from inos.primitives.units import Height
from inos.workers.pool.follower import Follower
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
