"""Which job a miner claims, and what stops it from claiming."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from inos.consensus.params import Params
from inos.consensus.records import Job, JobState, ProductWork
from inos.genesis import load_network
from inos.miner.policy import Capacity, Offer, choose_job, get_refusal, is_finishable, rank_offers
from inos.miner.settings import MinerSettings, Purpose, check_settings
from inos.primitives.errors import InosError
from inos.primitives.matrices import MatrixRef
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import JobMode
from inos.primitives.units import Address, Height, JobId, Nano, Tickets

KEY = bytes([7]) * 32
ME = compute_address(compute_public_key(KEY))
SETTINGS = MinerSettings(beneficiary=ME, key=KEY)


@pytest.fixture(scope="module")
def params() -> Params:
    return load_network("devnet").params


def make_offer(number: int = 1, *, rows: int = 64, cols: int = 32, depth: int = 1024, **fields: Any) -> Offer:
    values: dict[str, Any] = {
        "poster": bytes(20),
        "work": ProductWork(
            MatrixRef(bytes(32), rows, depth, bytes(32)),
            MatrixRef(bytes(32), cols, depth, bytes(32)),
            fields.pop("mode", JobMode.CHECKED),
        ),
        "reward": 1_000_000_000,
        "bond": 1000,
        "claim_window": 20,
        "deadline": 500,
        "posted_at": 1,
        "burned": 1,
        "state": JobState.OPEN,
        "worker": None,
        "closed_at": 0,
    }
    return Offer(JobId(number.to_bytes(32, "big")), Job(**(values | fields)))


def make_standing(**fields: Any) -> Capacity:
    values: dict[str, Any] = {
        "height": Height(100),
        "spendable": Nano(10**12),
        "fee": Nano(1000),
        "claims_left": 2,
        "backlog": Tickets(0),
        "rate": 0.0,
    }
    return Capacity(**(values | fields))


def test_tickets_and_reward_count_strips_and_panels() -> None:
    offer = make_offer(rows=17, cols=16, depth=1025, reward=9)
    assert offer.units == 2 * 1 * 2
    assert offer.reward_per_unit == Fraction(9, 4)
    assert offer.size == 17 * 1025 + 16 * 1025 + 4 * 17 * 16


def test_the_best_reward_per_ticket_is_chosen_not_the_largest_reward(params: Params) -> None:
    large = make_offer(1, rows=1600, reward=2_000_000_000)
    small = make_offer(2, rows=16, reward=1_000_000_000)
    assert choose_job(params, SETTINGS, ME, [large, small], make_standing()) == small
    assert choose_job(params, SETTINGS, ME, [large, small], make_standing(), avoid={small.id}) == large
    assert choose_job(params, SETTINGS, ME, [], make_standing()) is None


@pytest.mark.parametrize(
    ("offer", "capacity", "reason"),
    [
        ({"state": JobState.CLAIMED}, {}, "not-open"),
        ({"mode": JobMode.OPTIMISTIC}, {}, None),
        ({}, {"claims_left": 0}, "claim-limit"),
        ({"bond": 10**12}, {}, "bond-not-affordable"),
        ({"bond": 10**12 - 2000}, {}, None),
        ({"bond": 10**12 - 1999}, {}, "bond-not-affordable"),
        ({"reward": 1999}, {}, "reward-under-fees"),
        ({"rows": 2**20, "depth": 2**16}, {}, "too-large"),
        ({"deadline": 103}, {}, "cannot-finish"),
        ({"deadline": 104}, {}, None),
        ({"claim_window": 2}, {}, "cannot-finish"),
        ({}, {"rate": 0.001}, "cannot-finish"),
        ({}, {"rate": 1000.0, "backlog": 10**9}, "cannot-finish"),
    ],
)
def test_refusals(params: Params, offer: dict[str, Any], capacity: dict[str, Any], reason: str | None) -> None:
    assert get_refusal(params, SETTINGS, make_offer(**offer), make_standing(**capacity)) == reason


def test_a_minimum_reward_per_ticket_is_kept(params: Params) -> None:
    offer = make_offer(rows=16, cols=16, reward=5000)
    picky = MinerSettings(beneficiary=ME, key=KEY, min_reward_per_ticket=5000.5)
    assert get_refusal(params, picky, offer, make_standing()) == "reward-too-low"
    assert get_refusal(params, replace(picky, min_reward_per_ticket=5000.0), offer, make_standing()) is None


def test_time_to_finish_counts_the_backlog_and_a_margin(params: Params) -> None:
    """The time of 20 blocks minus 2 for delivery, of which 70 % are used, at the network's spacing."""
    offer = make_offer(rows=16 * 100, cols=16)
    seconds = 18 * params.spacing_ms / 1000 * 0.7
    rate = 100 / seconds
    assert is_finishable(params, offer, make_standing(rate=rate * 1.001))
    assert not is_finishable(params, offer, make_standing(rate=rate * 0.999))
    assert not is_finishable(params, offer, make_standing(rate=rate * 1.001, backlog=Tickets(1)))


@given(rewards=st.lists(st.integers(1, 5), min_size=1, max_size=12))
def test_ranking_is_by_reward_and_independent_of_the_order_seen(rewards: list[int]) -> None:
    offers = [make_offer(i, reward=reward) for i, reward in enumerate(rewards)]
    ranked = rank_offers(SETTINGS, offers, ME)
    assert ranked == rank_offers(SETTINGS, list(reversed(offers)), ME)
    assert [o.job.reward for o in ranked] == sorted(rewards, reverse=True)


def test_miners_prefer_different_ones_among_equals() -> None:
    offers = [make_offer(i) for i in range(16)]
    firsts = {rank_offers(SETTINGS, offers, Address(bytes([n]) * 20))[0].id for n in range(16)}
    assert len(firsts) > 3


def test_own_posters_come_first_whatever_they_pay(params: Params) -> None:
    mine = make_offer(1, poster=bytes([9]) * 20, reward=1)
    paying, cheap = make_offer(2, reward=10**9), make_offer(3, reward=10**6)
    picky = replace(SETTINGS, min_reward_per_ticket=10**6, first_posters=frozenset({Address(bytes([9]) * 20)}))
    assert [offer.id for offer in rank_offers(picky, [cheap, paying, mine], ME)] == [mine.id, paying.id, cheap.id]
    assert choose_job(params, picky, ME, [cheap, paying, mine], make_standing()) == mine
    assert get_refusal(params, picky, cheap, make_standing()) == "reward-too-low"
    assert get_refusal(params, replace(picky, first_posters=frozenset()), mine, make_standing()) == "reward-too-low"
    # A preferred poster's job is still left alone if it cannot be done in time.
    assert get_refusal(params, picky, make_offer(1, poster=mine.job.poster, deadline=103), make_standing()) is not None


@pytest.mark.parametrize("mode", list(JobMode))
def test_only_kinds_that_are_wanted_are_taken(params: Params, mode: JobMode) -> None:
    settings = replace(SETTINGS, job_modes=frozenset({mode}))
    refusals = {each: get_refusal(params, settings, make_offer(mode=each), make_standing()) for each in JobMode}
    assert refusals == {each: None if each is mode else "other-mode" for each in JobMode}


def test_orders_that_contradict_each_other_are_refused() -> None:
    check_settings(SETTINGS)
    check_settings(MinerSettings(beneficiary=Address(bytes(20))))
    check_settings(MinerSettings(beneficiary=Address(bytes(20)), key=KEY))
    with pytest.raises(InosError) as keyless:
        check_settings(MinerSettings(beneficiary=ME, purpose=Purpose.JOBS))
    assert keyless.value.code == "mine-key-missing"


def test_only_a_key_and_a_purpose_that_wants_jobs_make_a_miner_claim() -> None:
    assert SETTINGS.is_claiming
    assert not replace(SETTINGS, purpose=Purpose.FILLER).is_claiming
    assert not replace(SETTINGS, key=None).is_claiming
