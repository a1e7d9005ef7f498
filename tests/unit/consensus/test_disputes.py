"""Tests disputes and juries in blocks: every outcome with its figures, and every refusal with its code."""

import msgspec
import pytest

from inos.consensus.records import JobState
from inos.primitives.transactions import CancelJob, ClaimJob, Dispute, JobMode, JuryVote, SubmitResult, Verdict
from inos.primitives.units import JobId
from support.consensus_lab import ALICE, BOB, CAROL, MINER, NOBODY, get_code, make_post, make_result
from support.juries import BOND, JURY_PARAMS, REWARD, SALT, Court

FEE = 200
"""An eighth of the bond of 1,600; the size fee of one MiB is 70."""
STAKE = BOND + FEE
RIGHT, WRONG, UNAVAILABLE = Verdict


def open_case(weights: dict[str, int] | None = None, deadline: int = 20) -> tuple[Court, JobId]:
    """Return a court with a delivered and disputed result whose jury is drawn."""
    court = Court(weights or {"miner": 10})
    job = court.deliver(deadline=court.height + deadline)
    court.dispute(job)
    return court, job


def get_state(court: Court, job: JobId) -> JobState:
    found = court.state.get_job(job)
    assert found is not None
    return found.state


def test_a_dispute_stakes_bond_and_fee_and_stops_the_payment() -> None:
    court = Court({"miner": 10})
    job = court.deliver()
    before = court.state.get_account(CAROL.address)
    court.dispute(job)
    after = court.state.get_account(CAROL.address)
    assert before.balance - after.balance == STAKE + 1
    assert after.bonded == STAKE
    assert after.open_claims == 0
    court.mine_until(court.height + 3)  # past the height at which the result would have been paid
    assert get_state(court, job) == JobState.DISPUTED


def test_the_jury_is_drawn_two_blocks_after_the_dispute() -> None:
    court = Court({"miner": 10})
    job = court.deliver()
    court.mine(court.sign(CAROL, Dispute(job)), miner=NOBODY)
    at = court.height
    court.mine(miner=NOBODY)
    dispute = court.state.get_dispute(job)
    assert dispute is not None
    assert (dispute.drawn_at, dispute.jurors) == (0, ())
    court.mine(miner=NOBODY)
    dispute = court.state.get_dispute(job)
    assert dispute is not None
    assert dispute.drawn_at == at + 2
    assert sum(juror.seats for juror in dispute.jurors) == 7


@pytest.mark.parametrize("verdict", [WRONG, UNAVAILABLE])
def test_not_right_costs_the_worker_its_bond(verdict: Verdict) -> None:
    court, job = open_case(deadline=20)
    before = {who: court.get_wealth(who) for who in ("alice", "bob", "carol", "miner")}
    burned = court.state.get_market().burned
    court.commit(job, {"miner": verdict})
    court.reveal(job, {"miner": verdict})
    court.count(job)
    assert court.get_wealth("carol") - before["carol"] == (BOND - FEE) // 2
    assert court.get_wealth("bob") - before["bob"] == -BOND
    assert court.get_wealth("miner") - before["miner"] == FEE - 2  # two transactions' fees
    assert court.state.get_market().burned - burned == BOND - FEE - (BOND - FEE) // 2
    assert get_state(court, job) == JobState.OPEN
    assert court.state.get_claim(job) is None
    assert court.state.get_dispute(job) is None
    account = court.state.get_account(BOB.address)
    assert (account.reputation, account.open_claims, account.bonded) == (0, 0, 0)


def test_past_its_deadline_a_job_judged_not_right_is_cancelled() -> None:
    court, job = open_case(deadline=8)
    before = court.get_wealth("alice")
    court.commit(job, {"miner": WRONG})
    court.reveal(job, {"miner": WRONG})
    court.count(job)
    assert get_state(court, job) == JobState.CANCELLED
    assert court.get_wealth("alice") - before == REWARD


def test_right_pays_the_result_and_splits_the_fee() -> None:
    court, job = open_case()
    before = {who: court.get_wealth(who) for who in ("bob", "carol", "miner")}
    court.commit(job, {"miner": RIGHT})
    court.reveal(job, {"miner": RIGHT})
    court.count(job)
    assert get_state(court, job) == JobState.SETTLED
    assert court.get_wealth("bob") - before["bob"] == REWARD - FEE // 2
    assert court.get_wealth("carol") - before["carol"] == -(FEE - FEE // 2)
    assert court.get_wealth("miner") - before["miner"] == FEE - 2
    assert court.state.get_account(BOB.address).bonded == 0
    assert court.state.get_account(CAROL.address).bonded == 0


def test_an_upheld_result_waits_for_its_due_height_and_cannot_be_disputed_again() -> None:
    params = msgspec.structs.replace(JURY_PARAMS, challenge_window=15)
    court = Court({"miner": 10}, params)
    job = court.deliver(deadline=court.height + 20)
    delivered = court.height
    court.dispute(job)
    court.commit(job, {"miner": RIGHT})
    court.reveal(job, {"miner": RIGHT})
    court.count(job)
    assert court.height < delivered + 15
    assert get_state(court, job) == JobState.DELIVERED
    assert get_code(lambda: court.mine(court.sign(CAROL, Dispute(job)))) == "already-judged"
    court.mine_until(delivered + 15)
    assert get_state(court, job) == JobState.SETTLED


def test_silence_burns_the_reward_and_half_the_fee_of_each_side() -> None:
    court, job = open_case()
    before = {who: court.get_wealth(who) for who in ("alice", "bob", "carol", "miner")}
    burned = court.state.get_market().burned
    court.count(job)
    assert get_state(court, job) == JobState.UNDECIDED
    assert court.get_wealth("bob") - before["bob"] == -FEE // 2
    assert court.get_wealth("carol") - before["carol"] == -FEE // 2
    assert court.get_wealth("alice") == before["alice"]
    assert court.state.get_market().burned - burned == REWARD + FEE
    assert court.state.get_market().escrowed == 0


def test_without_a_majority_all_who_voted_share_both_halves() -> None:
    court, job = open_case({"miner": 10, "carol": 10})
    jurors = court.get_jurors(job)
    assert set(jurors) == {"miner", "carol"}
    minority = min(jurors, key=lambda who: jurors[who].seats)
    before = court.get_wealth(minority)
    sender = {"miner": CAROL, "carol": MINER}[minority]
    court.commit(job, {minority: RIGHT}, sender)
    court.reveal(job, {minority: RIGHT}, sender)
    court.count(job)
    assert get_state(court, job) == JobState.UNDECIDED
    gained = court.get_wealth(minority) - before
    assert gained == FEE - (FEE // 2 if minority == "carol" else 0)


def test_the_majority_shares_the_fee_by_seats_and_the_rest_is_burned() -> None:
    court, job = open_case({"miner": 10, "carol": 10})
    seats = {who: juror.seats for who, juror in court.get_jurors(job).items()}
    before = {who: court.get_wealth(who) for who in seats}
    burned = court.state.get_market().burned
    verdicts = {"miner": WRONG, "carol": UNAVAILABLE}
    court.commit(job, verdicts, BOB)
    court.reveal(job, verdicts, BOB)
    court.count(job)
    assert court.get_wealth("miner") - before["miner"] == FEE * seats["miner"] // 7
    to_disputer = (BOND - FEE) // 2
    assert court.get_wealth("carol") - before["carol"] == FEE * seats["carol"] // 7 + to_disputer
    paid = sum(FEE * each // 7 for each in seats.values())
    assert court.state.get_market().burned - burned == BOND - paid - to_disputer


def test_the_minority_gets_nothing() -> None:
    court, job = open_case({"miner": 1000, "carol": 150})
    seats = {who: juror.seats for who, juror in court.get_jurors(job).items()}
    assert seats["miner"] > 3
    before = court.get_wealth("miner")
    verdicts = {"miner": RIGHT} | ({"carol": WRONG} if "carol" in seats else {})
    court.commit(job, verdicts, BOB)
    court.reveal(job, verdicts, BOB)
    court.count(job)
    assert court.get_wealth("miner") - before == FEE


def test_a_seat_committed_and_not_opened_costs_its_part_of_the_bond() -> None:
    court, job = open_case()
    before = court.get_wealth("miner")
    court.commit(job, {"miner": RIGHT}, CAROL)
    court.count(job)
    assert before - court.get_wealth("miner") == FEE // 7 * 7
    voter = court.state.get_voter(MINER.address)
    assert voter is not None
    assert voter.bond == 10_000 - FEE // 7 * 7
    assert get_state(court, job) == JobState.UNDECIDED


def test_a_disputed_job_is_neither_cancelled_nor_claimed_nor_disputed_again() -> None:
    court, job = open_case()
    assert get_code(lambda: court.mine(court.sign(ALICE, CancelJob(job)))) == "job-not-open"
    assert get_code(lambda: court.mine(court.sign(MINER, ClaimJob(job)))) == "job-not-open"
    assert get_code(lambda: court.mine(court.sign(CAROL, Dispute(job)))) == "job-not-delivered"


def test_who_may_dispute_what() -> None:
    court = Court({"miner": 10})
    checked = court.post(ALICE)
    assert get_code(lambda: court.mine(court.sign(CAROL, Dispute(checked)))) == "wrong-mode"
    assert get_code(lambda: court.mine(court.sign(CAROL, Dispute(JobId(bytes(32)))))) == "unknown-job"
    posted = court.post(ALICE, mode=JobMode.OPTIMISTIC, reward=REWARD, bond=BOND)
    assert get_code(lambda: court.mine(court.sign(CAROL, Dispute(posted)))) == "job-not-delivered"
    poor = Court({"miner": 10})
    job = poor.deliver(reward=150_000, bond=199_000)
    account = poor.state.get_account(CAROL.address)
    assert account.balance > 199_000
    assert get_code(lambda: poor.mine(poor.sign(CAROL, Dispute(job)))) == ""


def test_nobody_can_claim_an_optimistic_job_that_nobody_could_judge() -> None:
    for weights in ({}, {"alice": 5, "bob": 5}, {"bob": 9}):
        court = Court(weights)
        job = court.post(ALICE, mode=JobMode.OPTIMISTIC, reward=REWARD, bond=BOND)
        assert get_code(lambda c=court, j=job: c.mine(c.sign(BOB, ClaimJob(j)))) == "no-jury"  # type: ignore[misc]
        checked = court.post(ALICE)
        court.mine(court.sign(BOB, ClaimJob(checked)))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"bond": REWARD - 1}, "bond-too-small"),
        ({"bond": REWARD}, ""),
        ({"bond": 4 * 50_000 + 1}, "bond-too-large"),
        ({"bond": 4 * 50_000}, ""),
        ({"reward": 1, "bond": 139}, "bond-too-small"),  # twice the size fee of 7 seats and one MiB
        ({"reward": 1, "bond": 140}, ""),
    ],
)
def test_bounds_of_an_optimistic_bond(changes: dict[str, int], code: str) -> None:
    court = Court({"miner": 10})
    payload = make_post(court.height + 1, mode=JobMode.OPTIMISTIC, **{"reward": REWARD, "bond": BOND} | changes)
    assert get_code(lambda: court.mine(court.sign(ALICE, payload))) == code


def test_votes_out_of_place_are_refused() -> None:
    court, job = open_case()
    sign = court.sign_votes
    assert get_code(lambda: court.mine(*sign(job, {"carol": RIGHT}))) == "not-a-juror"
    assert (
        get_code(lambda: court.mine(*sign(job, {"miner": RIGHT}, changes={"commitment": bytes(32)})))
        == "bad-jury-signature"
    )
    assert (
        get_code(lambda: court.mine(*sign(job, {"miner": RIGHT}, changes={"job": bytes(32)}))) == "bad-jury-signature"
    )
    early = court.sign_reveals(job, {"miner": RIGHT})
    assert get_code(lambda: court.mine(*early)) == "reveal-too-early"
    court.commit(job, {"miner": RIGHT}, CAROL)
    assert get_code(lambda: court.mine(*sign(job, {"miner": WRONG}))) == "already-committed"
    court.mine_until(court.get_drawn_at(job) + 3)
    assert get_code(lambda: court.mine(*sign(job, {"miner": RIGHT}))) == "commit-window-over"
    reveal = court.sign_reveals
    assert get_code(lambda: court.mine(*reveal(job, {"miner": WRONG}))) == "wrong-opening"
    assert get_code(lambda: court.mine(*reveal(job, {"miner": RIGHT}, salt=bytes(32)))) == "wrong-opening"
    court.reveal(job, {"miner": RIGHT}, CAROL)
    assert get_code(lambda: court.mine(*reveal(job, {"miner": RIGHT}, CAROL))) == "already-revealed"
    court.count(job)
    late = court.sign(MINER, JuryVote(job, court.height, bytes(48), SALT, bytes(96)))
    assert get_code(lambda: court.mine(late)) == "bad-jury-signature"


def test_votes_without_a_jury_are_refused() -> None:
    court = Court({"miner": 10})
    court.deliver()
    other, other_job = open_case()
    votes = other.sign_votes(other_job, {"miner": RIGHT})
    assert get_code(lambda: court.mine(*votes)) == "no-dispute"
    assert get_code(lambda: other.mine(*other.sign_reveals(other_job, {"miner": RIGHT}))) == "reveal-too-early"
    other.mine_until(other.get_drawn_at(other_job) + 4)
    assert get_code(lambda: other.mine(*other.sign_reveals(other_job, {"miner": RIGHT}))) == "not-committed"


def test_a_verdict_of_an_earlier_dispute_cannot_be_repeated_in_a_later_one() -> None:
    """Anybody may send a juror's transactions, and a reveal publishes verdict and salt."""
    court, job = open_case(deadline=20)
    old = court.sign_votes(job, {"miner": WRONG})[0].payload
    court.commit(job, {"miner": WRONG})
    court.reveal(job, {"miner": WRONG})
    court.count(job)
    court.mine(court.sign(BOB, ClaimJob(job)), miner=NOBODY)
    court.mine(court.sign(BOB, SubmitResult(job, make_result(32, 48, 2))), miner=NOBODY)
    court.dispute(job)
    assert get_code(lambda: court.mine(court.sign(BOB, old))) == "wrong-jury"
    court.commit(job, {"miner": RIGHT})


def test_slashed_voters_lose_no_bond_twice() -> None:
    court, job = open_case()
    court.commit(job, {"miner": RIGHT}, CAROL)
    from inos.consensus.records import account_key, voter_key
    from inos.primitives.codec import encode

    account = court.state.get_account(MINER.address)  # slashed meanwhile: the bond was burned
    del court.records.all[voter_key(MINER.address)]
    market = court.state.get_market()
    court.records.all[account_key(MINER.address)] = encode(msgspec.structs.replace(account, bonded=0))
    from inos.consensus.records import MARKET_KEY

    court.records.all[MARKET_KEY] = encode(msgspec.structs.replace(market, burned=market.burned + account.bonded))
    court.count(job)
    assert get_state(court, job) == JobState.UNDECIDED
