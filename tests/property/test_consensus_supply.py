"""Random histories of valid and invalid orders: credits balance after every block, and a refused order changes
nothing.
"""

from collections.abc import Sequence

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inos.consensus.execution import Execution, execute_block
from inos.consensus.records import Account, Claim, Due, Job, JobState, Kind, StateKey, account_key
from inos.consensus.statetree import compute_state_root
from inos.primitives.blocks import Block
from inos.primitives.bls import get_bls
from inos.primitives.codec import decode, encode
from inos.primitives.errors import MatrixMissing, RuleViolation
from inos.primitives.transactions import CancelJob, ClaimJob, JobMode, Payload, SubmitResult, Transaction, Transfer
from inos.primitives.units import JobId
from support.consensus_lab import (
    ALICE,
    BOB,
    CAROL,
    MINER,
    Key,
    Lab,
    Records,
    get_code,
    make_post,
    make_result,
    sum_held,
)
from support.tiles import BAD_REF, WIDE_PARAMS, WRONG_J, Y_REF, make_challenge, make_optimistic

PEOPLE = (ALICE, BOB, CAROL, MINER)
RIGHT, WRONG, LOST = make_result(32, 48, 1), make_result(32, 48, 2), make_result(32, 48, 3)
WRONG_TILE, RIGHT_TILE = make_challenge(JobId(bytes(32))), make_challenge(JobId(bytes(32)), j=WRONG_J - 1)
DIFFICULTY = 600
"""D of the lab's genesis target, which is constant while the chain is on schedule."""

people = st.sampled_from(PEOPLE)
amounts = st.one_of(st.integers(1, 2000), st.integers(1, 2000), st.integers(10_000, 2_000_000), st.just(2**64 - 1))
orders = st.tuples(
    people,
    st.sampled_from(
        [
            "transfer",
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
        ]
    ),
    people,
    amounts,
    st.integers(0, 50),  # which job, and the fee
    st.sampled_from([0, 0, 0, 0, 0, 0, 1, 2]),  # how far the nonce is ahead
    st.sampled_from([RIGHT, RIGHT, RIGHT, WRONG, LOST, make_result(48, 32)]),
)
blocks = st.lists(st.tuples(people, st.booleans(), st.lists(orders, max_size=8)), min_size=3, max_size=14)
Order = tuple[Key, str, Key, int, int, int, object]


def make_lab() -> Lab:
    lab = Lab(WIDE_PARAMS)
    lab.products.wrong.add(WRONG.id)
    lab.products.missing.add(LOST.id)
    lab.records.all[account_key(CAROL.address)] = encode(Account(merit=2 * DIFFICULTY + 1))
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
        case "post":
            return make_post(height, reward=amount, deadline=height + pick % 12, claim_window=2 + pick % 5)
        case "large":
            changes = make_optimistic(height, reward=amount, deadline=height + 5 + pick % 12)
            return make_post(height, **changes)
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


def begin(lab: Lab, miner: Key, wants_merit: bool) -> tuple[Execution, bool]:
    uses_merit = wants_merit and lab.state.get_account(miner.address).merit >= DIFFICULTY
    if wants_merit and not uses_merit:
        assert get_code(lambda: lab.begin(miner=miner.address, uses_merit=True)) == "merit-too-low"
    return lab.begin(miner=miner.address, uses_merit=uses_merit), uses_merit


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
        except (RuleViolation, MatrixMissing):
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
    open_rewards = sum(j.reward for j in jobs.values() if j.state not in (JobState.SETTLED, JobState.CANCELLED))
    market = lab.state.get_market()
    assert market.escrowed == open_rewards
    assert market.minted - market.burned == sum_held(records)
    assert {k for k, j in jobs.items() if j.state in (JobState.CLAIMED, JobState.DELIVERED)} == set(claims)
    for kind, state in ((Kind.LAPSE, JobState.CLAIMED), (Kind.DUE, JobState.DELIVERED)):
        listed = [(k[1:], job) for k, v in records.items() if k[0] == kind for job in decode(Due, v, limit=10_000).jobs]
        ends = {(claims[k].expires_at.to_bytes(8, "big"), k) for k, j in jobs.items() if j.state == state}
        assert len(listed) == len(ends)
        assert set(listed) == ends
    for key in PEOPLE:
        account = lab.state.get_account(key.address)
        mine = [c for c in claims.values() if c.worker == key.address]
        assert account.open_claims == len(mine)
        assert account.bonded == sum(c.bond for c in mine)
    for key, value in records.items():
        assert key[0] != Kind.ACCOUNT or decode(Account, value, limit=1000) != Account()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(blocks)
def test_supply_is_conserved(script: list[tuple[Key, bool, list[Order]]]) -> None:
    lab = make_lab()
    for miner, wants_merit, given_orders in script:
        execution, uses_merit = begin(lab, miner, wants_merit)
        taken = add_all(lab, execution, given_orders, {})
        executed = execution.finish()
        block = lab.make_block(taken, miner=miner.address, uses_merit=uses_merit)
        # building and checking a block give the same outcome, and so does checking it again
        assert execute_block(lab.params, lab.records, block, lab.products, get_bls()) == executed
        assert lab.connect(block) == executed
        check_books(lab)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(blocks)
def test_changes_undo_bit_by_bit(script: list[tuple[Key, bool, list[Order]]]) -> None:
    """An undo record needs only the values that a block's changes replace."""
    lab = make_lab()
    for miner, wants_merit, given_orders in script:
        execution, uses_merit = begin(lab, miner, wants_merit)
        taken = add_all(lab, execution, given_orders, {})
        block: Block = lab.make_block(taken, miner=miner.address, uses_merit=uses_merit)
        before, root = dict(lab.records.all), compute_state_root(lab.records.all)
        changes = lab.connect(block).changes
        undo: dict[StateKey, bytes | None] = {key: before.get(key) for key in changes}
        again = Records(lab.records.all)
        again.apply(undo)
        assert again.all == before
        assert compute_state_root(again.all) == root
