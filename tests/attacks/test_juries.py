"""Attacks on optimistic results and their juries, played on the rules; docs/security.md has a row for each."""

import math
import random

import msgspec
import pytest

from inos.consensus.jury import compute_jury_fee, draw_jurors, is_majority
from inos.consensus.records import JobState, Member
from inos.genesis import load_network
from inos.primitives.transactions import ClaimJob, Dispute, JobMode, SubmitResult, Verdict
from inos.primitives.units import BlockId, JobId
from support.consensus_lab import ALICE, BOB, CAROL, MINER, NOBODY, get_code, make_result
from support.juries import BOND, JURY_PARAMS, REWARD, Court
from support.tiles import BAD_REF, W_REF, X_REF, make_challenge

FEE = 200
RIGHT, WRONG, UNAVAILABLE = Verdict


def open_case(weights: dict[str, int] | None = None, **changes: int) -> tuple[Court, JobId]:
    court = Court(weights or {"miner": 10})
    job = court.deliver(deadline=court.height + 20, **changes)
    return court, job


def judge(court: Court, job: JobId, verdicts: dict[str, Verdict]) -> None:
    court.commit(job, verdicts)
    court.reveal(job, verdicts)
    court.count(job)


def get_state(court: Court, job: JobId) -> JobState:
    found = court.state.get_job(job)
    assert found is not None
    return found.state


def test_random_bytes_instead_of_a_result_cost_the_bond() -> None:
    """In protocol 1 they earned any optimistic reward, because nobody can challenge bytes that nobody has."""
    court, job = open_case()
    cheat, poster = court.get_wealth("bob"), court.get_wealth("alice")
    court.dispute(job, CAROL)
    judge(court, job, {"miner": UNAVAILABLE})
    assert court.get_wealth("bob") - cheat == -BOND
    assert BOND > REWARD
    assert court.get_wealth("alice") == poster
    assert get_state(court, job) == JobState.OPEN  # another worker can still do it


def test_a_bond_is_never_below_the_reward_that_a_cheat_could_take() -> None:
    court = Court({"miner": 10})
    for reward in (1000, 5000, 100_000):
        post = {"mode": JobMode.OPTIMISTIC, "reward": reward, "bond": reward - 1}
        assert get_code(lambda p=post: court.post(ALICE, **p)) == "bond-too-small"  # type: ignore[misc]


def test_a_poster_that_disputes_honest_work_pays_half_the_fee_each_time() -> None:
    court, job = open_case()
    poster, worker = court.get_wealth("alice"), court.get_wealth("bob")
    court.dispute(job, ALICE)
    judge(court, job, {"miner": RIGHT})
    assert court.get_wealth("alice") - poster == -(FEE - FEE // 2) - 1  # and the transaction's fee
    assert court.get_wealth("bob") - worker == REWARD - FEE // 2
    assert get_code(lambda: court.mine(court.sign(ALICE, Dispute(job)))) == "job-not-delivered"


def test_a_worker_that_serves_jurors_only_earns_less_than_one_that_serves_all() -> None:
    quiet, undisputed = open_case()
    before = quiet.get_wealth("bob")
    quiet.mine_until(quiet.height + 3)
    assert get_state(quiet, undisputed) == JobState.SETTLED
    served = quiet.get_wealth("bob") - before
    court, job = open_case()
    before = court.get_wealth("bob")
    court.dispute(job)
    judge(court, job, {"miner": RIGHT})
    assert court.get_wealth("bob") - before == served - FEE // 2


def test_a_cheat_does_not_escape_by_disputing_itself() -> None:
    """Its own stake returns, but the jury's fee and half of the rest of its bond are lost, as with any other
    disputer.
    """
    court, job = open_case()
    cheat = court.get_wealth("bob")
    court.dispute(job, BOB)
    judge(court, job, {"miner": WRONG})
    lost = cheat - court.get_wealth("bob")
    assert lost == FEE + (BOND - FEE) - (BOND - FEE) // 2 + 1
    assert lost > REWARD / 2
    assert get_state(court, job) == JobState.OPEN


def deliver_wrong_tile(court: Court) -> JobId:
    """Let Bob deliver a real product with one wrong entry."""
    changes = {"x": X_REF, "w": W_REF, "deadline": court.height + 20}
    job = court.post(ALICE, mode=JobMode.OPTIMISTIC, reward=REWARD, bond=BOND, **changes)
    court.mine(court.sign(BOB, ClaimJob(job)), miner=NOBODY)
    court.mine(court.sign(BOB, SubmitResult(job, BAD_REF)), miner=NOBODY)
    return job


@pytest.mark.parametrize("is_committed", [False, True])
def test_a_cheat_does_not_escape_a_jury_by_challenging_itself(is_committed: bool) -> None:
    court = Court({"miner": 10})
    job = deliver_wrong_tile(court)
    court.dispute(job)
    juror, cheat, disputer = (court.get_wealth(who) for who in ("miner", "bob", "carol"))
    if is_committed:
        court.commit(job, {"miner": WRONG}, CAROL)
        disputer -= 1
    court.mine(court.sign(BOB, make_challenge(job)), miner=NOBODY)
    fee = FEE if is_committed else 0
    assert court.get_wealth("miner") - juror == fee
    assert court.get_wealth("bob") - cheat == (BOND - fee) // 2 - BOND - 1
    assert court.get_wealth("carol") == disputer
    assert court.state.get_account(CAROL.address).bonded == 0
    assert court.state.get_dispute(job) is None
    assert get_state(court, job) == JobState.OPEN
    court.mine_until(court.height + 12)  # nothing is left of the jury in the queues


def test_a_wrong_tile_convicts_also_after_a_jury_was_fooled() -> None:
    params = msgspec.structs.replace(JURY_PARAMS, challenge_window=15)
    court = Court({"miner": 10}, params)
    job = deliver_wrong_tile(court)
    court.dispute(job)
    judge(court, job, {"miner": RIGHT})
    assert get_state(court, job) == JobState.DELIVERED
    cheat = court.get_wealth("bob")
    court.mine(court.sign(CAROL, make_challenge(job)), miner=NOBODY)
    assert get_state(court, job) == JobState.OPEN
    left = BOND - FEE // 2
    assert court.get_wealth("bob") - cheat == -left


def test_votes_committed_and_never_opened_cost_more_than_they_can_spoil() -> None:
    """A juror that keeps its verdict secret loses the part of the fee that its seats would have earned."""
    court, job = open_case()
    juror = court.get_wealth("miner")
    court.dispute(job)
    court.commit(job, {"miner": RIGHT}, CAROL)
    court.count(job)
    assert juror - court.get_wealth("miner") == FEE // 7 * 7
    assert get_state(court, job) == JobState.UNDECIDED


def test_nobody_profits_from_a_jury_that_sleeps() -> None:
    court, job = open_case()
    before = {who: court.get_wealth(who) for who in ("alice", "bob", "carol", "miner")}
    court.dispute(job)
    court.count(job)
    gains = {who: court.get_wealth(who) - before[who] for who in before}
    assert gains["alice"] == 0
    assert max(gains.values()) == 0
    assert sum(gains.values()) == -FEE - 1


def test_a_lazy_or_bribed_majority_pays_a_cheat_and_nothing_in_the_rules_prevents_it() -> None:
    """docs/security.md says this: juries rely on most drawn seats being honest and online."""
    court, job = open_case()
    cheat = court.get_wealth("bob")
    court.dispute(job)
    judge(court, job, {"miner": RIGHT})
    assert court.get_wealth("bob") - cheat == REWARD - FEE // 2


def test_drawing_another_jury_by_discarding_a_block_is_worth_less_than_the_block() -> None:
    """A disputer gains at most p (1 - p) of what a verdict moves by another draw, while its block earns a subsidy."""
    for network in ("devnet", "testnet"):
        params = load_network(network).params
        subsidy = params.subsidy_initial
        bond = 4 * subsidy
        fee = bond // 8
        most = (bond - fee) // 2 + fee  # half of the rest to the disputer, and all seats are its own
        assert most / 4 < 63 * subsidy // 64


def test_the_disputer_cannot_choose_the_seats_in_its_own_block() -> None:
    """The seats depend on the parent of the block two above the dispute, which nobody knows when it is sent."""
    members = [Member(bytes([n]) * 20, bytes([n]) * 48, 10, 10) for n in range(1, 40)]
    juries = {
        tuple(j.address for j in draw_jurors(JURY_PARAMS, members, JobId(bytes(32)), BlockId(bytes([n]) * 32)))
        for n in range(64)
    }
    assert len(juries) == 64


def test_dust_jobs_cannot_fill_juries() -> None:
    """Each dispute stakes at least the least bond and its fee, and its cost in a block covers the cost of its jury four
    times.
    """
    params = load_network("testnet").params
    assert params.min_bond >= 10**9
    court, job = open_case()
    found = court.state.get_job(job)
    assert found is not None
    assert compute_jury_fee(court.params, found) == FEE


def play_jury(rng: random.Random, size: int, bad: float, sleeping: float) -> str:
    """Play one jury about a garbage result: bad seats say right, and honest ones that are online say not right."""
    right = wrong = 0
    for _ in range(size):
        drawn = rng.random()
        if drawn < bad:
            right += 1
        elif rng.random() >= sleeping:
            wrong += 1
    if 2 * right > size:
        return "paid"
    return "convicted" if 2 * wrong > size else "undecided"


@pytest.mark.parametrize(
    ("size", "bad", "sleeping", "most_paid"),
    [(7, 0.2, 0.0, 0.05), (21, 0.2, 0.3, 0.005), (21, 0.3, 0.3, 0.04), (21, 0.4, 0.0, 0.2), (21, 0.4, 0.3, 0.2)],
)
def test_a_cheat_loses_by_trying_with_up_to_forty_percent_bad_and_thirty_percent_sleeping_seats(
    size: int, bad: float, sleeping: float, most_paid: float
) -> None:
    """A garbage result earns on average the reward if it is paid, less the bond if it is not."""
    rng = random.Random(7)
    rounds = 20_000
    outcomes = [play_jury(rng, size, bad, sleeping) for _ in range(rounds)]
    paid, convicted = outcomes.count("paid") / rounds, outcomes.count("convicted") / rounds
    assert paid < most_paid
    fee = 1 / 8
    expected = paid * (1 - fee / 2) - convicted * 1 - (1 - paid - convicted) * fee / 2
    assert expected < 0, (paid, convicted)
    assert not is_majority(load_network("testnet").params, 10)


def compute_collusion(size: int, share: float) -> float:
    """Return what a dispute of honest work earns on average, in bonds, for disputers that hold `share` of the weight.

    With most seats they say wrong, and get half of the rest of the bond and the fee. Otherwise they say right, lose
    half the fee as disputers and share the fee as jurors.
    """
    expected, fee = 0.0, 1 / 8
    for seats in range(size + 1):
        odds = math.comb(size, seats) * share**seats * (1 - share) ** (size - seats)
        is_won = 2 * seats > size
        expected += odds * ((1 - fee) / 2 + fee if is_won else fee * seats / size - fee / 2)
    return expected


@pytest.mark.parametrize(("size", "loses", "gains"), [(7, 0.23, 0.245), (21, 0.31, 0.325)])
def test_colluding_disputers_break_even_at_the_share_that_the_documents_give(
    size: int, loses: float, gains: float
) -> None:
    assert compute_collusion(size, loses) < 0 < compute_collusion(size, gains)


def test_the_stranger_who_sends_a_jurors_votes_cannot_change_them() -> None:
    court, job = open_case()
    court.dispute(job)
    votes = court.sign_votes(job, {"miner": WRONG}, CAROL)
    forged = court.sign_votes(job, {"miner": WRONG}, CAROL, changes={"commitment": bytes(32)})
    assert get_code(lambda: court.mine(*forged)) == "bad-jury-signature"
    court.mine(*votes, miner=NOBODY)
    copied = court.sign_votes(job, {"miner": WRONG}, BOB)
    assert get_code(lambda: court.mine(*copied)) == "already-committed"


def test_the_same_wrong_result_can_be_disputed_each_time_it_is_delivered() -> None:
    court, job = open_case()
    for number in range(2):
        court.dispute(job)
        judge(court, job, {"miner": WRONG})
        assert get_state(court, job) == (JobState.OPEN if number == 0 else JobState.CANCELLED)  # past its deadline
        if number == 0:
            court.mine(court.sign(BOB, ClaimJob(job)), miner=NOBODY)
            court.mine(court.sign(BOB, SubmitResult(job, make_result(32, 48))), miner=NOBODY)
    assert court.state.get_account(BOB.address).open_claims == 0
    assert court.state.get_account(MINER.address).bonded == 10_000
