"""What each kind of block needs on the chain, and what it is filled with.

A kind's function makes the chain up to the block before the worst one. What its work at the start leaves of a block is
filled up with transfers.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from msgspec import Struct

from inos import work
from inos.bench.blocks import jobs, voters
from inos.bench.blocks.payments import (
    Worst,
    fit,
    joint_transfers,
    many_new_accounts,
    many_payments,
    new_accounts,
    pay,
    transfers,
)
from inos.bench.blocks.workshop import FEE, Workshop
from inos.bench.voting import make_due_aggregate
from inos.consensus import costs
from inos.consensus.finality import compute_height, compute_passed_epoch, compute_span
from inos.consensus.params import Params
from inos.consensus.queues import START_PART
from inos.consensus.records import Kind as Queue
from inos.primitives.matrices import MAX_DEPTH, PANEL_BYTES, StripRow
from inos.primitives.transactions import (
    CancelJob,
    Challenge,
    JobMode,
    UnbondVoter,
    WithdrawBond,
    compute_challenge_bytes,
)
from inos.primitives.units import JobId
from inos.work.strips import StripTree, compute_leaf_row, compute_strip


class Kind(Struct, frozen=True):
    """One kind of worst block."""

    name: str
    prepare: Callable[[Workshop], Worst]
    count_people: Callable[[Params], int] = lambda params: 300
    """How many accounts it needs."""


def posts(shop: Workshop) -> Worst:
    """Small jobs, each with operands of its own."""
    shop.harden()
    return Worst(shop.order(jobs.make_post(shop, JobMode.CHECKED) for _ in range(10**6)))


def claims(shop: Workshop) -> Worst:
    """Claims of optimistic jobs, for each of which the committee is read."""
    voters.seat_committee(shop)
    cost = costs.CLAIM_US + costs.AHEAD * costs.QUEUE_COSTS[Queue.LAPSE]
    found = jobs.post(shop, JobMode.OPTIMISTIC, fit(shop, cost))
    shop.harden()
    return Worst(jobs.claim(shop, found))


def small_results(shop: Workshop) -> Worst:
    """Checked results of the smallest products, all of other matrices."""
    number = fit(shop, costs.RESULT_US + costs.compute_product_cost(3 << 14))
    rng = np.random.default_rng(3)
    products = [tuple(rng.integers(-64, 64, (16, 64), np.int8) for _ in range(2)) for _ in range(number)]
    found = jobs.claim_real(shop, [(x, w) for x, w in products])
    shop.harden()
    return Worst(jobs.deliver(shop, *zip(*found, strict=True)))


def large_results(shop: Workshop) -> Worst:
    """Checked results of the largest product, each of another job with the same matrices."""
    side = int((shop.params.max_checked_bytes / 6) ** 0.5) // PANEL_BYTES * PANEL_BYTES or 64
    number = fit(shop, costs.RESULT_US + costs.compute_product_cost(6 * side * side))
    rng = np.random.default_rng(4)
    x, w = (rng.integers(-64, 64, (side, side), np.int8) for _ in range(2))
    found = jobs.claim_real(shop, [(x, w)] * number)
    shop.harden()
    return Worst(jobs.deliver(shop, *zip(*found, strict=True)))


def optimistic_results(shop: Workshop) -> Worst:
    """Results that nobody checks before they are challenged."""
    voters.seat_committee(shop)
    cost = costs.RESULT_US + costs.AHEAD * costs.QUEUE_COSTS[Queue.DUE]
    found = jobs.post(shop, JobMode.OPTIMISTIC, fit(shop, cost))
    shop.mine(jobs.claim(shop, found))
    shop.harden()
    return Worst(jobs.deliver(shop, found, jobs.make_results()))


def task_posts(shop: Workshop) -> Worst:
    """Small tasks, each with files of its own."""
    shop.harden()
    return Worst(shop.order(jobs.make_post_task(shop) for _ in range(10**6)))


def outcomes(shop: Workshop) -> Worst:
    """Outcomes of tasks, which nobody checks before they are disputed."""
    voters.seat_committee(shop)
    cost = costs.RESULT_US + costs.AHEAD * costs.QUEUE_COSTS[Queue.DUE]
    found = jobs.post_all(shop, [jobs.make_post_task(shop) for _ in range(fit(shop, cost))])
    shop.mine(jobs.claim(shop, found))
    shop.harden()
    return Worst(jobs.deliver_outcomes(shop, found))


def cancels(shop: Workshop) -> Worst:
    """Open jobs that are cancelled."""
    found = jobs.post(shop, JobMode.CHECKED, fit(shop, costs.CANCEL_US))
    shop.harden()
    return Worst(shop.order(map(CancelJob, found)))


def shallow_challenges(shop: Workshop) -> Worst:
    """Challenges of products of one panel: as many as a block has bytes for."""
    return _challenge(shop, PANEL_BYTES)


def deep_challenges(shop: Workshop) -> Worst:
    """The deepest challenge that a block has room for."""
    depth = MAX_DEPTH
    while compute_challenge_bytes(depth) > shop.params.max_block_bytes:
        depth //= 2
    return _challenge(shop, depth)


def _challenge(shop: Workshop, depth: int) -> Worst:
    voters.seat_committee(shop)
    x, w, y = (np.zeros((16, depth), np.int8), np.zeros((16, depth), np.int8), np.ones((16, 16), np.int32))
    ref_x, ref_w, ref_y = (work.matrix_ref(array) for array in (x, w, y))
    panels = depth // PANEL_BYTES
    rows = [
        StripRow(
            b"".join(compute_strip(array, index) for index in range(strips)),
            StripTree(compute_leaf_row(array)).compute_range_path(0, strips),
        )
        for array, strips in ((x, panels), (w, panels), (y, 1))
    ]
    by_bytes = shop.params.max_block_bytes // ((2 * panels + 1) << 14)
    number = min(by_bytes + 1, fit(shop, costs.CHALLENGE_US + costs.STRIP_US * (2 * panels + 1)))
    found = jobs.post(shop, JobMode.OPTIMISTIC, number, x=ref_x, w=ref_w)
    shop.mine(jobs.claim(shop, found))
    shop.mine(jobs.deliver(shop, found, [ref_y] * number))
    shop.harden()
    return Worst(shop.order((Challenge(job, 0, 0, *rows) for job in found), fee=100 * FEE))


def registrations(shop: Workshop) -> Worst:
    """Voters who register."""
    number = min(shop.params.max_voters, fit(shop, costs.VOTER_US + costs.SIGNATURE_US))
    people = shop.people[:number]
    voters.qualify(shop, people)
    shop.harden()
    return Worst(voters.register(shop, people))


def unbondings(shop: Workshop) -> Worst:
    """All voters there may be begin to leave at once."""
    found = voters.add_voters(shop, shop.params.max_voters)
    shop.harden()
    return Worst(shop.sign(person, UnbondVoter()) for person in found)


def withdrawals(shop: Workshop) -> Worst:
    """All voters there may be take their bonds back at once."""
    params = shop.params
    found = voters.add_voters(shop, params.max_voters)
    shop.mine(shop.sign(person, UnbondVoter()) for person in found)
    shop.mine_until(shop.height + compute_span(params, params.unbonding_epochs + 2))
    shop.harden()
    return Worst(shop.sign(person, WithdrawBond()) for person in found)


def reports(shop: Workshop) -> Worst:
    """Voters who are reported."""
    number = min(shop.params.max_voters, fit(shop, costs.VOTER_US + 2 * costs.SIGNATURE_US))
    found = voters.add_voters(shop, number)
    shop.harden()
    return Worst(voters.report(shop, found))


def disputes(shop: Workshop) -> Worst:
    """Results that are disputed."""
    voters.seat_committee(shop)
    orders = list(voters.dispute(shop, fit(shop, _compute_dispute_cost(shop))))
    shop.harden()
    return Worst(orders)


def jury_votes(shop: Workshop) -> Worst:
    """Jurors who commit their verdicts."""
    members = voters.seat_committee(shop)
    found = voters.draw_juries(shop, _count_juries(shop))
    shop.harden()
    return Worst(voters.vote(shop, found, members))


def jury_reveals(shop: Workshop) -> Worst:
    """Jurors who open their verdicts."""
    members = voters.seat_committee(shop)
    found = voters.draw_juries(shop, _count_juries(shop))
    drawn_at = shop.height
    shop.mine(voters.vote(shop, found, members))
    shop.harden(max(shop.soonest, drawn_at + shop.params.jury_window * 2 // 3))
    return Worst(voters.reveal(shop, found, members))


def juries_drawn(shop: Workshop) -> Worst:
    """Juries of as many results as one block can dispute."""
    voters.seat_committee(shop)
    orders = list(voters.dispute(shop, _count_disputes(shop)))
    shop.harden(before_last=orders)
    return Worst(pay(shop), started=len(orders))


def juries_counted(shop: Workshop) -> Worst:
    """The same juries, in which every juror voted and opened its verdict."""
    members = voters.seat_committee(shop)
    found = voters.draw_juries(shop, _count_disputes(shop))
    drawn_at, window = shop.height, shop.params.jury_window
    shop.mine(voters.vote(shop, found, members))
    shop.mine_until(drawn_at + window * 2 // 3 - 1)
    shop.mine(voters.reveal(shop, found, members))
    shop.harden(drawn_at + window)
    return Worst(pay(shop), started=len(found))


def lapses(shop: Workshop) -> Worst:
    """Claims that end."""
    at_once = _fit_any(shop, costs.CLAIM_US + costs.AHEAD * costs.QUEUE_COSTS[Queue.LAPSE])
    number, groups = _fit_start(shop, Queue.LAPSE), list[list[JobId]]()
    last = shop.height + 60 + number // at_once
    for _ in range(-(-number // at_once)):
        size = min(at_once, number - sum(len(group) for group in groups))
        # Claims of one block have one window, and all end at `last`.
        claimed_at = last - 50 + len(groups)
        groups.append(jobs.post(shop, JobMode.CHECKED, size, claim_window=last - claimed_at))
    shop.mine_until(last - 51)
    for group in groups:
        shop.mine(jobs.claim(shop, group))
    shop.harden(last + 1)
    return Worst(pay(shop), started=number)


def deadlines(shop: Workshop) -> Worst:
    """Open jobs whose deadline is over."""
    deadline = shop.height + 60
    found = jobs.post(shop, JobMode.CHECKED, _fit_start(shop, Queue.DEADLINE), deadline=deadline)
    shop.harden(deadline + 1)
    return Worst(pay(shop), started=len(found))


def results_due(shop: Workshop) -> Worst:
    """Optimistic results that are paid: as many as one block can deliver."""
    voters.seat_committee(shop)
    at_once = _fit_any(shop, costs.RESULT_US + costs.AHEAD * costs.QUEUE_COSTS[Queue.DUE])
    found = jobs.deliver_optimistic(shop, min(at_once, _fit_start(shop, Queue.DUE)))
    shop.harden(shop.height + shop.params.challenge_window)
    return Worst(pay(shop), started=len(found))


def removals(shop: Workshop) -> Worst:
    """Closed jobs that leave the state."""
    found = jobs.post(shop, JobMode.CHECKED, _fit_start(shop, Queue.REMOVAL))
    shop.mine(shop.order(map(CancelJob, found)))
    shop.harden(shop.height + shop.params.job_retention)
    return Worst(pay(shop), started=len(found))


def votes(shop: Workshop) -> Worst:
    """All votes of the largest committee, in the block that also chooses the next one."""
    members = voters.seat_committee(shop)
    params = shop.params
    height = compute_height(params, compute_passed_epoch(params, shop.soonest) + 1) + 1
    shop.harden(height)
    aggregate = make_due_aggregate(params, shop.ledger.view.state, [person.to_voter() for person in members])
    return Worst(pay(shop), aggregate, started=len(members))


def committee(shop: Workshop) -> Worst:
    """A committee that is chosen of all voters there may be."""
    params, found = shop.params, voters.add_voters(shop, shop.params.max_voters)
    shop.harden(compute_height(params, compute_passed_epoch(params, shop.soonest) + 1) + 1)
    return Worst(pay(shop), started=len(found))


def _fit_any(shop: Workshop, cost_us: int) -> int:
    """Return how many orders of this cost any block has room for, also one that chooses a committee."""
    return (shop.params.max_block_cost_us - costs.CANDIDATE_US * voters.count_members(shop)) // cost_us


def _fit_start(shop: Workshop, queue: Queue) -> int:
    """Return how many jobs of a queue the start of a block may work off."""
    return shop.params.max_block_cost_us // START_PART // costs.QUEUE_COSTS[queue]


def _count_disputes(shop: Workshop) -> int:
    """Return how many results any block has room to dispute."""
    return _fit_any(shop, _compute_dispute_cost(shop))


def _compute_dispute_cost(shop: Workshop) -> int:
    return costs.DISPUTE_US + costs.AHEAD * (costs.DRAW_US + costs.compute_count_cost(shop.params))


def _count_juries(shop: Workshop) -> int:
    """Return how many juries have as many jurors as a block has room for their verdicts."""
    verdicts = fit(shop, costs.VOTER_US + costs.SIGNATURE_US)
    jurors = min(shop.params.jury_size, voters.count_members(shop))
    return min(_count_disputes(shop), -(-2 * verdicts // jurors))


def _count_seats(params: Params) -> int:
    return max(300, min(512, params.max_voters))


def _count_voters(params: Params) -> int:
    return max(300, params.max_voters)


KINDS: Final = (
    Kind("transfers", transfers),
    Kind("new accounts", new_accounts),
    Kind("many payments", many_payments),
    Kind("many new accounts", many_new_accounts),
    Kind("many signatures", joint_transfers),
    Kind("posts", posts),
    Kind("claims", claims, _count_seats),
    Kind("results, checked, small", small_results),
    Kind("results, checked, large", large_results),
    Kind("results, optimistic", optimistic_results, _count_seats),
    Kind("tasks", task_posts),
    Kind("outcomes", outcomes, _count_seats),
    Kind("cancels", cancels),
    Kind("challenges, shallow", shallow_challenges, _count_seats),
    Kind("challenges, deep", deep_challenges, _count_seats),
    Kind("registrations", registrations, _count_voters),
    Kind("unbondings", unbondings, _count_voters),
    Kind("withdrawals", withdrawals, _count_voters),
    Kind("reports", reports, _count_voters),
    Kind("disputes", disputes, _count_seats),
    Kind("jury votes", jury_votes, _count_seats),
    Kind("jury reveals", jury_reveals, _count_seats),
    Kind("juries drawn", juries_drawn, _count_seats),
    Kind("juries counted", juries_counted, _count_seats),
    Kind("claims lapse", lapses),
    Kind("deadlines pass", deadlines),
    Kind("results paid", results_due, _count_seats),
    Kind("jobs removed", removals),
    Kind("votes", votes, _count_seats),
    Kind("committee", committee, _count_voters),
)
"""Every payload, every queue, juries, checkpoints and aggregates."""
