"""A transaction is executed on the tip before its sender is told that it was sent."""

import asyncio
from time import perf_counter
from typing import Any

import pytest
from msgspec.structs import replace

from inos import work
from inos.chain.mempool import PoolRejected
from inos.consensus.transactions import process_transaction
from inos.core.intake import MAX_GROUP, MAX_GROUPS
from inos.core.node_core import NodeCore
from inos.core.verification.trial import MAX_BEFORE, KeptDrafts, Trials
from inos.primitives.errors import RuleViolation
from inos.primitives.transactions import (
    CancelJob,
    ClaimJob,
    Dispute,
    JobMode,
    PostJob,
    Transfer,
    UnbondVoter,
    WithdrawBond,
    compute_tx_id,
)
from inos.primitives.units import JobId

BOB = b"\x0b" * 32


def make_post(lab: Any, max_burn: int = 10**9) -> PostJob:
    x, w = work.matrix_ref(lab.x), work.matrix_ref(lab.w)
    return PostJob(x, w, 10**9, lab.network.params.min_bond, 20, 1000, JobMode.CHECKED, max_burn)


@pytest.fixture
async def core(lab: Any) -> NodeCore:
    core: NodeCore = lab.open("a")
    await lab.extend(core)
    return core


async def refuse(core: NodeCore, tx: Any) -> str:
    with pytest.raises(RuleViolation) as caught:
        await core.transactions.send(tx)
    assert not core.mempool.has(compute_tx_id(tx))
    return caught.value.code


async def test_what_the_next_block_would_refuse_is_not_sent(lab: Any, core: NodeCore) -> None:
    unknown = JobId(b"\x77" * 32)
    orders = {
        "not-a-voter": (UnbondVoter(), WithdrawBond()),
        "unknown-job": (ClaimJob(unknown), CancelJob(unknown), Dispute(unknown)),
        "burn-above-maximum": (make_post(lab, max_burn=0),),
        "amount-too-small": (Transfer(BOB, lab.network.params.account_fee),),
        "deadline-passed": (replace(make_post(lab), deadline=2),),
    }
    for code, payloads in orders.items():
        for payload in payloads:
            assert await refuse(core, lab.sign(lab.alice, 0, payload)) == code
    assert len(core.mempool) == 0


async def test_what_waits_in_the_pool_is_executed_first(lab: Any, core: NodeCore) -> None:
    post = lab.sign(lab.alice, 0, make_post(lab))
    await core.transactions.send(post)
    job = JobId(compute_tx_id(post))
    await core.transactions.send(lab.sign(lab.alice, 1, CancelJob(job)))
    assert await refuse(core, lab.sign(lab.alice, 2, CancelJob(job))) == "job-not-open"
    await core.transactions.send(lab.sign(lab.worker, 0, ClaimJob(job)))
    block = await lab.extend(core)
    assert len(block.transactions) == 2


async def test_what_cannot_be_executed_yet_is_taken(lab: Any, core: NodeCore) -> None:
    """These are transactions behind a gap, behind one that fails itself, and behind more than are tried."""
    await core.transactions.send(lab.sign(lab.alice, 1, UnbondVoter()))
    await core.transactions.add(lab.sign(lab.alice, 0, UnbondVoter()))
    await core.transactions.send(lab.sign(lab.alice, 2, UnbondVoter()))
    for nonce in range(MAX_BEFORE):
        await core.transactions.add(lab.sign(lab.worker, nonce, Transfer(BOB, 10**9)))
    assert await refuse(core, lab.sign(lab.worker, MAX_BEFORE, UnbondVoter())) == "not-a-voter"
    await core.transactions.add(lab.sign(lab.worker, MAX_BEFORE, Transfer(BOB, 10**9)))
    await core.transactions.send(lab.sign(lab.worker, MAX_BEFORE + 1, UnbondVoter()))


async def test_a_withdrawal_is_taken_when_the_pool_can_keep_it_until_it_is_due(lab: Any) -> None:
    core = lab.open("a")
    await lab.seat_jury(core)
    nonce = core.ledger.state.get_account(lab.miner.address).nonce
    assert await refuse(core, lab.sign(lab.miner, nonce, WithdrawBond())) == "still-bonded"
    await core.transactions.send(lab.sign(lab.miner, nonce, UnbondVoter()))
    assert await refuse(core, lab.sign(lab.miner, nonce + 1, WithdrawBond())) == "still-bonded"
    while not core.ledger.state.get_voter(lab.miner.address).leaves_at:  # type: ignore[union-attr]
        await lab.extend(core, beneficiary=lab.alice.address)
    await core.transactions.send(lab.sign(lab.miner, nonce + 1, WithdrawBond()))


async def test_relayed_transactions_are_not_tried_because_peers_have_other_tips(lab: Any, core: NodeCore) -> None:
    await core.transactions.add(lab.sign(lab.alice, 0, UnbondVoter()))
    assert len(core.mempool) == 1


async def test_the_pool_still_says_what_it_refuses(lab: Any, core: NodeCore) -> None:
    tx = lab.sign(lab.alice, 0, Transfer(BOB, 10**9))
    await core.transactions.send(tx)
    with pytest.raises(PoolRejected, match="already"):
        await core.transactions.send(tx)
    with pytest.raises(PoolRejected, match="fee"):
        await core.transactions.send(lab.sign(lab.alice, 1, Transfer(BOB, 10**9), fee=0))


async def test_transactions_of_one_group_are_tried_after_each_other(lab: Any, core: NodeCore) -> None:
    """The second order spends what the first one left, and the third follows one that was refused."""
    balance = core.ledger.state.get_account(lab.alice.address).balance
    sent = [
        lab.sign(lab.alice, 0, Transfer(BOB, balance // 2)),
        lab.sign(lab.alice, 1, UnbondVoter()),
        lab.sign(lab.alice, 2, Transfer(BOB, 10**6)),
        replace(lab.sign(lab.worker, 0, Transfer(BOB, 10**6)), signature=bytes(64)),
    ]
    outcomes = await asyncio.gather(*map(core.transactions.send, sent), return_exceptions=True)
    codes = [getattr(outcome, "code", outcome) for outcome in outcomes]
    assert codes == [compute_tx_id(sent[0]), "not-a-voter", compute_tx_id(sent[2]), "bad-signature"]
    assert [core.mempool.has(compute_tx_id(tx)) for tx in sent] == [True, False, True, False]


async def test_a_flood_of_sending_leaves_the_writer_free(lab: Any, core: NodeCore, monkeypatch: Any) -> None:
    """A block does not wait behind transactions that users send: trials run elsewhere, and few at a time."""
    running, most = 0, 0
    check = core.transactions._threads.check

    async def count(call: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            return await check(call)
        finally:
            running -= 1

    monkeypatch.setattr(core.transactions._threads, "check", count)
    flood = [lab.sign(lab.alice, nonce, make_post(lab)) for nonce in range(60)]
    flood += [lab.sign(lab.worker, 0, UnbondVoter(), fee=10**6 + n) for n in range(200)]
    tasks = [asyncio.ensure_future(core.transactions.send(tx)) for tx in flood]
    await asyncio.sleep(0)
    await core.threads.write(lambda: None)
    taken = sum(task.done() for task in tasks)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert taken <= MAX_GROUPS * MAX_GROUP
    assert most <= MAX_GROUPS
    assert sum(isinstance(each, RuleViolation) for each in results) == 200
    assert len(core.mempool) == 60


async def test_a_trial_takes_milliseconds(lab: Any, core: NodeCore) -> None:
    """The trial is at its limit: as many posts come before it as are executed."""
    for nonce in range(MAX_BEFORE):
        await core.transactions.add(lab.sign(lab.alice, nonce, make_post(lab)))
    last = lab.sign(lab.alice, MAX_BEFORE, make_post(lab))
    took = []
    for _ in range(5):
        began = perf_counter()
        Trials(core.ledger, core.mempool, KeptDrafts()).try_on_tip(last)
        took.append(perf_counter() - began)
    print(f"{min(took) * 1000:.2f} ms")
    assert min(took) < 0.1


async def test_each_transaction_of_an_account_is_executed_once(
    lab: Any, core: NodeCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    executed: list[Any] = []

    def process(effects: Any, tx: Any) -> None:
        executed.append(tx.nonce)
        process_transaction(effects, tx)

    monkeypatch.setattr("inos.core.verification.trial.process_transaction", process)
    for nonce in range(4):
        await core.transactions.send(lab.sign(lab.alice, nonce, make_post(lab)))
    assert executed == [0, 1, 2, 3]
    assert await refuse(core, lab.sign(lab.alice, 4, UnbondVoter())) == "not-a-voter"
    executed.clear()
    await core.transactions.send(lab.sign(lab.alice, 4, make_post(lab)))
    assert executed == [0, 1, 2, 3, 4], "nothing is kept of a draft in which something failed"


async def test_a_kept_draft_of_transactions_that_left_the_pool_is_not_used(lab: Any, core: NodeCore) -> None:
    first = lab.sign(lab.alice, 0, make_post(lab))
    await core.transactions.send(first)
    core.mempool.remove(compute_tx_id(first))
    await core.transactions.send(lab.sign(lab.alice, 0, make_post(lab), fee=10**6))
    assert await refuse(core, lab.sign(lab.alice, 1, CancelJob(JobId(compute_tx_id(first))))) == "unknown-job"


async def test_drafts_are_dropped_with_their_tip_and_beyond_their_bound(
    lab: Any, core: NodeCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = KeptDrafts()

    def try_one(who: Any) -> Trials:
        trials = Trials(core.ledger, core.mempool, kept)
        trials.try_on_tip(lab.sign(who, 0, make_post(lab)))
        trials.keep()
        return trials

    try_one(lab.alice)
    try_one(lab.worker)
    assert len(kept) == 2
    kept.follow(core.ledger.reader)
    assert len(kept) == 2
    await lab.extend(core)
    kept.follow(core.ledger.reader)
    assert len(kept) == 0
    monkeypatch.setattr("inos.core.verification.trial.MAX_RECORDS", 3)
    try_one(lab.alice)
    assert len(kept) == 0
