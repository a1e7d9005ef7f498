"""Random histories of valid and invalid orders: credits balance after every block, and a refused order changes
nothing.
"""

from collections.abc import Sequence

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inos.consensus.execution import Execution, begin_block, execute_block
from inos.consensus.records import CLOSED_STATES, Account, Claim, DisputeRecord, Job, JobState, Kind, StateKey
from inos.consensus.statetree import compute_state_root
from inos.primitives.blocks import Block, get_target
from inos.primitives.bls import get_bls
from inos.primitives.codec import decode
from inos.primitives.errors import RuleViolation, VerdictMissing
from inos.primitives.payments import Payment, pack_payments
from inos.primitives.transactions import (
    CancelJob,
    ClaimJob,
    Dispute,
    JobMode,
    Payload,
    SubmitResult,
    Transaction,
    Transfer,
    TransferMany,
)
from inos.primitives.units import Height, JobId
from support.consensus_lab import (
    ALICE,
    BOB,
    CAROL,
    MINER,
    Key,
    Lab,
    Records,
    make_post,
    make_result,
    sum_held,
)
from support.juries import seat_committee
from support.tiles import BAD_REF, WIDE_PARAMS, WRONG_J, Y_REF, make_challenge, make_optimistic

PEOPLE = (ALICE, BOB, CAROL, MINER)
RIGHT, WRONG, LOST = make_result(32, 48, 1), make_result(32, 48, 2), make_result(32, 48, 3)
WRONG_TILE, RIGHT_TILE = make_challenge(JobId(bytes(32))), make_challenge(JobId(bytes(32)), j=WRONG_J - 1)
people = st.sampled_from(PEOPLE)
amounts = st.one_of(st.integers(1, 2000), st.integers(1, 2000), st.integers(10_000, 2_000_000), st.just(2**64 - 1))
orders = st.tuples(
    people,
    st.sampled_from(
        [
            "transfer",
            "payments",
            "post",
            "post",
            "large",
            "large",
            "claim",
            "claim",
            "result",
            "result",
            "result",
            "cancel",
            "challenge",
            "challenge",
            "dispute",
        ]
    ),
    people,
    amounts,
    st.integers(0, 50),  # which job, and the fee
    st.sampled_from([0, 0, 0, 0, 0, 0, 1, 2]),  # how far the nonce is ahead
    st.sampled_from([RIGHT, RIGHT, RIGHT, WRONG, LOST, make_result(48, 32)]),
)
blocks = st.lists(st.tuples(people, st.lists(orders, max_size=8)), min_size=3, max_size=14)
costs = st.sampled_from([500_000, 500_000, 8_000])
"""The cost limits of a block; with the last one, queues are put off and some transactions have no room."""
Script = list[tuple[Key, list["Order"]]]
Order = tuple[Key, str, Key, int, int, int, object]


def make_lab(cost_us: int) -> Lab:
    lab = Lab(msgspec.structs.replace(WIDE_PARAMS, max_block_cost_us=cost_us, job_retention=3, jury_window=3))
    lab.products.wrong.add(WRONG.id)
    lab.products.missing.add(LOST.id)
    lab.mine(miner=CAROL.address)
    seat_committee(lab, {"miner": 10, "carol": 5})
    return lab


def make_payload(lab: Lab, order: Order) -> Payload:
    _, kind, other, amount, pick, _, y = order
    jobs, height = list_jobs(lab), lab.height + 1
    job = jobs[pick % len(jobs)] if jobs else JobId(bytes(32))
    record = lab.state.get_job(job)
    if record is not None and record.mode is JobMode.OPTIMISTIC:
        y = BAD_REF if y in (RIGHT, WRONG) else Y_REF
    match kind:
        case "transfer":
            return Transfer(other.address, amount)
        case "payments":
            receivers = {person.address for person in (*PEOPLE[pick % 3 :], other)}
            each = max(WIDE_PARAMS.job_fee, min(amount, 2**60))
            return TransferMany(pack_payments(Payment(to, each) for to in receivers))
        case "post":
            return make_post(height, reward=amount, deadline=height + pick % 12, claim_window=2 + pick % 5)
        case "large":
            changes = make_optimistic(height, reward=min(amount, 1001), deadline=height + 5 + pick % 12)
            return make_post(height, **changes)
        case "dispute":
            return Dispute(job)
        case "challenge":
            return msgspec.structs.replace(RIGHT_TILE if pick % 8 == 7 else WRONG_TILE, job=job)
        case "claim":
            return ClaimJob(job)
        case "cancel":
            return CancelJob(job)
        case _:
            return SubmitResult(job, y)  # type: ignore[arg-type]


def list_jobs(lab: Lab) -> list[JobId]:
    return [JobId(key[1:]) for key in lab.records.all if key[0] == Kind.JOB]


def choose_sender(lab: Lab, order: Order) -> Key:
    """Return the sender that the order names; results often come from the claimer instead, so that enough jobs are
    paid.
    """
    jobs = list_jobs(lab)
    if order[1] == "result" and jobs and order[4] % 4:
        claim = lab.state.get_claim(jobs[order[4] % len(jobs)])
        return next((k for k in PEOPLE if claim is not None and k.address == claim.worker), order[0])
    return order[0]


def add_all(
    lab: Lab, execution: Execution, given_orders: Sequence[Order], counts: dict[bytes, int]
) -> list[Transaction]:
    """Add the orders that the rules accept; a refused one must leave the outcome unchanged."""
    taken: list[Transaction] = []
    for order in given_orders:
        key, ahead = choose_sender(lab, order), order[5]
        payload = make_payload(lab, order)
        tx = lab.sign(key, payload, fee=order[4], ahead=counts.get(key.secret, 0) + ahead)
        before = execution.finish()
        try:
            execution.add(tx)
        except (RuleViolation, VerdictMissing):
            assert execution.finish() == before
        else:
            taken.append(tx)
            counts[key.secret] = counts.get(key.secret, 0) + 1
    return taken


def check_books(lab: Lab) -> None:
    """Every stored sum equals the sum of the records that it covers."""
    records = lab.records.all
    jobs = {k[1:]: decode(Job, v, limit=10_000) for k, v in records.items() if k[0] == Kind.JOB}
    claims = {k[1:]: decode(Claim, v, limit=10_000) for k, v in records.items() if k[0] == Kind.CLAIM}
    disputes = {k[1:]: decode(DisputeRecord, v, limit=10_000) for k, v in records.items() if k[0] == Kind.DISPUTE}
    market = lab.state.get_market()
    assert market.escrowed == sum(job.reward for job in jobs.values() if job.state not in CLOSED_STATES)
    assert market.minted - market.burned == sum_held(records)
    held = (JobState.CLAIMED, JobState.DELIVERED, JobState.DISPUTED)
    assert {k for k, j in jobs.items() if j.state in held} == set(claims)
    assert {k for k, j in jobs.items() if j.state == JobState.DISPUTED} == set(disputes)
    check_queues(lab, jobs, claims)
    for key in PEOPLE:
        account = lab.state.get_account(key.address)
        mine = [c for c in claims.values() if c.worker == key.address]
        stakes = [d.stake for d in disputes.values() if d.disputer == key.address]
        assert account.open_claims == len(mine)
        assert account.bonded == sum(c.bond for c in mine) + sum(stakes)
    for key, value in records.items():
        assert key[0] != Kind.ACCOUNT or decode(Account, value, limit=1000) != Account()


def check_queues(lab: Lab, jobs: dict[bytes, Job], claims: dict[bytes, Claim]) -> None:
    """Each queue has the jobs whose state says so, once, under their heights."""

    def list_queue(kind: Kind) -> list[tuple[int, bytes]]:
        return [(int(height), bytes(job)) for height, job in lab.state.iterate_queue(kind, Height(10**6))]

    def list_jobs_in(*states: JobState) -> list[bytes]:
        return [k for k, job in jobs.items() if job.state in states]

    assert list_queue(Kind.LAPSE) == sorted((claims[k].expires_at + 1, k) for k in list_jobs_in(JobState.CLAIMED))
    assert list_queue(Kind.DUE) == sorted((claims[k].expires_at, k) for k in list_jobs_in(JobState.DELIVERED))
    assert [k for _, k in sorted(list_queue(Kind.JURY), key=lambda e: e[1])] == sorted(list_jobs_in(JobState.DISPUTED))
    closed = sorted((jobs[k].closed_at + 3, k) for k in list_jobs_in(*CLOSED_STATES))
    assert list_queue(Kind.REMOVAL) == closed
    waiting = list_queue(Kind.DEADLINE)
    assert all(jobs[k].deadline + 1 == height and jobs[k].state not in CLOSED_STATES for height, k in waiting)
    assert set(list_jobs_in(JobState.OPEN)) <= {k for _, k in waiting}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(blocks, costs)
def test_supply_is_conserved(script: Script, cost_us: int) -> None:
    lab = make_lab(cost_us)
    for miner, given_orders in script:
        execution = lab.begin(miner=miner.address)
        taken = add_all(lab, execution, given_orders, {})
        executed = execution.finish()
        block = lab.make_block(taken, miner=miner.address)
        # built and checked come to the same, and checking twice too
        assert execute_block(lab.params, lab.records, block, lab.products, get_bls()) == executed
        # so does a start that several blocks share
        header = block.header
        start = begin_block(lab.params, lab.records, header.height, get_target(header), header.parent)
        for _ in range(2):
            assert execute_block(lab.params, lab.records, block, lab.products, get_bls(), start) == executed
        assert lab.connect(block) == executed
        check_books(lab)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(blocks, costs)
def test_changes_undo_bit_by_bit(script: Script, cost_us: int) -> None:
    """The values that a block's changes replace are all that an undo record needs."""
    lab = make_lab(cost_us)
    for miner, given_orders in script:
        execution = lab.begin(miner=miner.address)
        taken = add_all(lab, execution, given_orders, {})
        block: Block = lab.make_block(taken, miner=miner.address)
        before, root = dict(lab.records.all), compute_state_root(lab.records.all)
        changes = lab.connect(block).changes
        undo: dict[StateKey, bytes | None] = {key: before.get(key) for key in changes}
        again = Records(lab.records.all)
        again.apply(undo)
        assert again.all == before
        assert compute_state_root(again.all) == root
