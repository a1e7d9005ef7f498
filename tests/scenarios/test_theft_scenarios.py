"""Attempts to get something for nothing: a product without paying, a payment twice, or another account's reward."""

from pathlib import Path

import pytest
from script import Check, Scenario, Skip, block, cancel, claim, play, post, result, transfer, tx

from inos.chain.ledger import Ledger
from inos.primitives.transactions import ClaimJob, SubmitResult, compute_tx_id
from inos.primitives.units import JobId
from support.chain_maker import ALICE, BOB, MINER, Branch, feed, make_post, make_result_ref

SCENARIOS = [
    Scenario(
        "a poster that wants the product and its money",
        [
            block(tx("alice", post(), name="j")),
            Check(balance={"alice": 1_000_000 - 1000 - 718 - 1}, market={"escrowed": 1000}),
            block(tx("bob", claim("j"))),
            # The poster can neither get the reward back nor spend it while a worker holds a claim.
            block(tx("alice", cancel("j")), expect="job-not-open"),
            block(tx("alice", transfer("carol", 999_999 - 1000 - 718)), expect="insufficient-balance"),
            block(tx("alice", cancel("j")), tx("bob", result("j")), expect="job-not-open"),
            # This holds even at the last height of the claim, and in the block that contains the result.
            Skip(2),
            block(tx("bob", result("j")), tx("alice", cancel("j")), expect="job-not-open"),
            block(tx("bob", result("j"))),
            Check(jobs={"j": "settled"}, balance={"bob": 500_000 - 2 + 1000}, market={"escrowed": 0}),
            block(tx("alice", cancel("j")), expect="job-not-open"),
        ],
    ),
    Scenario(
        "a poster that cancels after a lapse has not got the product",
        [
            block(tx("alice", post(), name="j")),
            block(tx("bob", claim("j"))),
            Skip(4),
            Check(jobs={"j": "open"}),
            block(tx("alice", cancel("j")), tx("bob", claim("j")), expect="job-not-open"),
            block(tx("bob", claim("j")), tx("alice", cancel("j")), expect="job-not-open"),
            block(tx("alice", cancel("j"))),
            block(tx("bob", claim("j")), expect="job-not-open"),
            block(tx("bob", result("j")), expect="job-not-claimed"),
        ],
    ),
    Scenario(
        "a worker that wants to be paid twice",
        [
            block(tx("alice", post(), name="j"), tx("bob", claim("j"))),
            block(tx("bob", result("j")), tx("bob", result("j")), expect="job-not-claimed"),
            block(tx("bob", claim("j")), expect="job-not-open"),
            block(tx("bob", result("j")), tx("bob", claim("j")), expect="job-not-open"),
            block(tx("bob", result("j"))),
            block(tx("bob", result("j")), expect="job-not-claimed"),
            block(tx("bob", claim("j")), expect="job-not-open"),
            Check(balance={"bob": 500_000 - 2 + 1000}, reputation={"bob": 718}, bonded={"bob": 0}),
        ],
    ),
    Scenario(
        "who copies a result out of the pool gets nothing",
        [
            block(tx("alice", transfer("carol", 10_000)), tx("alice", post(), name="j"), tx("bob", claim("j"))),
            block(tx("carol", result("j")), expect="not-the-claimer"),
            block(tx("carol", claim("j")), tx("carol", result("j")), expect="job-not-open"),
            block(tx("alice", result("j")), expect="not-the-claimer"),
            block(tx("bob", result("j"))),
            Check(balance={"bob": 500_000 - 2 + 1000}),
        ],
    ),
    Scenario(
        "a second claim in the same block",
        [
            block(tx("alice", transfer("carol", 10_000)), tx("alice", post(), name="j")),
            block(tx("bob", claim("j")), tx("carol", claim("j")), expect="job-not-open"),
            block(tx("carol", claim("j"))),
            block(tx("bob", result("j")), expect="not-the-claimer"),
            Check(bonded={"bob": 0, "carol": 101}),
        ],
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.title)
def test_scenario(scenario: Scenario) -> None:
    play(scenario)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Branch().open_ledger(tmp_path)


def test_a_reorganisation_pays_once(ledger: Ledger) -> None:
    """The same claim and result are on two branches: on either one, the worker gets one reward and the poster pays
    once.
    """
    trunk = Branch()
    signed = trunk.sign(ALICE, make_post(1, deadline=15), fee=1)
    job = JobId(compute_tx_id(signed))
    trunk.grow(signed)
    side = trunk.fork()
    claimed, done = trunk.sign(BOB, ClaimJob(job)), trunk.sign(BOB, SubmitResult(job, make_result_ref()), ahead=1)
    trunk.grow(claimed, done)
    feed(ledger, trunk.blocks)
    once = ledger.view.state.get_account(BOB.address)
    side.grow(nonce=1)
    side.grow(claimed, nonce=1)
    side.grow(done, nonce=1)
    feed(ledger, side.blocks[1:])
    assert ledger.view.tip.id == side.tip_id
    found = ledger.view.state.get_account(BOB.address)
    assert (found.balance, found.bonded) == (once.balance, once.bonded)
    assert ledger.view.reader.get_record(BOB.address).worker.settled == 1
    assert ledger.view.state.get_market().escrowed == 0
    ledger.close()


def test_a_poster_that_mines_cannot_undo_the_payment_alone(ledger: Ledger) -> None:
    """On a branch without the result, the job is still claimed and its reward still in escrow."""
    trunk = Branch()
    signed = trunk.sign(ALICE, make_post(1, deadline=15), fee=1)
    job = JobId(compute_tx_id(signed))
    trunk.grow(signed)
    trunk.grow(trunk.sign(BOB, ClaimJob(job)))
    side = trunk.fork()
    done = trunk.sign(BOB, SubmitResult(job, make_result_ref()))
    trunk.grow(done, miner=MINER.address)
    feed(ledger, trunk.blocks)
    side.grow(miner=ALICE.address, nonce=5)
    side.grow(miner=ALICE.address, nonce=5)
    feed(ledger, side.blocks[2:])
    claim = ledger.view.state.get_claim(job)
    assert ledger.view.tip.id == side.tip_id
    assert claim is not None
    assert claim.worker == BOB.address
    # The same result can be delivered there again.
    side.grow(done)
    feed(ledger, side.blocks[4:])
    paid = ledger.view.state.get_job(job)
    assert paid is not None
    assert paid.state.name == "SETTLED"
    ledger.close()
