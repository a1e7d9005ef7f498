"""Attacks by blocks that make other nodes compute and fetch: a block of 11,300 results cost 0.03 credits and took an
hour of Freivalds' checks.

Now a block's costs and its matrices are bounded, and the work that waits for the start of blocks is done in rounds.
"""

import msgspec
import pytest

from inos.consensus.codes import Code
from inos.consensus.costs import QUEUE_COSTS, compute_product_cost, compute_transaction_cost
from inos.consensus.params import Params
from inos.consensus.records import Kind
from inos.genesis import load_network
from inos.primitives.transactions import ClaimJob, SubmitResult, Transfer, compute_tx_id
from inos.primitives.units import JobId
from support.consensus_lab import ALICE, BOB, NOBODY, PARAMS, Lab, get_code, make_operand, make_post, make_result

PRESETS = ("devnet", "testnet")


def make_lab(**changes: object) -> Lab:
    roomy = {
        "base_open_claims": 1000,
        "max_open_claims": 1000,
        "max_claim_window": 30,
        "max_block_bytes": 1 << 20,
        "burn_per_mille": 0,
        "byte_burn_per_mille": 0,
    }
    return Lab(msgspec.structs.replace(PARAMS, **roomy | changes))


def post_many(lab: Lab, count: int, **changes: object) -> list[JobId]:
    """Post jobs of Alice's in one block."""
    made = [lab.sign(ALICE, make_post(lab.height + 1, **changes), ahead=n) for n in range(count)]
    lab.mine(*made, miner=NOBODY)
    return [JobId(compute_tx_id(each)) for each in made]


def claim_many(lab: Lab, count: int, **changes: object) -> list[JobId]:
    """Post jobs of Alice's that Bob claims in the next block."""
    jobs = post_many(lab, count, **changes)
    lab.mine(*(lab.sign(BOB, ClaimJob(job), ahead=n) for n, job in enumerate(jobs)), miner=NOBODY)
    return jobs


@pytest.mark.parametrize("network", PRESETS)
def test_the_products_of_one_block_take_a_part_of_a_second_and_not_an_hour(network: str) -> None:
    """Bytes limit the matrices and microseconds the checks, for any amount that the block pays."""
    params: Params = load_network(network).params
    assert params.max_checked_block_bytes <= 64 << 20  # 353 GiB before
    worst = compute_product_cost(params.max_checked_bytes)
    most = params.max_block_cost_us // compute_product_cost(1)
    assert most * compute_product_cost(1) <= params.max_block_cost_us
    assert params.max_block_cost_us / 1e6 <= params.spacing_ms / 1000 / 4
    assert worst <= params.max_block_cost_us


def test_results_beyond_the_cost_of_a_block_are_refused_with_their_block() -> None:
    lab = make_lab(max_block_cost_us=80_000)
    jobs = [job for _ in range(4) for job in claim_many(lab, 20, deadline=lab.height + 15, claim_window=20)]
    results = [lab.sign(BOB, SubmitResult(job, make_result(32, 48)), ahead=n) for n, job in enumerate(jobs)]
    cost = compute_transaction_cost(lab.params, lab.state, results[0])
    fits = lab.params.max_block_cost_us // cost
    assert 0 < fits < len(results)
    assert get_code(lambda: lab.mine(*results)) == Code.BLOCK_TOO_COSTLY
    stats = lab.mine(*results[:fits], miner=NOBODY).stats
    assert stats.cost_us <= lab.params.max_block_cost_us


def test_distinct_matrices_of_a_block_are_bounded_and_each_counts_once() -> None:
    lab = make_lab(max_checked_block_bytes=1 << 20)
    same = claim_many(lab, 6)
    lab.mine(*(lab.sign(BOB, SubmitResult(j, make_result(32, 48)), ahead=n) for n, j in enumerate(same)), miner=NOBODY)
    jobs = [
        lab.post(ALICE, x=make_operand(32, 1500, 100 + n), w=make_operand(48, 1500, 200 + n), deadline=lab.height + 15)
        for n in range(8)
    ]
    lab.mine(*(lab.sign(BOB, ClaimJob(job), ahead=n) for n, job in enumerate(jobs)), miner=NOBODY)
    results = [lab.sign(BOB, SubmitResult(job, make_result(32, 48, 300 + n)), ahead=n) for n, job in enumerate(jobs)]
    assert get_code(lambda: lab.mine(*results)) == Code.TOO_MANY_MATRIX_BYTES


def count_queue(lab: Lab, kind: Kind) -> int:
    return sum(1 for _ in lab.records.iterate(bytes([kind])))


def test_a_full_queue_at_the_start_of_a_block_is_worked_off_in_later_ones_and_holds_nobody_up() -> None:
    """Many deadlines end at once: each block processes them for a quarter of its cost, and includes transactions as
    usual.
    """
    lab = make_lab(max_block_cost_us=120_000, max_job_lifetime=40)
    deadline = lab.height + 12
    jobs = [job for _ in range(5) for job in post_many(lab, 40, deadline=deadline)]
    per_block = lab.params.max_block_cost_us // 4 // QUEUE_COSTS[Kind.DEADLINE]
    assert per_block < len(jobs) // 2
    lab.mine_until(deadline)
    left = [count_queue(lab, Kind.DEADLINE)]
    for number in range(3):
        stats = lab.mine(lab.sign(ALICE, Transfer(BOB.address, 5)), miner=NOBODY).stats
        assert stats.cost_us <= lab.params.max_block_cost_us // 4 + 10_000
        left.append(count_queue(lab, Kind.DEADLINE))
        assert left[number] - left[number + 1] == min(per_block, left[number])
    assert left[-1] == 0
    assert lab.state.get_market().escrowed == 0
    assert all(lab.state.get_job(job) is not None for job in jobs)


def test_rules_ask_heights_and_not_whether_the_queue_has_arrived() -> None:
    lab = make_lab(max_block_cost_us=4 * QUEUE_COSTS[Kind.LAPSE] + 4000)
    (job,) = claim_many(lab, 1, claim_window=2)
    claim = lab.state.get_claim(job)
    assert claim is not None
    lab.mine_until(claim.expires_at)
    late = lab.sign(BOB, SubmitResult(job, make_result(32, 48)))
    assert get_code(lambda: lab.mine(late)) in (Code.CLAIM_EXPIRED, Code.JOB_NOT_CLAIMED)
    assert lab.state.get_job(job) is not None


def test_no_record_is_a_list_that_grows_with_its_users() -> None:
    """The cost of a transaction is O(1) in the state: the largest record does not grow with the number of jobs and
    claims.
    """
    sizes = []
    for count in (2, 30):
        lab = make_lab()
        claim_many(lab, count)
        assert count_queue(lab, Kind.LAPSE) == count_queue(lab, Kind.DEADLINE) == count
        sizes.append(max(len(value) for value in lab.records.all.values()))
    assert sizes[0] == sizes[1]
