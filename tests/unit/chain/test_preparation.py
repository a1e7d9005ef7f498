"""Blocks executed before their turn: connecting them leads to the same database, and executes nothing again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from inos.chain import movement, schema
from inos.chain.mempool import Mempool
from inos.chain.preparation import MAX_PREPARED, prepare_block
from inos.chain.template import make_template
from inos.chain.tree_update import update_tree
from inos.chain.waiting import WaitingSet
from inos.consensus.execution import begin_block
from inos.primitives.errors import MatrixMissing, RuleViolation, VerdictMissing
from inos.primitives.transactions import ClaimJob, SubmitResult
from inos.primitives.units import Height, JobId
from support.chain_maker import (
    ALICE,
    BOB,
    CAROL,
    NOW,
    Branch,
    compute_tx_id,
    dump,
    feed,
    make_post,
    make_result_ref,
)


def forbid(what: str) -> Callable[..., Any]:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError(f"{what} in the writer")

    return refuse


def test_prepared_blocks_lead_where_others_lead(tmp_path: Path) -> None:
    branch = Branch()
    for number in range(4):
        branch.grow(branch.pay(ALICE, BOB.address, 5 + number), branch.pay(BOB, CAROL.address))
    plain, prepared = branch.open_ledger(tmp_path / "a"), branch.open_ledger(tmp_path / "b")
    feed(plain, branch.blocks)
    with patch.object(movement, "prepare_block", forbid("a block is executed")):
        for made in branch.blocks:
            found = prepared.view.prepare(made.block)
            assert found is not None
            prepared.prepared.keep(made.id, found)
            assert prepared.add_block(made.block, made.witness, NOW).connected == (made.id,)
    assert dump(prepared) == dump(plain)
    assert prepared.view.prepare(branch.blocks[1].block) is None, "its parent is not the tip"
    plain.close()
    prepared.close()


def test_prepared_and_other_blocks_take_turns_over_reorganisations(tmp_path: Path) -> None:
    """The writer's tree is read anew where nodes came with a prepared block, and undone with the others."""
    trunk = Branch()
    for number in range(4):
        trunk.grow(trunk.pay(ALICE, BOB.address, 5 + number), trunk.pay(ALICE, CAROL.address, 7, ahead=1))
    short, long = trunk.fork(), trunk.fork()
    short.grow(short.pay(ALICE, CAROL.address, 3))
    short.grow(short.pay(ALICE, BOB.address, 4))
    for number in range(4):
        long.grow(long.pay(ALICE, CAROL.address, 50 + number))
    order = [*short.blocks, *long.blocks[4:]]
    plain, mixed = trunk.open_ledger(tmp_path / "a"), trunk.open_ledger(tmp_path / "b")
    feed(plain, order)
    for number, made in enumerate(order):
        found = mixed.view.prepare(made.block) if number % 3 == 1 else None
        if found is not None:
            mixed.prepared.keep(made.id, found)
        mixed.add_block(made.block, made.witness, NOW)
        mixed.check()
    assert mixed.view.tip.id == long.tip_id
    assert dump(mixed) == dump(plain)
    plain.close()
    mixed.close()


def test_a_block_that_waits_for_a_verdict_keeps_its_nodes(tmp_path: Path) -> None:
    """The writer executes it itself, and others are connected and undone before the verdict."""
    branch, checker = Branch(), Checker()
    post = branch.sign(ALICE, make_post(1, reward=100, deadline=20, claim_window=5, max_burn=10**6))
    job = JobId(compute_tx_id(post))
    branch.grow(post)
    branch.grow(branch.sign(BOB, ClaimJob(job)))
    other = branch.fork()
    held = branch.grow(branch.sign(BOB, SubmitResult(job, make_result_ref())))
    next_one = branch.grow()
    side = other.grow(other.pay(ALICE, CAROL.address))
    ledger = branch.open_ledger(tmp_path / "a", checker)
    feed(ledger, branch.blocks[:2])
    with pytest.raises(VerdictMissing):
        ledger.add_block(held.block, held.witness, NOW)
    assert ledger.add_block(side.block, side.witness, NOW).connected == (side.id,)
    checker.verdict = True
    ledger.add_block(next_one.block, next_one.witness, NOW)
    with patch.object(movement, "prepare_block", wraps=prepare_block) as prepare:
        ledger.retry_held(NOW)
    assert [call.args[4] for call in prepare.call_args_list] == [next_one.id], "the held block is not executed again"
    ledger.check()
    assert ledger.view.tip.id == branch.tip_id
    whole = update_tree(lambda key: None, dict(ledger.view.reader.iterate_records()))
    assert {key: node for key, node in dump(ledger).items() if key[:1] == schema.NODE} == whole.nodes
    ledger.close()


def test_all_blocks_and_templates_on_a_tip_share_one_start(tmp_path: Path) -> None:
    branch = Branch()
    ledger = branch.open_ledger(tmp_path)
    with patch("inos.chain.preparation.begin_block", wraps=begin_block) as begin:
        for number in range(3):
            made = branch.grow(branch.pay(ALICE, BOB.address))
            for miner in (ALICE, BOB):
                make_template(ledger.view, Mempool(branch.params), beneficiary=miner.address, now_ms=NOW)
            assert ledger.view.prepare(made.block) is not None
            assert begin.call_count == number + 1
            feed(ledger, [made])
    ledger.close()


def test_a_prepared_violation_condemns_the_block(tmp_path: Path) -> None:
    branch = Branch()
    ledger = branch.open_ledger(tmp_path)
    made = branch.draft(state_root=bytes(32))
    found = ledger.view.prepare(made.block)
    assert found is not None
    assert found.violation is not None
    ledger.prepared.keep(made.id, found)
    with patch.object(movement, "prepare_block", forbid("a block is executed")), pytest.raises(RuleViolation) as caught:
        ledger.add_block(made.block, made.witness, NOW)
    assert caught.value.code == "bad-state-root"
    assert ledger.view.get_status(made.id).startswith("invalid: [bad-state-root]")
    ledger.close()


class Checker:
    """Gives no verdict at first, and one later."""

    verdict: bool | None = None

    def get_verdict(self, product: Any) -> bool:
        if self.verdict is None:
            raise MatrixMissing((product.y.id,))
        return self.verdict


@pytest.mark.parametrize("verdict", [True, False])
def test_a_block_that_waited_for_verdicts_is_not_executed_again(tmp_path: Path, verdict: bool) -> None:
    branch, checker = Branch(), Checker()
    post = branch.sign(ALICE, make_post(1, reward=100, deadline=20, claim_window=5, max_burn=10**6))
    job = JobId(compute_tx_id(post))
    branch.grow(post)
    branch.grow(branch.sign(BOB, ClaimJob(job)))
    made = branch.grow(branch.sign(BOB, SubmitResult(job, make_result_ref())))
    ledger = branch.open_ledger(tmp_path, checker)
    feed(ledger, branch.blocks[:-1])
    found = ledger.view.prepare(made.block)
    assert found is not None
    with patch.object(movement, "prepare_block", forbid("a block is executed")):
        ledger.prepared.keep(made.id, found)
        with pytest.raises(VerdictMissing):
            ledger.add_block(made.block, made.witness, NOW)
        checker.verdict = verdict
        outcome = ledger.retry_held(NOW)
    assert outcome.connected == ((made.id,) if verdict else ())
    assert ledger.view.get_status(made.id).startswith("connected" if verdict else "invalid: [wrong-result]")
    ledger.close()


def test_few_prepared_blocks_are_kept(tmp_path: Path) -> None:
    branch = Branch()
    ledger = branch.open_ledger(tmp_path)
    made = branch.grow()
    found = ledger.view.prepare(made.block)
    assert found is not None
    for number in range(2 * MAX_PREPARED):
        ledger.prepared.keep(type(made.id)(bytes([number]) * 32), found)
    assert len(ledger.prepared) == MAX_PREPARED
    ledger.close()


def test_a_connected_block_looks_at_each_account_s_queue_once() -> None:
    branch = Branch()
    pool, count = Mempool(branch.params), 60
    paid = [branch.pay(ALICE, BOB.address, ahead=ahead) for ahead in range(count)]
    for tx in paid:
        pool.add(tx, branch.state, Height(0))
    made = branch.grow(*paid[: count // 2])
    with patch.object(WaitingSet, "_find_gaps", autospec=True, side_effect=WaitingSet._find_gaps) as find_gaps:
        pool.on_connected(made.block)
    assert find_gaps.call_count == 1
    assert pool.list_ids() == [compute_tx_id(tx) for tx in paid[count // 2 :]]
