"""Final blocks are never undone: with branches below them, restarts, and branches whose state does not name them."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from inos.chain.ledger import Ledger
from inos.primitives.errors import NotYet
from inos.primitives.transactions import RegisterVoter
from inos.primitives.units import Height
from support.chain_maker import ALICE, EASY, NOW, Branch, MadeBlock, feed
from support.voters import get_bls_key, make_aggregate, prove

PARAMS = msgspec.structs.replace(EASY, epoch_blocks=4)


@pytest.fixture
def branch() -> Branch:
    """Return a branch on which Alice votes alone from the checkpoint at 8 on. The tip is 17, and with two of her votes
    8 is final.
    """
    branch = Branch(PARAMS)
    branch.grow(miner=ALICE.address)
    branch.grow(branch.sign(ALICE, RegisterVoter(get_bls_key("alice"), prove("alice"), 1000)), miner=ALICE.address)
    for _ in range(7):
        branch.grow(miner=ALICE.address)
    for _ in range(2):
        branch.grow(aggregate=make_aggregate(branch.state, ["alice"]))
        branch.grow_by(3)
    return branch


@pytest.fixture
def ledger(branch: Branch, tmp_path: Path) -> Iterator[Ledger]:
    opened = branch.open_ledger(tmp_path)
    yield opened
    opened.close()


def refuse(ledger: Ledger, made: MadeBlock) -> str:
    with pytest.raises(NotYet) as caught:
        ledger.add_block(made.block, made.witness, NOW)
    return caught.value.code


def test_blocks_become_justified_and_final(branch: Branch, ledger: Ledger) -> None:
    feed(ledger, branch.blocks[:12])
    assert ledger.view.final.header.height == 0
    assert [ledger.view.get_block_finality(Height(height)) for height in (8, 9)] == ["justified", "none"]
    feed(ledger, branch.blocks[12:])
    assert ledger.view.final.id == ledger.view.get_block_id(Height(8))
    assert [ledger.view.get_block_finality(Height(height)) for height in (1, 8, 9, 12, 13)] == [
        "final", "final", "justified", "justified", "none"
    ]  # fmt: skip


def test_no_heavier_branch_passes_the_final_block(branch: Branch, ledger: Ledger) -> None:
    other = branch.fork(back=10)  # leaves at 7
    other.grow_by(20, nonce=9)
    feed(ledger, branch.blocks)
    tip = ledger.view.tip.id
    assert refuse(ledger, other.blocks[7]) == "conflicts-with-final"
    with pytest.raises(NotYet):
        ledger.add_header(other.blocks[7].block.header, NOW)
    assert ledger.view.tip.id == tip
    later = branch.fork(back=9)  # leaves at 8, the final block itself
    feed(ledger, later.grow_by(12, nonce=9))
    assert ledger.view.tip.id == later.tip_id


def test_a_branch_known_before_is_left_where_it_conflicts(branch: Branch, ledger: Ledger) -> None:
    other = branch.fork(back=10)
    other.grow_by(12, nonce=9)
    feed(ledger, branch.blocks[:12])
    feed(ledger, other.blocks[7:11])  # lighter for now
    for made in other.blocks[11:]:
        ledger.add_header(made.block.header, NOW)
    assert ledger.view.best_header.id == other.tip_id
    feed(ledger, branch.blocks[12:])
    assert ledger.view.best_header.id == branch.tip_id, "nothing is wanted of a branch that is never gone to"
    assert not ledger.view.get_missing_blocks(10)
    assert refuse(ledger, other.blocks[11]) == "conflicts-with-final"


def test_final_stays_final_on_a_branch_that_does_not_say_so_and_after_a_restart(
    branch: Branch, ledger: Ledger, tmp_path: Path
) -> None:
    feed(ledger, branch.blocks)
    silent = branch.fork(back=9)
    feed(ledger, silent.grow_by(12, nonce=9))
    record = ledger.view.state.get_finality()
    assert record is not None
    assert record.finalized.epoch == 0
    assert ledger.view.final.header.height == 8
    ledger.close()
    again = branch.open_ledger(tmp_path)
    try:
        assert again.view.tip.id == silent.tip_id
        assert again.view.final.header.height == 8
        other = branch.fork(back=10)
        other.grow_by(20, nonce=9)
        assert refuse(again, other.blocks[7]) == "conflicts-with-final"
    finally:
        again.close()


def test_votes_heard_lead_to_a_lighter_chain_once_its_bodies_are_here(branch: Branch, ledger: Ledger) -> None:
    """Bodies of a pledged chain are requested first, and the ledger moves to it as a whole, even if another chain is
    heavier.
    """
    light = branch.fork(back=10)  # leaves at 7
    light.grow_by(4, nonce=9)
    heavy = branch.fork(back=10)
    heavy.grow_by(12, nonce=8)
    feed(ledger, heavy.blocks)
    for made in light.blocks[7:]:
        ledger.add_header(made.block.header, NOW)
    target = light.blocks[8]
    assert ledger.view.best_header.id == heavy.tip_id
    assert not ledger.pledge(target.id).connected
    assert ledger.view.tip.id == heavy.tip_id
    assert ledger.view.get_missing_blocks(10) == [made.id for made in light.blocks[7:9]]
    feed(ledger, light.blocks[7:9])
    assert (ledger.view.tip.id, ledger.view.final.id) == (target.id, target.id)
    feed(ledger, light.blocks[9:])
    assert ledger.view.tip.id == light.tip_id
    more = heavy.grow()
    assert refuse(ledger, more) == "conflicts-with-final"
    assert not ledger.pledge(heavy.blocks[9].id).is_new


def test_a_pledge_that_turns_out_invalid_is_taken_back(branch: Branch, ledger: Ledger) -> None:
    heavy = branch.fork(back=10)
    heavy.grow_by(6, nonce=8)
    light = branch.fork(back=10)
    good = light.grow(nonce=9)
    bad = light.draft(nonce=9, state_root=b"\7" * 32)
    feed(ledger, [*heavy.blocks, good, bad])
    tip = ledger.view.tip.id
    ledger.pledge(bad.id)
    assert (ledger.view.tip.id, ledger.view.final.header.height) == (tip, 0)
    assert ledger.view.get_status(bad.id).startswith("invalid")
    more = heavy.grow()
    ledger.add_block(more.block, more.witness, NOW)
    assert ledger.view.tip.id == more.id


def test_a_pledge_redeemed_holds_over_a_restart(branch: Branch, ledger: Ledger, tmp_path: Path) -> None:
    light = branch.fork(back=10)
    light.grow_by(2, nonce=9)
    heavy = branch.fork(back=10)
    heavy.grow_by(6, nonce=8)
    feed(ledger, [*heavy.blocks, *light.blocks[7:]])
    assert ledger.pledge(light.blocks[7].id).disconnected
    ledger.close()
    again = branch.open_ledger(tmp_path)
    try:
        assert (again.view.tip.id, again.view.final.id) == (light.tip_id, light.blocks[7].id)
    finally:
        again.close()
