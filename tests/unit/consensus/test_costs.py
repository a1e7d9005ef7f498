"""Tests the limits of a block: the sum of the cost table, the bytes of matrices, and the work at its start."""

from typing import get_args

import msgspec
import pytest

from inos.consensus import queues
from inos.consensus.costs import (
    CANDIDATE_US,
    DRAW_US,
    QUEUE_COSTS,
    compute_aggregate_cost,
    compute_count_cost,
    compute_transaction_cost,
)
from inos.consensus.execution import execute_block
from inos.consensus.jobevents import JobEvent, JobEventKind
from inos.consensus.params import Params
from inos.consensus.records import JobState, Kind
from inos.consensus.results import TRUSTED_RESULTS
from inos.primitives.bls import get_bls
from inos.primitives.errors import RuleViolation, VerdictMissing
from inos.primitives.matrices import StripRow
from inos.primitives.transactions import (
    CancelJob,
    Challenge,
    ClaimJob,
    Dispute,
    JuryReveal,
    JuryVote,
    Payload,
    PostJob,
    PostTask,
    RegisterVoter,
    ReportVoter,
    SubmitOutcome,
    SubmitResult,
    Transfer,
    TransferMany,
    UnbondVoter,
    Verdict,
    WithdrawBond,
)
from inos.primitives.units import JobId
from inos.primitives.votes import Aggregate, Checkpoint, Link, SignedLink
from support.consensus_lab import (
    ALICE,
    BOB,
    NOBODY,
    PARAMS,
    Lab,
    get_code,
    make_operand,
    make_post,
    make_result,
    make_task,
)

Y = make_result(32, 48)
MANY = msgspec.structs.replace(PARAMS, base_open_claims=50, max_open_claims=50)


def limit(**changes: int) -> Params:
    return msgspec.structs.replace(MANY, **changes)


def post_many(lab: Lab, count: int, **changes: int) -> list[JobId]:
    """Post jobs with operands of their own, one block each."""
    return [lab.post(x=make_operand(32, 1500, 50 + n), **changes) for n in range(count)]


def claim_all(lab: Lab, job_ids: list[JobId]) -> None:
    lab.mine(*[lab.sign(BOB, ClaimJob(job_id), ahead=n) for n, job_id in enumerate(job_ids)], miner=NOBODY)


def test_the_costs_of_a_block_add_up_to_a_bound() -> None:
    lab = Lab()
    cost = compute_transaction_cost(PARAMS, lab.state, lab.sign(ALICE, Transfer(BOB.address, 1)))
    lab = Lab(limit(max_block_cost_us=3 * cost - 1))
    execution = lab.begin()
    for ahead in range(2):
        execution.add(lab.sign(ALICE, Transfer(BOB.address, 1), ahead=ahead))
    assert execution.finish().stats.cost_us == 2 * cost
    assert get_code(lambda: execution.add(lab.sign(ALICE, Transfer(BOB.address, 1), ahead=2))) == "block-too-costly"
    block = lab.make_block([lab.sign(ALICE, Transfer(BOB.address, 1), ahead=n) for n in range(3)])
    assert get_code(lambda: lab.check(block)) == "block-too-costly"
    assert execution.finish().stats.cost_us == 2 * cost


def test_work_left_for_later_starts_counts_four_times() -> None:
    """So no sequence of blocks puts more work into the queues than their starts can do."""
    lab = Lab()
    job_id = lab.post()
    of = {
        name: compute_transaction_cost(PARAMS, lab.state, lab.sign(ALICE, payload))
        for name, payload in (("post", make_post(2)), ("claim", ClaimJob(job_id)), ("cancel", CancelJob(job_id)))
    }
    assert of["post"] >= 4 * (QUEUE_COSTS[Kind.DEADLINE] + QUEUE_COSTS[Kind.REMOVAL])
    assert of["claim"] >= 4 * QUEUE_COSTS[Kind.LAPSE]
    assert of["cancel"] < of["claim"]


def test_a_result_costs_by_the_bytes_of_its_product() -> None:
    lab = Lab(MANY)
    small, large = lab.post(), lab.post(w=make_operand(300, 1500, 9))
    costs = [
        compute_transaction_cost(PARAMS, lab.state, lab.sign(BOB, SubmitResult(job_id, make_result(32, cols))))
        for job_id, cols in ((small, 48), (large, 300))
    ]
    product_bytes = [strips * 16_384 for strips in (4 + 6 + 2, 4 + 38 + 4)]
    assert costs[1] - costs[0] == -(-product_bytes[1] // 500) - -(-product_bytes[0] // 500)


def test_matrices_named_by_checked_results_are_counted_once_each() -> None:
    """Two jobs of one X and W count 4 and 6 strips for both, and 2 strips for each result."""
    shared, own = 10 * 16_384, 2 * 16_384
    for most, code in ((shared + 2 * own, ""), (shared + 2 * own - 1, "too-many-matrix-bytes")):
        lab = Lab(limit(max_checked_block_bytes=most, max_checked_bytes=12 * 16_384, byte_burn_per_mille=0))
        job_ids = [lab.post() for _ in range(2)]
        claim_all(lab, job_ids)
        orders = [
            lab.sign(BOB, SubmitResult(job_id, make_result(32, 48, n)), ahead=n) for n, job_id in enumerate(job_ids)
        ]
        assert get_code(lambda: lab.check(lab.make_block(orders))) == code  # noqa: B023
        lab.mine(orders[0])


def tighten(lab: Lab, quarter: int) -> None:
    """Limit the cost of the start of a block from now on."""
    lab.params = msgspec.structs.replace(lab.params, max_block_cost_us=4 * quarter)


def list_lapsed(events: tuple[JobEvent, ...]) -> list[bytes]:
    return [event.job for event in events if event.kind is JobEventKind.LAPSED]


def test_the_start_of_a_block_takes_what_its_quarter_holds_in_key_order() -> None:
    lab = Lab(MANY)
    job_ids = post_many(lab, 5, deadline=20)
    claim_all(lab, job_ids)  # at 6, until 9
    lab.mine_until(9)
    tighten(lab, 3 * QUEUE_COSTS[Kind.LAPSE] - 1)
    found = [list_lapsed(lab.mine(miner=NOBODY).job_events) for _ in range(4)]
    expected = sorted(job_ids)
    assert found == [expected[:2], expected[2:4], expected[4:], []]
    assert lab.state.get_account(BOB.address).open_claims == 0


def test_rules_ask_heights_and_not_whether_a_queue_has_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an expired claim nor a job past its deadline can be used while the queues are put off."""
    lab = Lab(MANY)
    claimed, left = post_many(lab, 2, deadline=6)
    claim_all(lab, [claimed])  # at 3, until 6
    with monkeypatch.context() as patch:
        patch.setattr(queues, "START_PART", 10**9)
        lab.mine_until(8)
        assert [lab.state.get_job(job_id).state for job_id in (claimed, left)] == [JobState.CLAIMED, JobState.OPEN]  # type: ignore[union-attr]
        for order, code in (
            (lab.sign(BOB, SubmitResult(claimed, Y)), "claim-expired"),
            (lab.sign(ALICE, ClaimJob(claimed)), "job-not-open"),
            (lab.sign(ALICE, ClaimJob(left)), "deadline-passed"),
            (lab.sign(ALICE, CancelJob(left)), ""),
        ):
            assert get_code(lambda: lab.begin().add(order)) == code  # noqa: B023
    events = lab.mine(miner=NOBODY).job_events
    assert [(event.kind, event.job) for event in events] == [
        (JobEventKind.LAPSED, claimed),
        (JobEventKind.CANCELLED, claimed),
        (JobEventKind.CANCELLED, left),
    ]


def test_the_queues_take_turns() -> None:
    """Three claims lapse at height 11, and three cancelled jobs leave then; the start has room for three of the six."""
    lab = Lab(limit(job_retention=4))
    job_ids = post_many(lab, 6, deadline=20)
    claimed, cancelled = sorted(job_ids[:3]), sorted(job_ids[3:])
    lab.mine(
        *[lab.sign(BOB, ClaimJob(job_id), ahead=n) for n, job_id in enumerate(claimed)],  # at 7, until 10
        *[lab.sign(ALICE, CancelJob(job_id), ahead=n) for n, job_id in enumerate(cancelled)],
        miner=NOBODY,
    )
    lab.mine_until(10)
    tighten(lab, 2 * QUEUE_COSTS[Kind.LAPSE] + QUEUE_COSTS[Kind.REMOVAL])
    assert list_lapsed(lab.mine(miner=NOBODY).job_events) == claimed[:2]
    assert [lab.state.get_job(job_id) is None for job_id in cancelled] == [True, False, False]
    assert list_lapsed(lab.mine(miner=NOBODY).job_events) == claimed[2:]
    assert [lab.state.get_job(job_id) is None for job_id in cancelled] == [True, True, True]


def test_a_deep_block_takes_results_as_checked_and_nothing_else() -> None:
    lab = Lab()
    job_id = lab.post()
    lab.mine(lab.sign(BOB, ClaimJob(job_id)))
    block = lab.make_block([lab.sign(BOB, SubmitResult(job_id, Y))])
    lab.products.unchecked.add(Y.id)
    with pytest.raises(VerdictMissing) as caught:
        execute_block(lab.params, lab.records, block, lab.products, get_bls())
    assert ([product.y for product in caught.value.products], caught.value.ids) == ([Y], ())
    trusted = execute_block(lab.params, lab.records, block, TRUSTED_RESULTS, get_bls())
    lab.products.unchecked.clear()
    assert trusted == execute_block(lab.params, lab.records, block, lab.products, get_bls())
    stranger = lab.make_block([lab.sign(ALICE, SubmitResult(job_id, Y))])
    with pytest.raises(RuleViolation, match="transaction 0") as refused:
        execute_block(lab.params, lab.records, stranger, TRUSTED_RESULTS, get_bls())
    assert refused.value.code == "not-the-claimer"


def test_the_cost_table() -> None:
    """All figures are written out again, since a changed one changes which blocks are valid."""
    lab = Lab()
    job_id = lab.post()
    bls, hash32 = bytes(48), bytes(32)
    vote = SignedLink(Link(Checkpoint(0, hash32), Checkpoint(1, hash32)), bytes(96))
    row = StripRow(bytes(16_384), ())
    of: dict[type, tuple[Payload, int]] = {
        Transfer: (Transfer(BOB.address, 1), 250),
        TransferMany: (TransferMany(bytes(3 * 28)), 250 + 3 * 80),
        PostJob: (make_post(2), 300 + 4 * (400 + 200)),
        ClaimJob: (ClaimJob(job_id), 600 + 4 * 400),
        SubmitResult: (SubmitResult(job_id, Y), 600 + 800 + 394),  # 12 strips
        PostTask: (make_task(2), 300 + 4 * (400 + 200)),
        SubmitOutcome: (SubmitOutcome(job_id, (hash32,)), 600 + 4 * 500),
        CancelJob: (CancelJob(job_id), 400),
        Challenge: (
            Challenge(hash32, 0, 0, msgspec.structs.replace(row, strips=bytes(3 * 16_384)), row, row),
            500 + 5 * 75,
        ),
        RegisterVoter: (RegisterVoter(bls, bytes(96), 1), 300 + 5000),
        UnbondVoter: (UnbondVoter(), 300),
        WithdrawBond: (WithdrawBond(), 300),
        ReportVoter: (ReportVoter(bls, vote, vote), 300 + 10_000),
        Dispute: (Dispute(job_id), 700 + 4 * (400 + 500 + 5 * 150)),
        JuryVote: (JuryVote(job_id, 1, bls, hash32, bytes(96)), 300 + 5000),
        JuryReveal: (JuryReveal(job_id, 1, bls, Verdict.RIGHT, hash32, bytes(96)), 300 + 5000),
    }
    assert set(of) == set(get_args(Payload))
    for payload, cost in of.values():
        assert compute_transaction_cost(PARAMS, lab.state, lab.sign(ALICE, payload)) == cost
    assert {Kind.LAPSE: 400, Kind.DEADLINE: 400, Kind.DUE: 500, Kind.REMOVAL: 200} == QUEUE_COSTS
    assert (DRAW_US, compute_count_cost(PARAMS), CANDIDATE_US) == (400, 500 + 5 * 150, 40)
    assert compute_aggregate_cost(Aggregate(vote.link, b"\x07", bytes(96))) == 6000 + 3 * 100
