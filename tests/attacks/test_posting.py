"""Attacks by posting jobs to oneself: what they cost under the presets' parameters, played on the rules.

Protocol 1 gave merit and reputation for settled work and burned one nano a ticket. Each test names the old figure.
"""

import msgspec
import pytest

from inos.consensus.codes import Code
from inos.consensus.costs import compute_transaction_cost
from inos.consensus.params import Params, compute_subsidy
from inos.consensus.prices import compute_job_price, compute_window_share
from inos.consensus.records import Kind
from inos.consensus.state import StateView
from inos.genesis import load_network
from inos.primitives.blocks import Header, compute_difficulty, compute_weight, encode_target
from inos.primitives.matrices import compute_tickets
from inos.primitives.transactions import CancelJob, ClaimJob, JobMode, PostJob, SubmitResult, Transfer
from inos.primitives.units import Address, Height, JobId, Nano, Tickets
from support.consensus_lab import ALICE, BOB, NOBODY, PARAMS, Lab, get_code, make_operand, make_post, make_result

CREDIT = 10**9
PRESETS = ("devnet", "testnet")


def get_preset(name: str) -> tuple[Params, Tickets, Nano]:
    """Return parameters, first D and first subsidy of a network."""
    params = load_network(name).params
    return params, compute_difficulty(params.genesis_target), compute_subsidy(params, Height(1))


def compute_burn(params: Params, difficulty: Tickets, m: int, k: int, n: int, mode: JobMode) -> int:
    price = compute_job_price(params, Height(1), difficulty, rows_x=m, rows_w=n, depth=k, mode=mode)
    return price.total


@pytest.mark.parametrize("network", PRESETS)
def test_the_product_that_bought_a_million_blocks_is_refused_and_would_cost_a_million_subsidies(network: str) -> None:
    """275 credits bought merit for 1,374,389 testnet blocks with 2^20 x 2^16 by 2^20 x 2^16 of zeros."""
    params, difficulty, subsidy = get_preset(network)
    lab = Lab(
        msgspec.structs.replace(PARAMS, max_optimistic_bytes=params.max_optimistic_bytes, max_block_bytes=1 << 22)
    )
    huge = {"x": make_operand(1 << 20, 1 << 16), "w": make_operand(1 << 20, 1 << 16, 2), "mode": JobMode.OPTIMISTIC}
    assert get_code(lambda: lab.post(ALICE, bond=1000, **huge)) == Code.PRODUCT_TOO_LARGE
    tickets = compute_tickets(1 << 20, 1 << 20, 1 << 16)
    burn = compute_burn(params, difficulty, 1 << 20, 1 << 16, 1 << 20, JobMode.OPTIMISTIC)
    assert burn >= subsidy * tickets // (8 * difficulty)
    assert burn > 8_000_000 * CREDIT


@pytest.mark.parametrize("network", PRESETS)
@pytest.mark.parametrize("mode", JobMode)
def test_a_faked_share_costs_at_least_an_eighth_of_it_in_subsidies(network: str, mode: JobMode) -> None:
    """This holds for any shape: padding is paid for, and small jobs also pay for their place."""
    params, difficulty, subsidy = get_preset(network)
    for m, k, n in ((1, 1, 1), (16, 1024, 16), (17, 1025, 17), (512, 1024, 256), (360, 64, 64), (1024, 1024, 1024)):
        tickets = compute_tickets(m, n, k)
        burn = compute_burn(params, difficulty, m, k, n, mode)
        assert 8 * difficulty * burn >= subsidy * tickets
        share = compute_window_share(settled=tickets, weight=difficulty, settled_burn=burn, subsidies=subsidy)
        assert share.burned_ppm >= share.paid_ppm // 8


def test_a_shown_share_is_never_above_everything() -> None:
    """Figures of a rival, and of protocol 1, reached 2 million per cent."""
    share = compute_window_share(settled=10**12, weight=1000, settled_burn=10**9, subsidies=10**9)
    assert share.paid_ppm == 1_000_000


def test_posting_one_product_again_and_again_burns_for_every_ticket() -> None:
    """11,300 re-posts in one block cost 0.03 credits and gave merit for 115 blocks."""
    params, difficulty, subsidy = get_preset("testnet")
    tickets = compute_tickets(1024, 1024, 1024)
    burn = 11_300 * compute_burn(params, difficulty, 1024, 1024, 1024, JobMode.CHECKED)
    assert burn > 11_300 * subsidy * tickets // (8 * difficulty)
    assert burn > 1000 * CREDIT
    lab = Lab()
    before, burned = lab.state.get_account(ALICE.address).balance, 0
    for _ in range(3):
        job = lab.post(ALICE)
        posted = lab.state.get_job(job)
        assert posted is not None
        burned += posted.burned
        lab.mine(lab.sign(ALICE, ClaimJob(job)), miner=NOBODY)
        lab.mine(lab.sign(ALICE, SubmitResult(job, make_result(32, 48))), miner=NOBODY)
    assert burned >= 3 * 50_000 * 12 // (8 * 600)
    assert before - lab.state.get_account(ALICE.address).balance == burned + 9
    assert lab.state.get_account(ALICE.address).mined == 0


def test_settled_work_buys_no_block_no_seat_and_no_weight() -> None:
    """Reputation allows a limited number of open claims, and nothing else reads it."""
    lab = Lab()
    job = lab.post(ALICE)
    lab.mine(lab.sign(BOB, ClaimJob(job)), miner=NOBODY)
    lab.mine(lab.sign(BOB, SubmitResult(job, make_result(32, 48))), miner=NOBODY)
    account = lab.state.get_account(BOB.address)
    assert account.reputation > 0
    assert account.mined == 0
    assert "uses_merit" not in Header.__struct_fields__


def test_all_blocks_of_one_target_weigh_the_same() -> None:
    """In protocol 1, a block that used merit weighed a quarter, so one ordinary block orphaned three."""
    target = 2**256 // 1000 - 1
    header = Header(2, 1, 1, bytes(32), 1, bytes(32), bytes(32), encode_target(target), bytes(20), 0, None)
    weights = {compute_weight(msgspec.structs.replace(header, beneficiary=bytes([n]) * 20, nonce=n)) for n in range(50)}
    assert weights == {compute_difficulty(target)}


@pytest.mark.parametrize("network", PRESETS)
def test_tiny_jobs_cannot_grow_the_state_for_nothing(network: str) -> None:
    """In protocol 1, 54 GiB a day cost 0.1 credits, because jobs of 1 x 1 x 1 stayed for ever."""
    params, difficulty, subsidy = get_preset(network)
    lab = Lab()
    post = lab.sign(ALICE, make_post(1, x=make_operand(1, 1, 1), w=make_operand(1, 1, 2)))
    cost = compute_transaction_cost(params, StateView(lab.records), post)
    most = min(params.max_block_cost_us // cost, params.max_block_bytes // 300)
    burn = compute_burn(params, difficulty, 1, 1, 1, JobMode.CHECKED)
    blocks_a_day = 86_400_000 // params.spacing_ms
    gib_a_day = most * blocks_a_day * 600 / 2**30
    credits_a_day = most * blocks_a_day * burn / CREDIT
    assert credits_a_day / gib_a_day > 1000
    assert most * burn > subsidy // 100


def test_a_closed_job_leaves_the_state_and_nothing_of_it_stays() -> None:
    lab = Lab()
    kinds = (Kind.JOB, Kind.CLAIM, Kind.LAPSE, Kind.DUE, Kind.DEADLINE, Kind.REMOVAL, Kind.DISPUTE, Kind.JURY)
    settled = lab.post(ALICE)
    lab.mine(lab.sign(BOB, ClaimJob(settled)), miner=NOBODY)
    lab.mine(lab.sign(BOB, SubmitResult(settled, make_result(32, 48))), miner=NOBODY)
    cancelled = lab.post(ALICE)
    lab.mine(lab.sign(ALICE, CancelJob(cancelled)), miner=NOBODY)
    forgotten = lab.post(ALICE)
    lapsed = lab.post(ALICE)
    lab.mine(lab.sign(BOB, ClaimJob(lapsed)), miner=NOBODY)
    lab.mine_until(lab.height + PARAMS.max_job_lifetime + PARAMS.job_retention + 5)
    assert lab.state.get_job(JobId(forgotten)) is None
    assert not [key for key in lab.records.all if key[0] in kinds]
    assert lab.state.get_market().escrowed == 0


def test_dust_accounts_burn_for_their_place() -> None:
    lab = Lab()
    fee = PARAMS.account_fee
    newcomer = Address(b"dust" * 5)
    assert get_code(lambda: lab.mine(lab.sign(ALICE, Transfer(newcomer, fee)))) == Code.AMOUNT_TOO_SMALL
    before = lab.state.get_market().burned
    lab.mine(lab.sign(ALICE, Transfer(newcomer, fee + 1)), miner=NOBODY)
    assert lab.state.get_account(newcomer).balance == 1
    assert lab.state.get_market().burned - before == fee
    lab.mine(lab.sign(ALICE, Transfer(newcomer, 1)), miner=NOBODY)  # there is a record now: nothing more burns
    assert lab.state.get_market().burned - before == fee


def test_a_poster_cannot_be_made_to_burn_more_than_it_signed() -> None:
    lab = Lab()
    price = compute_job_price(
        PARAMS,
        Height(1),
        compute_difficulty(PARAMS.genesis_target),
        rows_x=32,
        rows_w=48,
        depth=1500,
        mode=JobMode.CHECKED,
    ).total
    assert get_code(lambda: lab.post(ALICE, max_burn=price - 1)) == Code.BURN_ABOVE_MAXIMUM
    lab.post(ALICE, max_burn=price)
    payload = make_post(3, max_burn=2**64 - 1)
    assert isinstance(payload, PostJob)


def test_a_burn_beyond_64_bits_breaks_a_rule_and_no_number() -> None:
    params, _, _ = get_preset("testnet")
    price = compute_job_price(
        msgspec.structs.replace(params, burn_per_mille=10**6),
        Height(1),
        Tickets(1),
        rows_x=1 << 20,
        rows_w=1 << 20,
        depth=1 << 16,
        mode=JobMode.OPTIMISTIC,
    )
    assert price.total > 2**64
    lab = Lab(msgspec.structs.replace(PARAMS, burn_per_mille=10**6, subsidy_initial=Nano(10**18), subsidy_tail=Nano(1)))
    assert get_code(lambda: lab.post(ALICE, max_burn=2**64 - 1)) in (Code.OVERFLOW, Code.INSUFFICIENT_BALANCE)
