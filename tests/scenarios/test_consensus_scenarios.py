"""Scripted chains through all stages of the rules, with the error code of every block that must be refused."""

import pytest
from script import Check, Scenario, Skip, block, cancel, claim, play, post, result, transfer, tx

from inos.primitives.blocks import encode_target
from support.consensus_lab import BOB, Lab, make_operand, make_result

GENESIS_MS = 1_700_000_000_000
TARGET = 2**256 // 600 - 1
POT = 50_000 // 64
"""The part of each block's subsidy that is put aside for voters."""
BURN = 125 + 586 + 7
"""What the lab's standard job burns in a block before height 10, at D = 600."""
WRONG = make_result(32, 48, 66)
BIG = make_operand(160, 1024)
"""160 x 160 with depth 1024 has 100 tickets."""
BIG_Y = make_result(160, 160)


SCENARIOS = [
    Scenario(
        "transfers",
        [
            block(tx("alice", transfer("bob", 100)), tx("bob", transfer("carol", 500_000))),
            Check(balance={"alice": 999_899, "bob": 99, "carol": 499_997, "miner": 50_002 - POT}),
            block(tx("bob", transfer("alice", 99)), expect="insufficient-balance"),
            block(tx("bob", transfer("alice", 98))),
            block(tx("carol", transfer("carol", 499_996))),
            Check(balance={"alice": 999_997, "bob": 0, "carol": 499_996}),
            block(tx("alice", transfer("bob", 0)), expect="zero-amount"),
            block(tx("alice", transfer("bob", 2**64 - 1)), expect="overflow"),
            block(tx("alice", transfer("bob", 2**64 - 2)), expect="insufficient-balance"),
            Check(market={"minted": 1_650_000, "burned": 3}),
        ],
    ),
    Scenario(
        "nonces",
        [
            block(tx("alice", transfer("bob", 1), ahead=1), expect="bad-nonce"),
            block(tx("alice", transfer("bob", 1)), tx("alice", transfer("bob", 1), ahead=1), expect="bad-nonce"),
            block(tx("alice", transfer("bob", 1)), tx("alice", transfer("bob", 2))),
            block(tx("alice", transfer("bob", 1), ahead=-1), expect="bad-nonce"),
            block(tx("alice", transfer("bob", 1)), body=lambda txs: txs * 2, expect="bad-tx-root"),
        ],
    ),
    Scenario(
        "forged headers and bodies",
        [
            block(tx("alice", transfer("bob", 1))),
            block(header={"version": 1}, expect="bad-version"),
            block(header={"chain_id": 1}, expect="wrong-chain-id"),
            block(header={"height": 9}, expect="bad-height"),
            block(header={"parent": b"p" * 32}, expect="bad-parent"),
            block(header={"time_ms": GENESIS_MS}, expect="time-too-old"),
            block(header={"target": encode_target(TARGET // 2)}, expect="bad-target"),
            block(header={"target": encode_target(2**255)}, expect="target-out-of-range"),
            block(header={"state_root": bytes(32)}, expect="bad-state-root"),
            block(header={"seal": None}, expect="missing-seal"),
            block(header={"beneficiary": BOB.address}, expect="bad-state-root"),
            block(tx("alice", transfer("bob", 1)), body=lambda txs: (), expect="bad-tx-root"),
            block(header={"tx_root": b"t" * 32}, expect="bad-tx-root"),
            block(header={"nonce": 5}),
        ],
    ),
    Scenario(
        "a job from posting to payment",
        [
            block(tx("alice", post(), name="j"), miner="carol"),
            Check(balance={"alice": 1_000_000 - 1000 - BURN - 1}, market={"escrowed": 1000, "burned": BURN}),
            block(tx("bob", result("j")), expect="job-not-claimed"),
            block(tx("bob", claim("j"))),
            Check(bonded={"bob": 101}, jobs={"j": "claimed"}),
            block(tx("carol", claim("j")), expect="job-not-open"),
            block(tx("carol", result("j")), expect="not-the-claimer"),
            block(tx("alice", cancel("j")), expect="job-not-open"),
            block(tx("bob", result("j", WRONG)), expect="wrong-result"),
            block(tx("bob", result("j", make_result(31, 48))), expect="bad-result-shape"),
            block(tx("bob", result("j", make_operand(32, 48))), expect="bad-matrix-id"),
            block(tx("bob", result("j"))),
            Check(
                balance={"bob": 500_000 - 2 + 1000},
                bonded={"bob": 0},
                reputation={"bob": BURN},
                market={"escrowed": 0},
                jobs={"j": "settled"},
            ),
            block(tx("bob", result("j")), expect="job-not-claimed"),
        ],
    ),
    Scenario(
        "posted, claimed and delivered in one block",
        [
            block(tx("alice", post(), name="j"), tx("bob", claim("j")), tx("bob", result("j"))),
            Check(reputation={"bob": BURN}, jobs={"j": "settled"}, market={"escrowed": 0, "burned": BURN}),
        ],
    ),
    Scenario(
        "a claim that lapses",
        [
            block(tx("alice", post(), name="j")),
            block(tx("bob", claim("j"))),  # claimed at 2, lasts until 5
            Skip(3),
            Check(jobs={"j": "claimed"}, bonded={"bob": 101}),
            block(tx("bob", result("j")), expect="job-not-claimed"),
            block(tx("carol", transfer("bob", 50)), expect="insufficient-balance"),
            block(),
            Check(jobs={"j": "open"}, bonded={"bob": 0}, balance={"alice": 999_999 - 1000 - BURN + 50, "bob": 499_898}),
            Check(market={"burned": BURN + 51}),
            block(tx("alice", cancel("j"))),
            Check(balance={"alice": 999_998 - BURN + 50}, jobs={"j": "cancelled"}, market={"escrowed": 0}),
        ],
    ),
    Scenario(
        "deadlines",
        [
            block(tx("alice", post(deadline=0)), expect="deadline-passed"),
            block(tx("alice", post(deadline=21)), expect="deadline-too-far"),
            block(tx("alice", post(deadline=2), name="j")),
            Skip(1),
            block(tx("bob", claim("j"))),  # at 3, which is the deadline
            Skip(1),
            Check(jobs={"j": "cancelled"}, market={"escrowed": 0}),
            block(tx("bob", claim("j")), expect="job-not-open"),
            block(tx("bob", cancel("j")), expect="not-the-poster"),
            block(tx("alice", cancel("j")), expect="job-not-open"),
            block(tx("alice", post(deadline=2), name="open")),
            Skip(2),
            Check(jobs={"open": "open"}),
            Skip(1),
            Check(jobs={"open": "cancelled"}),
            Skip(25),
            Check(jobs={"j": "cancelled"}),
            Skip(1),
            block(tx("alice", cancel("j")), expect="unknown-job"),  # it was closed at 4, and left at 34
        ],
    ),
    Scenario(
        "what a job may ask for",
        [
            block(tx("alice", post(reward=0)), expect="zero-reward"),
            block(tx("alice", post(bond=100)), expect="bond-too-small"),
            block(tx("alice", post(claim_window=1)), expect="bad-claim-window"),
            block(tx("alice", post(max_burn=BURN - 1)), expect="burn-above-maximum"),
            block(tx("alice", post(x=make_operand(32, 1499))), expect="depth-mismatch"),
            block(tx("alice", post(reward=10**6)), expect="insufficient-balance"),
            block(tx("alice", claim("none")), expect="unknown-job"),
        ],
    ),
    Scenario(
        "posting burns for work, bytes and place, by the difficulty and the subsidy",
        [
            # 100 tickets of 600 burn 1,042 of 50,000, and 30 strips of 16 KiB 1,465
            block(tx("alice", post(x=BIG, w=BIG, max_burn=1042 + 1465 + 7 - 1)), expect="burn-above-maximum"),
            block(tx("alice", post(x=BIG, w=BIG, max_burn=1042 + 1465 + 7))),
            Check(market={"burned": 1042 + 1465 + 7}),
            Skip(8),
            # the block after a checkpoint burns the pot of its epoch; the subsidy is 49,500 from here on
            Check(market={"burned": 1042 + 1465 + 7 + 8 * POT}),
            block(tx("alice", post(x=BIG, w=BIG, max_burn=1032 + 1451 + 7))),
        ],
    ),
    Scenario(
        "new accounts",
        [
            block(tx("alice", transfer("carol", 3)), expect="amount-too-small"),
            block(tx("alice", transfer("carol", 4)), tx("alice", transfer("carol", 1))),
            Check(balance={"carol": 2}, market={"burned": 3}),
            block(tx("carol", transfer("alice", 1))),
            Check(balance={"carol": 0}),
            block(tx("alice", transfer("carol", 1))),  # its nonce keeps its record
        ],
    ),
]


def prepare(lab: Lab) -> None:
    lab.products.wrong.add(WRONG.id)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.title)
def test_scenario(scenario: Scenario) -> None:
    play(scenario, prepare)
