"""Tests what a ledger returns: histories, jobs, transactions, proofs, and answers for peers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from inos.chain.jobrecords import Side, TrackRecord
from inos.chain.ledger import HistoryEntry, Ledger
from inos.consensus.jobevents import JobEventKind as Kind
from inos.consensus.movements import Movement, Reason
from inos.consensus.records import JobState, account_key
from inos.consensus.statetree import check_proof
from inos.primitives.transactions import CancelJob, ClaimJob, SubmitResult, compute_tx_id
from inos.primitives.units import BlockId, Height, JobId, StateRoot, TxId
from support.chain_maker import ALICE, BOB, CAROL, MINER, NOW, Branch, feed, make_post, make_result_ref


@pytest.fixture
def branch() -> Branch:
    return Branch()


@pytest.fixture
def ledger(branch: Branch, tmp_path: Path) -> Iterator[Ledger]:
    opened = branch.open_ledger(tmp_path)
    yield opened
    opened.close()


def test_history_with_rewards_and_pages(branch: Branch, ledger: Ledger) -> None:
    pay = branch.pay(ALICE, BOB.address)
    back = branch.pay(BOB, ALICE.address)
    itself = branch.pay(ALICE, ALICE.address, ahead=1)
    branch.grow(pay, back, itself, miner=ALICE.address)
    branch.grow(miner=BOB.address)
    last = branch.pay(ALICE, CAROL.address)
    branch.grow(last)
    feed(ledger, branch.blocks)
    reward = 2**32 - 1
    whole = ledger.view.reader.get_history(ALICE.address)
    assert [(entry.height, entry.place, entry.tx_id) for entry in whole] == [
        (3, 1, compute_tx_id(last)),
        (1, reward, None),
        (1, 3, compute_tx_id(itself)),
        (1, 2, compute_tx_id(back)),
        (1, 1, compute_tx_id(pay)),
        (0, 0, None),
    ]
    assert [movement.reason for movement in whole[1].movements] == [Reason.SUBSIDY, Reason.FEES_COLLECTED]
    assert [movement.reason for movement in whole[2].movements] == [Reason.FEE, Reason.SENT, Reason.RECEIVED]
    assert whole[3].movements == (Movement(Reason.RECEIVED, back.payload.amount, BOB.address),)
    paged: list[HistoryEntry] = []
    while page := ledger.view.reader.get_history(
        ALICE.address, before=(paged[-1].height, paged[-1].place) if paged else None, limit=2
    ):
        assert len(page) <= 2
        paged += page
    assert paged == whole
    assert [(e.height, e.place) for e in ledger.view.reader.get_history(BOB.address)] == [
        (2, reward),
        (1, 2),
        (1, 1),
        (0, 0),
    ]
    assert [(e.height, e.tx_id) for e in ledger.view.reader.get_history(CAROL.address)] == [(3, compute_tx_id(last))]
    assert ledger.view.reader.get_history(MINER.address)[0].tx_id is None
    assert ledger.view.reader.get_history(BOB.address, before=(Height(0), 0)) == []
    of_first = ledger.view.reader.get_history(ALICE.address, before=(Height(2), 0), from_height=Height(1), limit=None)
    assert of_first == whole[1:5]
    assert ledger.view.reader.get_history(CAROL.address, before=(Height(3), 0), from_height=Height(2)) == []


def test_jobs_by_state_poster_and_worker_in_pages(branch: Branch, ledger: Ledger) -> None:
    jobs: list[JobId] = []
    for key in (ALICE, BOB, ALICE, ALICE, BOB):
        post = branch.sign(key, make_post(branch.height + 1, deadline=branch.height + 12), fee=1)
        branch.grow(post)
        jobs.append(JobId(compute_tx_id(post)))
    branch.grow(
        branch.sign(BOB, ClaimJob(jobs[2])),
        branch.sign(ALICE, CancelJob(jobs[3])),
    )
    feed(ledger, branch.blocks)

    def list_ids(**filters: object) -> list[int]:
        return [jobs.index(job_id) for job_id, _ in ledger.view.reader.list_jobs(**filters)]  # type: ignore[arg-type]

    assert list_ids() == [0, 1, 2, 3, 4]
    assert list_ids(state=JobState.OPEN) == [0, 1, 4]
    assert list_ids(state=JobState.CLAIMED) == list_ids(worker=BOB.address) == [2]
    assert list_ids(state=JobState.CANCELLED) == [3]
    assert list_ids(state=JobState.SETTLED) == []
    assert list_ids(poster=ALICE.address) == [0, 2, 3]
    assert list_ids(poster=ALICE.address, state=JobState.OPEN) == [0]
    assert list_ids(poster=BOB.address, worker=BOB.address) == []
    assert list_ids(limit=2) == [0, 1]
    assert list_ids(after=jobs[1], limit=2) == [2, 3]
    assert list_ids(after=jobs[1], state=JobState.OPEN) == [4]
    assert list_ids(after=jobs[4]) == []
    # Claim and cancellation undone, the indices are as before.
    side = branch.fork(1)
    feed(ledger, side.grow_by(2, nonce=3))
    assert list_ids(state=JobState.OPEN) == [0, 1, 2, 3, 4]
    assert list_ids(worker=BOB.address) == list_ids(state=JobState.CANCELLED) == []


def test_what_happened_to_a_job_and_who_dealt_how(branch: Branch, ledger: Ledger) -> None:
    """A claim lapses and another one is settled, in two blocks each; then everything is undone."""
    post = branch.sign(ALICE, make_post(1, deadline=15), fee=1)
    job = JobId(compute_tx_id(post))
    branch.grow(post)
    branch.grow(branch.sign(BOB, ClaimJob(job)))
    claim = branch.state.get_claim(job)
    assert claim is not None
    while branch.height < claim.expires_at:
        branch.grow()
    branch.grow(branch.sign(MINER, ClaimJob(job)))
    again = Height(branch.height)
    branch.grow(branch.sign(MINER, SubmitResult(job, make_result_ref())))
    side = branch.fork(branch.height)
    feed(ledger, branch.blocks)
    events = [(height, event.kind, event.worker) for height, event in ledger.view.reader.list_job_events(job)]
    assert events == [
        (1, Kind.POSTED, None),
        (2, Kind.CLAIMED, BOB.address),
        (again, Kind.LAPSED, BOB.address),
        (again, Kind.CLAIMED, MINER.address),
        (again + 1, Kind.SETTLED, MINER.address),
    ]
    assert ledger.view.reader.list_job_events(job, limit=2) == ledger.view.reader.list_job_events(job)[:2]
    found = ledger.view.state.get_job(job)
    assert found is not None
    assert ledger.view.reader.get_record(BOB.address) == TrackRecord(worker=Side(claimed=1, lapsed=1, lost=claim.bond))
    worked = Side(claimed=1, settled=1, tickets=12, paid=found.reward)
    assert ledger.view.reader.get_record(MINER.address) == TrackRecord(worker=worked, mined=7)
    posted = Side(posted=1, claimed=2, lapsed=1, settled=1, tickets=12, paid=found.reward, lost=found.burned)
    assert ledger.view.reader.get_record(ALICE.address) == TrackRecord(poster=posted)
    feed(ledger, side.grow_by(branch.height + 1, nonce=3))
    assert ledger.view.reader.list_job_events(job) == []
    assert [ledger.view.reader.get_record(key.address) for key in (ALICE, BOB)] == [TrackRecord()] * 2


def test_who_works_for_itself_has_it_on_both_sides(branch: Branch, ledger: Ledger) -> None:
    post = branch.sign(ALICE, make_post(1, deadline=15), fee=1)
    job = JobId(compute_tx_id(post))
    branch.grow(post)
    branch.grow(branch.sign(ALICE, ClaimJob(job)), branch.sign(ALICE, SubmitResult(job, make_result_ref()), ahead=1))
    feed(ledger, branch.blocks)
    record = ledger.view.reader.get_record(ALICE.address)
    assert (record.worker.claimed, record.worker.settled, record.poster.posted, record.poster.settled) == (1, 1, 1, 1)
    assert record.worker.paid == record.poster.paid > 0


def test_transactions_by_id(branch: Branch, ledger: Ledger) -> None:
    first, second = branch.pay(ALICE, BOB.address), branch.pay(ALICE, CAROL.address, ahead=1)
    made = branch.grow(first, second)
    side = branch.fork(1)
    feed(ledger, branch.blocks)
    assert ledger.view.get_transaction(compute_tx_id(first)) == (made.id, 0, first)
    assert ledger.view.get_transaction(compute_tx_id(second)) == (made.id, 1, second)
    assert ledger.view.get_transaction(TxId(bytes(32))) is None
    again = side.grow(first, nonce=1)
    feed(ledger, [again, side.grow(nonce=1)])
    assert ledger.view.get_transaction(compute_tx_id(first)) == (again.id, 0, first)
    assert ledger.view.get_transaction(compute_tx_id(second)) is None


def test_proofs_against_the_tip(branch: Branch, ledger: Ledger) -> None:
    feed(ledger, branch.grow_by(2))
    root = StateRoot(ledger.view.tip.header.state_root)
    for address in (ALICE.address, MINER.address, CAROL.address):
        value, proof = ledger.view.reader.prove(account_key(address))
        assert (value is None) == (address == CAROL.address)
        assert check_proof(root, account_key(address), value, proof)


def test_figures_of_connected_blocks_only(branch: Branch, ledger: Ledger) -> None:
    side = branch.fork()
    feed(ledger, branch.grow_by(2))
    feed(ledger, side.grow_by(1, nonce=2))
    stats = ledger.view.reader.get_block_stats(branch.tip_id)
    assert stats is not None
    assert stats.weight == 1
    assert ledger.view.reader.get_block_stats(side.tip_id) is None


def test_locator_is_dense_then_doubles_and_ends_at_genesis(branch: Branch, ledger: Ledger) -> None:
    blocks = branch.grow_by(60)
    for made in blocks:
        ledger.add_header(made.block.header, NOW)
    heights = {made.id: made.block.header.height for made in blocks} | {ledger.view.get_block_id(Height(0)): 0}
    expected = [60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 49, 45, 37, 21, 0]
    assert [heights[block_id] for block_id in ledger.view.get_locator()] == expected
    feed(ledger, blocks)
    assert [heights[block_id] for block_id in ledger.view.get_locator()] == expected


def test_headers_after_a_locator(branch: Branch, ledger: Ledger) -> None:
    side = branch.fork()
    feed(ledger, branch.grow_by(20))
    feed(ledger, side.grow_by(3, nonce=7))
    headers = branch.headers
    genesis = BlockId(branch.blocks[0].block.header.parent)
    assert ledger.view.get_headers_after([genesis], 100) == headers[1:]
    assert ledger.view.get_headers_after([], 5) == headers[1:6]
    assert ledger.view.get_headers_after([side.tip_id, branch.blocks[4].id, genesis], 3) == headers[6:9]
    assert ledger.view.get_headers_after([BlockId(bytes(32))], 2) == headers[1:3]
    assert ledger.view.get_headers_after([branch.tip_id], 5) == []
    other = branch.fork(15)
    other.grow_by(2, nonce=8)
    assert ledger.view.get_headers_after([other.tip_id, branch.blocks[4].id], 1) == headers[6:7]
