"""Invalid blocks are remembered with their reason, also after a restart, until a recheck."""

from pathlib import Path
from unittest.mock import patch

import pytest

from inos.chain.errors import ChainError
from inos.chain.recheck import recheck
from inos.primitives.blocks import Block, compute_tx_root
from inos.primitives.bls import get_bls
from inos.primitives.errors import RuleViolation
from support.chain_maker import ALICE, BOB, NOW, Branch, feed, seal
from support.consensus_lab import edit


def run(path: Path, branch: Branch):
    return recheck(path, branch.params, branch.genesis, results=branch.products, bls=get_bls(), is_durable=False)


def refuse(ledger, made):
    with pytest.raises(RuleViolation) as caught:
        ledger.add_block(made.block, made.witness, NOW)
    return caught.value


def test_what_is_invalid_stays_so_and_what_a_mistake_condemned_is_connected(tmp_path: Path):
    branch = Branch()
    branch.grow_by(3)
    wrong = branch.draft(state_root=bytes(32), nonce=5)
    ledger = branch.open_ledger(tmp_path)
    feed(ledger, branch.blocks)
    assert refuse(ledger, wrong).code == "bad-state-root"
    good = branch.grow(branch.pay(ALICE, BOB.address))
    child = branch.grow()
    # This simulates a program with a bug.
    mistake = RuleViolation("bad-state-root", "the state root of block 4")
    with patch("inos.chain.preparation.check_state_root", side_effect=mistake):
        refuse(ledger, good)
    refuse(ledger, child)
    ledger.close()

    ledger = branch.open_ledger(tmp_path)
    assert ledger.view.get_status(good.id) == "invalid: [bad-state-root] the state root of block 4"
    assert ledger.view.tip.header.height == 3
    with pytest.raises(ChainError) as caught:
        run(tmp_path, branch)
    assert caught.value.code == "database-in-use"
    assert "stop the other node" in caught.value.hint
    ledger.close()

    found = {each.block.id: each for each in run(tmp_path, branch)}
    assert found.keys() == {wrong.id, good.id}
    assert found[good.id].status == "connected"
    assert (found[good.id].block.height, found[good.id].block.code) == (4, "bad-state-root")
    assert found[wrong.id].is_invalid
    ledger = branch.open_ledger(tmp_path)
    assert ledger.view.tip.id == good.id
    feed(ledger, [child])
    assert ledger.view.tip.id == child.id
    ledger.check()
    ledger.close()


def test_an_invalid_block_on_the_heaviest_chain_is_found_invalid_again(tmp_path: Path):
    branch = Branch()
    branch.grow_by(2)
    wrong = branch.draft(state_root=bytes(32))
    ledger = branch.open_ledger(tmp_path)
    feed(ledger, branch.blocks)
    refuse(ledger, wrong)
    ledger.close()
    for _ in range(2):
        (found,) = run(tmp_path, branch)
        assert found.is_invalid
        assert found.status.startswith("invalid: [bad-state-root]")
    ledger = branch.open_ledger(tmp_path)
    assert refuse(ledger, wrong).code == "bad-state-root"
    ledger.close()


def test_a_block_whose_body_was_not_kept_is_asked_for_again(tmp_path: Path):
    branch = Branch()
    branch.grow_by(1)
    twice = branch.pay(ALICE, BOB.address)
    wrong = branch.draft()
    doubled = edit(Block(wrong.block.header, (twice, twice)), tx_root=compute_tx_root((twice, twice)), seal=None)
    made = seal(doubled)
    ledger = branch.open_ledger(tmp_path)
    feed(ledger, branch.blocks)
    assert refuse(ledger, made).code == "duplicate-transaction"
    ledger.close()
    (found,) = run(tmp_path, branch)
    assert (found.block.code, found.status) == ("duplicate-transaction", "header")
    assert run(tmp_path, branch) == ()
