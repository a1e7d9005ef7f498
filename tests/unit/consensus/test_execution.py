"""Tests a block against the state: order, amounts, and that a refused block leaves no trace."""

import msgspec
import pytest

from inos.consensus.execution import check_state_root, execute_block
from inos.consensus.movements import Movement, Reason
from inos.consensus.records import FINALITY_KEY, MARKET_KEY, NETWORK_MINED_KEY, Account, Market, account_key, pot_key
from inos.consensus.state import StateView, compute_reputation, compute_supply
from inos.primitives.bls import get_bls
from inos.primitives.codec import decode, encode
from inos.primitives.errors import RuleViolation, VerdictMissing
from inos.primitives.multisig import Multisig, compute_multisig_address
from inos.primitives.payments import Payment, pack_payments
from inos.primitives.transactions import (
    CancelJob,
    ClaimJob,
    Payload,
    SubmitResult,
    Transaction,
    Transfer,
    TransferMany,
    compute_tx_id,
)
from inos.primitives.units import Address, Height, JobId, PublicKey, StateRoot
from support.consensus_lab import (
    ALICE,
    BOB,
    CAROL,
    MINER,
    NOBODY,
    PARAMS,
    Lab,
    Records,
    get_code,
    make_operand,
    make_post,
    make_result,
    sign_jointly,
    sum_held,
)

MAX = 2**64 - 1
POT = 50_000 // 64
"""The part of each block's subsidy that is put aside for voters."""
Y = make_result(32, 48)


def test_the_miner_gets_subsidy_and_fees() -> None:
    lab = Lab()
    executed = lab.mine(
        lab.sign(ALICE, Transfer(BOB.address, 7), fee=5), lab.sign(BOB, Transfer(CAROL.address, 4), fee=8)
    )
    miner = lab.state.get_account(MINER.address)
    assert (miner.balance, miner.reputation, miner.mined, miner.mined_height) == (50_000 - POT + 13, 0, 50_000, 1)
    assert lab.state.get_account(ALICE.address) == Account(nonce=1, balance=1_000_000 - 12)
    assert lab.state.get_account(BOB.address) == Account(nonce=1, balance=500_000 + 7 - 12)
    stats = executed.stats
    assert (stats.subsidy, stats.fees, stats.burned) == (50_000, 13, 3)  # of a new account
    assert (stats.weight, stats.supply) == (600, 1_549_997)
    assert [(entry.place, entry.address) for entry in executed.history] == [
        (1, ALICE.address),
        (1, BOB.address),
        (2, BOB.address),
        (2, CAROL.address),
        (2**32 - 1, MINER.address),
    ]
    assert executed.history[0].movements == (
        Movement(Reason.FEE, 5),
        Movement(Reason.SENT, 7, counterparty=BOB.address),
    )
    assert executed.history[-1].movements == (
        Movement(Reason.SUBSIDY, 50_000 - POT),
        Movement(Reason.FEES_COLLECTED, 13),
    )
    assert list(executed.changes) == sorted(executed.changes)


def test_the_subsidy_steps_down_to_its_tail() -> None:
    lab = Lab()
    subsidies = {height: lab.mine(miner=NOBODY).stats.subsidy for height in range(1, 32)}
    assert subsidies[1] == subsidies[9] == 50_000
    assert subsidies[10] == subsidies[19] == 49_500
    assert subsidies[20] == 49_005
    assert subsidies[30] == 49_000  # 48514 is below the tail


def test_a_transfer_to_oneself_mints_nothing() -> None:
    lab = Lab()
    lab.mine(lab.sign(ALICE, Transfer(ALICE.address, 999_999)), miner=NOBODY)
    assert lab.state.get_account(ALICE.address) == Account(nonce=1, balance=999_999)
    assert (
        get_code(lambda: lab.begin().add(lab.sign(ALICE, Transfer(ALICE.address, 999_999)))) == "insufficient-balance"
    )


def test_the_miner_may_spend_what_it_had_but_not_what_it_earns_here() -> None:
    lab = Lab()
    assert get_code(lambda: lab.begin().add(lab.sign(MINER, Transfer(BOB.address, 1)))) == "insufficient-balance"
    lab.mine()
    lab.mine(lab.sign(MINER, Transfer(BOB.address, 10), fee=3))
    assert lab.state.get_account(MINER.address).balance == 100_000 - 2 * POT - 10


def test_an_account_spent_to_nothing_keeps_its_nonce() -> None:
    lab = Lab()
    lab.mine(lab.sign(ALICE, Transfer(BOB.address, 999_999)), miner=NOBODY)
    assert lab.state.get_account(ALICE.address) == Account(nonce=1)
    assert lab.records.get(account_key(ALICE.address)) is not None


@pytest.mark.parametrize(("nonce", "code"), [(0, "bad-nonce"), (1, ""), (2, "bad-nonce")])
def test_nonces_are_exact(nonce: int, code: str) -> None:
    lab = Lab()
    lab.mine(lab.sign(ALICE, Transfer(BOB.address, 1)))
    assert get_code(lambda: lab.begin().add(lab.sign(ALICE, Transfer(BOB.address, 1), nonce=nonce))) == code


def test_fee_and_amount_must_be_there_together() -> None:
    lab = Lab()
    assert get_code(lambda: lab.begin().add(lab.sign(ALICE, Transfer(BOB.address, 999_990), fee=10))) == ""
    assert (
        get_code(lambda: lab.begin().add(lab.sign(ALICE, Transfer(BOB.address, 999_991), fee=10)))
        == "insufficient-balance"
    )
    assert (
        get_code(lambda: lab.begin().add(lab.sign(ALICE, Transfer(BOB.address, 1), fee=1_000_001)))
        == "insufficient-balance"
    )


def test_what_is_refused_leaves_no_trace() -> None:
    lab = Lab()
    job_id = lab.post()
    lab.mine(lab.sign(BOB, ClaimJob(job_id)))
    lab.products.wrong.add(Y.id)
    missing = make_result(32, 48, 5)
    lab.products.missing.add(missing.id)
    good = lab.sign(ALICE, Transfer(CAROL.address, 4))
    plain, disturbed = lab.begin(), lab.begin()
    plain.add(good)
    for bad in (
        lab.sign(BOB, SubmitResult(job_id, Y), fee=9),
        lab.sign(ALICE, Transfer(BOB.address, 10**9), fee=9),
        lab.sign(ALICE, make_post(3, max_burn=0), fee=9),
        lab.sign(CAROL, ClaimJob(job_id), fee=0),
    ):
        with pytest.raises(RuleViolation):
            disturbed.add(bad)
    with pytest.raises(VerdictMissing):
        disturbed.add(lab.sign(BOB, SubmitResult(job_id, missing), fee=9))
    disturbed.add(good)
    assert disturbed.finish() == plain.finish()


def test_finish_can_be_asked_again() -> None:
    lab = Lab()
    execution = lab.begin()
    empty = execution.finish()
    assert execution.finish() == empty
    execution.add(lab.sign(ALICE, Transfer(BOB.address, 1)))
    assert execution.finish().stats.fees == 1
    assert execution.finish().changes != empty.changes


def test_only_what_differs_is_a_change() -> None:
    lab = Lab()
    execution = lab.begin(miner=ALICE.address)
    execution.add(lab.sign(ALICE, Transfer(BOB.address, 5), fee=0))
    execution.add(lab.sign(BOB, Transfer(ALICE.address, 5), fee=0))
    changes = execution.finish().changes
    assert set(changes) == {
        account_key(ALICE.address), account_key(BOB.address), FINALITY_KEY, MARKET_KEY, NETWORK_MINED_KEY, pot_key(1)
    }  # fmt: skip
    assert all(value != lab.records.get(key) for key, value in changes.items())


def test_all_missing_matrices_are_named_at_once_and_wrong_results_come_first() -> None:
    lab = Lab()
    job_ids = [lab.post(), lab.post()]
    lab.mine(*[lab.sign(BOB, ClaimJob(job_id), ahead=n) for n, job_id in enumerate(job_ids)])
    ys = [make_result(32, 48, 8), make_result(32, 48, 9)]
    block = lab.make_block(
        [lab.sign(BOB, SubmitResult(job_id, y), ahead=n) for n, (job_id, y) in enumerate(zip(job_ids, ys, strict=True))]
    )
    x = make_operand(32, 1500, 1)
    lab.products.missing |= {ys[0].id, ys[1].id, x.id}
    with pytest.raises(VerdictMissing) as caught:
        execute_block(lab.params, lab.records, block, lab.products, get_bls())
    assert set(caught.value.ids) == {ys[0].id, ys[1].id, x.id}
    assert len(caught.value.ids) == 3
    lab.products.missing = {ys[0].id}
    lab.products.wrong = {ys[1].id}
    assert get_code(lambda: lab.check(block)) == "wrong-result"


def test_products_are_checked_after_everything_cheap() -> None:
    lab = Lab()
    job_id = lab.post()
    lab.mine(lab.sign(BOB, ClaimJob(job_id)))
    lab.products.asked.clear()
    block = lab.make_block([lab.sign(BOB, SubmitResult(job_id, Y)), lab.sign(ALICE, Transfer(BOB.address, 10**9))])
    with pytest.raises(RuleViolation, match="transaction 1 ") as caught:
        execute_block(lab.params, lab.records, block, lab.products, get_bls())
    assert caught.value.code == "insufficient-balance"
    assert lab.products.asked == []


def test_one_bad_transaction_spoils_the_block() -> None:
    lab = Lab()
    block = lab.make_block(
        [lab.sign(ALICE, Transfer(BOB.address, 1)), lab.sign(ALICE, Transfer(BOB.address, 1), ahead=2)]
    )
    assert get_code(lambda: lab.check(block)) == "bad-nonce"


def test_state_roots_are_compared() -> None:
    lab = Lab()
    header = lab.make_block().header
    check_state_root(header, StateRoot(header.state_root))
    assert get_code(lambda: check_state_root(header, StateRoot(bytes(32)))) == "bad-state-root"


def test_overflow_is_refused_everywhere() -> None:
    lab = Lab()
    bob = account_key(BOB.address)
    lab.records.all[bob] = encode(Account(balance=MAX))
    assert get_code(lambda: lab.begin().add(lab.sign(ALICE, Transfer(BOB.address, 1)))) == "overflow"
    assert get_code(lambda: lab.begin(miner=BOB.address).finish()) == "overflow"
    lab.records.all[bob] = encode(Account(mined=MAX, mined_height=1))
    assert get_code(lambda: lab.begin(miner=BOB.address).finish()) == "overflow"
    market = lab.state.get_market()
    lab.records.all[MARKET_KEY] = encode(msgspec.structs.replace(market, minted=MAX))
    assert get_code(lambda: lab.begin().finish()) == "overflow"
    lab.records.all[MARKET_KEY] = encode(msgspec.structs.replace(market, escrowed=MAX))
    assert get_code(lambda: lab.begin().add(lab.sign(ALICE, make_post(1)))) == "overflow"
    lab.records.all[MARKET_KEY] = encode(msgspec.structs.replace(market, burned=MAX))
    assert get_code(lambda: lab.begin().add(lab.sign(ALICE, make_post(1)))) == "overflow"


def test_supply_and_reputation_as_read() -> None:
    assert compute_supply(Market(minted=10, burned=4, escrowed=3)) == 6
    account = Account(reputation=600, reputation_height=1)
    assert [compute_reputation(PARAMS, account, Height(h)) for h in (1, 9, 10, 19, 20, 99, 100, 10**6)] == [
        600, 600, 300, 300, 150, 1, 0, 0
    ]  # fmt: skip


def test_a_state_without_its_market_is_no_state() -> None:
    with pytest.raises(LookupError, match="market"):
        StateView(Records({})).get_market()


def test_empty_accounts_are_not_stored() -> None:
    lab = Lab()
    assert lab.state.get_account(CAROL.address) == Account()
    assert lab.records.get(account_key(CAROL.address)) is None
    assert lab.state.get_job(JobId(bytes(32))) is None
    assert sum_held(lab.records.all) == 1_500_000
    assert decode(Market, lab.records.all[MARKET_KEY], limit=100) == Market(minted=1_500_000, burned=0, escrowed=0)


@pytest.mark.parametrize(("amount", "code"), [(1, "amount-too-small"), (3, "amount-too-small"), (4, "")])
def test_a_new_account_burns_its_fee_from_the_first_amount(amount: int, code: str) -> None:
    lab = Lab()
    assert get_code(lambda: lab.begin().add(lab.sign(ALICE, Transfer(CAROL.address, amount)))) == code
    lab.mine(lab.sign(ALICE, Transfer(CAROL.address, 10)), lab.sign(BOB, Transfer(CAROL.address, 1)))
    assert lab.state.get_account(CAROL.address).balance == 10 - 3 + 1
    assert lab.state.get_market().burned == 3
    assert PARAMS.account_fee == 3


def pay(*payments: tuple[Address, int]) -> TransferMany:
    return TransferMany(pack_payments(Payment(*each) for each in payments))


def test_many_payments_move_as_so_many_transfers_would() -> None:
    new = Address(bytes([7]) * 20)
    payments = [(BOB.address, 10), (new, 9), (ALICE.address, 50), (CAROL.address, 11)]
    lab, other = Lab(), Lab()
    executed = lab.mine(lab.sign(ALICE, pay(*payments), fee=4), miner=NOBODY)
    transfers = [
        other.sign(ALICE, Transfer(to, amount), fee=4 if number == 0 else 0, ahead=number)
        for number, (to, amount) in enumerate(payments)
    ]
    other.mine(*transfers, miner=NOBODY)
    for address, _ in payments[:2] + payments[3:]:
        assert lab.state.get_account(address) == other.state.get_account(address)
    assert lab.state.get_account(ALICE.address) == Account(nonce=1, balance=1_000_000 - 4 - 30)
    assert lab.state.get_account(new).balance == 9 - PARAMS.account_fee
    assert executed.stats.burned == 2 * PARAMS.account_fee
    assert lab.state.get_market() == other.state.get_market()
    moved = {entry.address: entry.movements for entry in executed.history if entry.place == 1}
    assert moved[ALICE.address] == (
        Movement(Reason.FEE, 4),
        Movement(Reason.SENT, 80),
        Movement(Reason.RECEIVED, 50, counterparty=ALICE.address),
    )
    assert moved[CAROL.address] == (Movement(Reason.RECEIVED, 8, counterparty=ALICE.address),)
    assert set(moved) == {ALICE.address, BOB.address, CAROL.address, new}


def test_many_payments_happen_together_or_not_at_all() -> None:
    lab = Lab()
    lab.params = msgspec.structs.replace(lab.params, account_fee=8)
    new = Address(bytes([7]) * 20)
    execution = lab.begin()
    for payload, code in (
        (pay((BOB.address, 999_999), (new, 9)), "insufficient-balance"),
        (pay((BOB.address, 100), (new, 8)), "amount-too-small"),
    ):
        assert get_code(lambda: execution.add(lab.sign(ALICE, payload))) == code  # noqa: B023
    assert execution.finish().stats.fees == 0
    execution.add(lab.sign(ALICE, pay((BOB.address, 100), (new, 9))))
    assert execution.finish().stats.burned == 8


def test_an_account_of_several_keys_does_what_an_account_does() -> None:
    """It is paid, pays, posts a job and cancels it, by different pairs of its three keys."""
    lab = Lab()
    secrets = {key.public: key for key in (ALICE, BOB, CAROL)}
    keys = tuple(sorted(secrets))
    owners = Multisig(2, keys)
    account = compute_multisig_address(owners)
    lab.mine(lab.sign(ALICE, Transfer(account, 200_000)), miner=NOBODY)

    def sign(pair: tuple[int, int], nonce: int, payload: Payload) -> Transaction:
        return sign_jointly(owners, [secrets[PublicKey(keys[at])] for at in pair], nonce, 5, payload)

    post = sign((0, 2), 1, make_post(lab.height + 1))
    before = lab.state.get_account(BOB.address).balance
    lab.mine(
        sign((0, 1), 0, Transfer(BOB.address, 1_000)),
        post,
        sign((1, 2), 2, TransferMany(pack_payments([Payment(BOB.address, 50)]))),
        miner=NOBODY,
    )
    job = JobId(compute_tx_id(post))
    assert lab.state.get_account(BOB.address).balance == before + 1_050
    record = lab.state.get_job(job)
    assert record is not None
    assert record.poster == account
    cancel = sign((0, 1), 3, CancelJob(job))
    lab.mine(cancel, miner=NOBODY)
    assert lab.state.get_account(account).nonce == 4
    assert get_code(lambda: lab.mine(cancel, miner=NOBODY)) == "bad-nonce"
