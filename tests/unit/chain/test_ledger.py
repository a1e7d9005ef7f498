"""Tests connecting, leaving a branch again, holding blocks that cannot be checked, and what is remembered of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from inos import work
from inos.chain.ledger import Ledger
from inos.consensus.records import JobState
from inos.core.verification.results import StoredResults
from inos.mesh.store import MatrixStore
from inos.primitives.blocks import Block
from inos.primitives.errors import ClockAhead, InvalidCertificate, ParentMissing, RuleViolation, VerdictMissing
from inos.primitives.transactions import ClaimJob, SubmitResult, compute_tx_id
from inos.primitives.units import JobId, TimeMs
from support.chain_maker import (
    ALICE,
    BOB,
    CAROL,
    NOW,
    Branch,
    MadeBlock,
    dump,
    feed,
    make_post,
    make_result_ref,
    seal,
)
from support.consensus_lab import edit


@pytest.fixture
def branch() -> Branch:
    return Branch()


@pytest.fixture
def ledger(branch: Branch, tmp_path: Path) -> Iterator[Ledger]:
    opened = branch.open_ledger(tmp_path)
    yield opened
    opened.close()


def add(ledger: Ledger, made: MadeBlock) -> Any:
    return ledger.add_block(made.block, made.witness, NOW)


def refuse(ledger: Ledger, made: MadeBlock) -> str:
    with pytest.raises(RuleViolation) as caught:
        add(ledger, made)
    return caught.value.code


def extend_blindly(branch: Branch, parent: MadeBlock) -> MadeBlock:
    """Return a valid-looking child of an invalid block."""
    twin = branch.draft()
    header = msgspec.structs.replace(
        twin.block.header,
        parent=parent.id,
        height=parent.block.header.height + 1,
        time_ms=parent.block.header.time_ms + 2000,
    )
    return seal(Block(header, ()))


def test_blocks_connect_in_order(branch: Branch, ledger: Ledger) -> None:
    blocks = branch.grow_by(3)
    outcomes = feed(ledger, blocks)
    assert [outcome.connected for outcome in outcomes] == [(made.id,) for made in blocks]
    assert all(outcome.is_new and not outcome.disconnected for outcome in outcomes)
    assert ledger.view.tip.id == branch.tip_id
    assert ledger.view.tip.weight == 3
    assert [ledger.view.get_block_id(height) for height in range(5)] == [  # type: ignore[arg-type]
        branch.blocks[0].block.header.parent,
        *[made.id for made in blocks],
        None,
    ]
    again = add(ledger, blocks[1])
    assert (again.is_new, again.connected, again.disconnected) == (False, (), ())


def test_equal_weight_stays_with_what_was_seen_first(branch: Branch, ledger: Ledger) -> None:
    twin = branch.fork()
    feed(ledger, branch.grow_by(2))
    outcomes = feed(ledger, twin.grow_by(2, nonce=5))
    assert ledger.view.tip.id == branch.tip_id
    assert all(outcome.is_new and not outcome.connected for outcome in outcomes)
    assert ledger.view.get_status(twin.tip_id) == "stored"


def test_branch_with_an_invalid_block_in_the_middle(branch: Branch, ledger: Ledger, tmp_path: Path) -> None:
    """The branch looks heavier, so the ledger moves there, finds the invalid block, and returns."""
    side = branch.fork()
    feed(ledger, branch.grow_by(3))
    good = side.grow_by(2, nonce=9)
    bad = side.draft(state_root=b"\x01" * 32)
    child = extend_blindly(side, bad)
    grandchild = extend_blindly(side, child)
    before = dump(ledger)
    ledger.add_header(good[0].block.header, NOW)
    ledger.add_header(good[1].block.header, NOW)
    for made in (bad, child, grandchild):
        ledger.add_header(made.block.header, NOW)
    assert ledger.view.best_header.id == grandchild.id
    for made in (grandchild, child, bad, good[1]):
        outcome = add(ledger, made)
        assert not outcome.connected
    # Now the whole branch is here; its last part arrives first and the gap closes with a block that is fine.
    outcome = add(ledger, good[0])
    assert (outcome.connected, outcome.disconnected, outcome.is_new) == ((), (), True)
    assert ledger.view.tip.id == branch.tip_id
    assert ledger.view.best_header.id == branch.tip_id
    assert ledger.view.get_missing_blocks(10) == []
    after = {key: value for key, value in dump(ledger).items() if key[:1] not in b"hlbwx"}
    assert after == {key: value for key, value in before.items() if key[:1] not in b"hlbwx"}
    ledger.check()
    for _ in range(2):
        assert ledger.view.get_status(good[1].id) == "stored"
        for made in (bad, child, grandchild):
            status = ledger.view.get_status(made.id)
            assert status.startswith("invalid: [bad-state-root]")
            assert "01010101" in status
            assert refuse(ledger, made) == "bad-state-root"
        assert refuse(ledger, extend_blindly(side, grandchild)) == "bad-state-root"
        ledger.close()
        ledger = branch.open_ledger(tmp_path)
        assert ledger.view.tip.id == branch.tip_id
    ledger.close()


def test_way_to_an_invalid_block_that_is_as_good_as_the_tip(branch: Branch, ledger: Ledger) -> None:
    """The rest of the branch weighs as much as the tip, which was seen first and stays."""
    side = branch.fork()
    feed(ledger, branch.grow_by(2))
    feed(ledger, side.grow_by(2, nonce=9))
    bad = side.draft(state_root=bytes(32))
    before = dump(ledger)
    assert refuse(ledger, bad) == "bad-state-root"
    assert ledger.view.tip.id == branch.tip_id
    assert {key: value for key, value in dump(ledger).items() if key[:1] not in b"hlbwx"} == {
        key: value for key, value in before.items() if key[:1] not in b"hlbwx"
    }


def test_branch_is_followed_as_far_as_it_is_valid(branch: Branch, ledger: Ledger) -> None:
    side = branch.fork()
    feed(ledger, branch.grow_by(1))
    good = side.grow_by(2, nonce=9)
    bad = side.draft(state_root=bytes(32))
    for made in (*good, bad):
        ledger.add_header(made.block.header, NOW)
    add(ledger, bad)
    add(ledger, good[1])
    outcome = add(ledger, good[0])
    assert outcome.connected == (good[0].id, good[1].id)
    assert outcome.disconnected == (branch.tip_id,)
    assert ledger.view.tip.id == good[1].id
    assert ledger.view.get_status(bad.id).startswith("invalid")


@pytest.mark.parametrize("fault", ["target", "time", "height", "transaction", "chain"])
def test_invalid_headers_are_refused_and_not_stored(branch: Branch, ledger: Ledger, fault: str) -> None:
    feed(ledger, branch.grow_by(2))
    changes: dict[str, tuple[dict[str, Any], str]] = {
        "target": ({"target": b"\x7f" + b"\xff" * 31}, "bad-target"),
        "time": ({"time_ms": branch.headers[1].time_ms}, "time-too-old"),
        "height": ({"height": 7}, "bad-height"),
        "transaction": ({"tx_root": b"\x01" * 32}, "bad-tx-root"),
        "chain": ({"chain_id": 1}, "wrong-chain-id"),
    }
    made = branch.draft(**changes[fault][0])
    before = dump(ledger)
    assert refuse(ledger, made) == changes[fault][1]
    assert ledger.view.get_status(made.id) == "unknown"
    assert dump(ledger) == before
    if fault != "transaction":
        with pytest.raises(RuleViolation):
            ledger.add_header(made.block.header, NOW)
        assert dump(ledger) == before


def test_bad_body_under_a_good_seal_is_remembered(branch: Branch, ledger: Ledger, tmp_path: Path) -> None:
    """A transaction has a spoiled signature, which is found without any state."""
    tx = branch.pay(ALICE, BOB.address)
    bad = branch.draft(msgspec.structs.replace(tx, signature=bytes(64)))
    assert refuse(ledger, bad) == "bad-signature"
    assert ledger.view.get_status(bad.id).startswith("invalid: [bad-signature]")
    assert refuse(ledger, bad) == "bad-signature"
    ledger.close()
    again = branch.open_ledger(tmp_path)
    assert again.view.get_status(bad.id).startswith("invalid: [bad-signature]")
    assert again.view.get_missing_blocks(5) == []
    again.close()


def test_bad_witness_says_nothing_about_the_block(branch: Branch, ledger: Ledger) -> None:
    made = branch.grow()
    spoiled = msgspec.structs.replace(made.witness, x_strip=bytes(len(made.witness.x_strip)))
    before = dump(ledger)
    with pytest.raises(InvalidCertificate):
        ledger.add_block(made.block, spoiled, NOW)
    assert ledger.view.get_status(made.id) == "unknown"
    assert dump(ledger) == before
    assert add(ledger, made).connected == (made.id,)


def test_foreign_body_says_nothing_about_the_block(branch: Branch, ledger: Ledger) -> None:
    made = branch.grow(branch.pay(ALICE, BOB.address))
    with pytest.raises(RuleViolation) as caught:
        ledger.add_block(Block(made.block.header, ()), made.witness, NOW)
    assert caught.value.code == "bad-tx-root"
    assert ledger.view.get_status(made.id) == "unknown"
    assert add(ledger, made).connected == (made.id,)


def test_unknown_parent_and_fast_clock_store_nothing(branch: Branch, ledger: Ledger) -> None:
    first, second = branch.grow_by(2)
    before = dump(ledger)
    with pytest.raises(ParentMissing) as missing:
        add(ledger, second)
    assert missing.value.parent == first.id
    with pytest.raises(ParentMissing):
        ledger.add_header(second.block.header, NOW)
    early = TimeMs(first.block.header.time_ms - 15_001)
    for action in (
        lambda: ledger.add_block(first.block, first.witness, early),
        lambda: ledger.add_header(first.block.header, early),
    ):
        with pytest.raises(ClockAhead) as ahead:
            action()
        assert ahead.value.until == first.block.header.time_ms - 15_000
    assert dump(ledger) == before
    assert ledger.view.get_status(first.id) == ledger.view.get_status(second.id) == "unknown"
    ledger.add_block(first.block, first.witness, TimeMs(early + 1))
    assert add(ledger, second).connected == (second.id,)


def grow_job(branch: Branch) -> tuple[JobId, MadeBlock]:
    """Return a chain with a job that is posted and claimed; the block with the result is not connected."""
    post = branch.sign(ALICE, make_post(branch.height + 1), fee=1000)
    job = JobId(compute_tx_id(post))
    branch.grow(post)
    branch.grow(branch.sign(BOB, ClaimJob(job), fee=1000))
    return job, branch.draft(branch.sign(BOB, SubmitResult(job, make_result_ref()), fee=1000))


def test_missing_matrices_hold_a_block_and_its_descendants(branch: Branch, ledger: Ledger, tmp_path: Path) -> None:
    job, result = grow_job(branch)
    feed(ledger, branch.blocks)
    branch.append(result)
    child = branch.grow()
    y = make_result_ref()
    branch.products.missing.add(y.id)
    with pytest.raises(VerdictMissing) as caught:
        add(ledger, result)
    assert caught.value.ids == (y.id,)
    assert ledger.view.get_status(result.id) == "stored"
    assert not add(ledger, child).connected
    with pytest.raises(VerdictMissing):
        ledger.retry_held(NOW)
    assert ledger.view.tip.id == branch.blocks[1].id
    # What is held is tried again after a restart, when the next block comes.
    ledger.close()
    ledger = branch.open_ledger(tmp_path)
    assert ledger.view.tip.id == branch.blocks[1].id
    side = branch.fork(2)
    outcome = add(ledger, side.grow(nonce=5))
    assert outcome.connected == (side.tip_id,)
    assert outcome.missing == (y.id,)
    branch.products.missing.clear()
    outcome = ledger.retry_held(NOW)
    assert outcome.connected == (result.id, child.id)
    assert ledger.view.state.get_job(job).state is JobState.SETTLED  # type: ignore[union-attr]
    ledger.check()
    ledger.close()


def test_held_branch_leaves_the_tip_and_names_what_it_needs(branch: Branch, ledger: Ledger) -> None:
    """The second block of a heavier branch waits. Its first block is as good as the tip, so nothing moves."""
    side = branch.fork()
    _, result = grow_job(side)
    y = make_result_ref()
    feed(ledger, branch.grow_by(2))
    feed(ledger, side.blocks)
    branch.products.missing.add(y.id)
    with pytest.raises(VerdictMissing):
        add(ledger, result)
    assert ledger.view.tip.id == branch.tip_id
    side.products.missing.clear()
    outcome = ledger.retry_held(NOW)
    assert outcome.disconnected == tuple(made.id for made in reversed(branch.blocks))
    assert ledger.view.tip.id == result.id


def test_wrong_result_condemns_its_block(branch: Branch, ledger: Ledger) -> None:
    _, result = grow_job(branch)
    feed(ledger, branch.blocks)
    branch.products.wrong.add(make_result_ref().id)
    assert refuse(ledger, result) == "wrong-result"
    assert ledger.view.get_status(result.id).startswith("invalid: [wrong-result]")
    assert ledger.view.tip.id == branch.tip_id


def test_real_matrices_settle_a_job(tmp_path: Path) -> None:
    """The node's checker works over a store that gets the matrices late."""
    store = MatrixStore(tmp_path / "matrices")
    results = StoredResults(store)
    branch, rng = Branch(), np.random.default_rng(4)
    x, w = (rng.integers(-64, 64, (rows, 70), np.int8) for rows in (20, 33))
    y = x.astype(np.int32) @ w.astype(np.int32).T
    post = branch.sign(ALICE, make_post(1, x=work.matrix_ref(x), w=work.matrix_ref(w)), fee=1000)
    job = JobId(compute_tx_id(post))
    branch.grow(post)
    branch.grow(branch.sign(BOB, ClaimJob(job), fee=1000))
    ledger = branch.open_ledger(tmp_path / "ledger", results)
    feed(ledger, branch.blocks)
    wrong = y.copy()
    wrong[19, 32] += 1
    spoiled = branch.draft(branch.sign(BOB, SubmitResult(job, work.matrix_ref(wrong)), fee=1000))
    right = branch.grow(branch.sign(BOB, SubmitResult(job, work.matrix_ref(y)), fee=1000))
    for array in (x, w, wrong):
        with pytest.raises(VerdictMissing):
            add(ledger, spoiled) if array is x else ledger.retry_held(NOW)
        store.put(array)
    outcome = ledger.retry_held(NOW)
    assert not outcome.connected
    assert ledger.view.get_status(spoiled.id).startswith("invalid: [wrong-result]")
    with pytest.raises(VerdictMissing) as caught:
        add(ledger, right)
    assert caught.value.ids == (work.matrix_id(y),)
    store.put(y)
    assert ledger.retry_held(NOW).connected == (right.id,)
    ledger.close()


def test_reputation_moves_with_a_reorganisation(branch: Branch, ledger: Ledger) -> None:
    _, result = grow_job(branch)
    branch.append(result)
    earned = branch.state.get_account(BOB.address).reputation
    side = branch.fork(1)
    feed(ledger, branch.blocks)
    assert ledger.view.state.get_account(BOB.address).reputation == earned > 0
    feed(ledger, side.grow_by(2, nonce=3))
    assert ledger.view.state.get_account(BOB.address).reputation == 0


def grow_held(branch: Branch) -> tuple[MadeBlock, MadeBlock]:
    """Return two blocks of equal weight on a claimed job: one delivers a result that nobody can check, and one is
    empty.
    """
    _, result = grow_job(branch)
    branch.products.missing.add(make_result_ref().id)
    return result, branch.fork().grow(nonce=9)


@pytest.mark.parametrize(("waited_ms", "is_first"), [(250, True), (251, False)])
def test_block_whose_matrices_came_late_loses_a_tie(
    branch: Branch, ledger: Ledger, waited_ms: int, is_first: bool
) -> None:
    """The result's block came first, but its matrices may come at most an eighth of the spacing of 2,000 ms later."""
    result, rival = grow_held(branch)
    feed(ledger, branch.blocks)
    with pytest.raises(VerdictMissing):
        add(ledger, result)
    branch.products.missing.clear()
    ledger.retry_held(TimeMs(NOW + waited_ms))
    assert ledger.view.tip.id == result.id, "while it is alone it is the best"
    add(ledger, rival)
    assert (ledger.view.tip.id == result.id) is is_first
    ledger.check()


def test_block_that_waits_for_a_check_alone_is_not_late(branch: Branch, ledger: Ledger) -> None:
    result, rival = grow_held(branch)
    branch.products.missing.clear()
    branch.products.unchecked.add(make_result_ref().id)
    feed(ledger, branch.blocks)
    with pytest.raises(VerdictMissing) as caught:
        add(ledger, result)
    assert (len(caught.value.products), caught.value.ids) == (1, ())
    branch.products.unchecked.clear()
    ledger.retry_held(TimeMs(NOW + 10**6))
    add(ledger, rival)
    assert ledger.view.tip.id == result.id


def test_more_weight_beats_every_mark_and_a_restart_forgets_them(
    branch: Branch, ledger: Ledger, tmp_path: Path
) -> None:
    result, rival = grow_held(branch)
    feed(ledger, branch.blocks)
    with pytest.raises(VerdictMissing):
        add(ledger, result)
    add(ledger, rival)
    branch.products.missing.clear()
    ledger.retry_held(TimeMs(NOW + 10**6))
    assert ledger.view.tip.id == rival.id
    branch.append(result)
    add(ledger, branch.grow())
    assert ledger.view.tip.id == branch.tip_id, "two blocks weigh more than one, late or not"
    assert ledger._index.tip.late == 1
    ledger.close()
    ledger = branch.open_ledger(tmp_path)
    assert ledger._index.tip.late == 0
    ledger.close()


def test_reader_keeps_its_block_while_the_chain_moves(branch: Branch, ledger: Ledger) -> None:
    feed(ledger, branch.grow_by(2))
    state, records = ledger.view.state, ledger.view.reader.iterate_records()
    first = next(records)
    balance = state.get_account(ALICE.address).balance
    feed(ledger, [branch.grow(branch.pay(ALICE, CAROL.address, 77)), branch.grow()])
    assert state.get_account(ALICE.address).balance == balance
    assert state.get_account(CAROL.address).balance == 0
    assert ledger.view.state.get_account(CAROL.address).balance == 77
    assert len([first, *records]) == 7, "Carol is not among them"


def test_reader_never_sees_the_way_of_a_reorganisation(branch: Branch, ledger: Ledger) -> None:
    """Every tip seen while blocks are checked is one of the two ends."""
    side = branch.fork()
    _, result = grow_job(side)
    feed(ledger, branch.grow_by(2))
    feed(ledger, side.blocks)
    seen = []
    check = branch.products.get_verdict

    def look(*args: Any) -> bool:
        seen.append((ledger.view.tip.id, ledger.view.get_block_id(1), ledger.view.get_status(side.blocks[0].id)))  # type: ignore[arg-type]
        return check(*args)

    branch.products.get_verdict = look  # type: ignore[method-assign]
    add(ledger, result)
    assert seen == [(branch.tip_id, branch.blocks[0].id, "stored")]
    assert ledger.view.tip.id == result.id


def test_edit_of_any_header_field_is_another_block(branch: Branch, ledger: Ledger) -> None:
    made = branch.grow()
    for changes in ({"nonce": made.block.header.nonce + 1}, {"beneficiary": bytes(20)}, {"state_root": bytes(32)}):
        forged = MadeBlock(edit(made.block, **changes), made.witness)
        with pytest.raises(RuleViolation):
            add(ledger, forged)
    assert ledger.view.tip.header.height == 0
