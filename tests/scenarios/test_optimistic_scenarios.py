"""Scripted chains of optimistic jobs: results that are paid in time, results proven wrong, and refused challenges.

The lab's challenge window is 3 blocks: a result delivered at height h can be challenged at h, h + 1 and h + 2.
"""

import msgspec
import pytest
from script import Check, MakePayload, Scenario, Skip, block, cancel, challenge, claim, play, post, result, tx

from inos.consensus.records import Account, account_key
from inos.primitives.codec import encode
from inos.primitives.matrices import StripRow
from inos.primitives.transactions import JobMode
from support.consensus_lab import BOB, NOBODY, Lab, make_result
from support.juries import seat_committee
from support.tiles import BAD_REF, BOND, W_REF, WRONG_J, X_REF, Y_REF, make_challenge, widen

BURN = 1188 + 7
"""50,000 * 125 * 114 tickets / (1000 * 600), and the place; bytes cost nothing in this mode."""
POT = 50_000 // 64
CARD = make_challenge(bytes(32))  # type: ignore[arg-type]


def post_optimistic(**changes: object) -> MakePayload:
    return post(**({"x": X_REF, "w": W_REF, "mode": JobMode.OPTIMISTIC, "bond": BOND, "deadline": 19} | changes))


def flip(row: StripRow, at: int) -> StripRow:
    strips = bytearray(row.strips)
    strips[at] ^= 1
    return StripRow(bytes(strips), row.path)


BEGIN = (block(tx("alice", post_optimistic(), name="j")), block(tx("bob", claim("j"))))
DELIVER_BAD = block(tx("bob", result("j", BAD_REF)))  # at 3
REFUSED: dict[str, tuple[MakePayload, str]] = {
    "a right tile": (challenge("j", j=WRONG_J - 1), "tile-is-right"),
    "the right tile of another result": (challenge("j", y=Y_REF), "bad-path"),
    "a tile outside the product": (
        lambda stage: msgspec.structs.replace(make_challenge(stage.jobs["j"]), i=3),
        "index-outside-matrix",
    ),
    "a tile outside the product, the other way": (
        lambda stage: msgspec.structs.replace(make_challenge(stage.jobs["j"]), j=19),
        "index-outside-matrix",
    ),
    "strips of another row of X": (challenge("j", x=make_challenge(bytes(32), i=1).x), "bad-path-length"),  # type: ignore[arg-type]
    "a changed strip of X": (challenge("j", x=flip(CARD.x, 0)), "bad-path"),
    "a changed strip of W": (challenge("j", w=flip(CARD.w, 20_000)), "bad-path"),
    "a changed strip of Y": (challenge("j", y=Y_REF), "bad-path"),
    "a path cut short": (challenge("j", w=StripRow(CARD.w.strips, CARD.w.path[1:])), "bad-path-length"),
    "a path of other hashes": (challenge("j", x=StripRow(CARD.x.strips, (bytes(32),) * len(CARD.x.path))), "bad-path"),
    "half of X's strips": (challenge("j", x=StripRow(CARD.x.strips[:16384], CARD.x.path)), "bad-strip-size"),
    "no such job": (challenge("none"), "unknown-job"),
}


def make_refused() -> list[object]:
    return [block(tx("carol", make, fee=0), expect=code) for make, code in REFUSED.values()]


SCENARIOS = [
    Scenario(
        "a result nobody challenges is paid when its window is over",
        [
            *BEGIN,
            block(tx("bob", result("j", Y_REF))),  # at 3
            Check(jobs={"j": "delivered"}, bonded={"bob": BOND}, market={"escrowed": 1000}, reputation={"bob": 40}),
            block(tx("bob", result("j", Y_REF)), expect="job-not-claimed"),
            block(tx("carol", claim("j"), fee=0), expect="job-not-open"),
            block(tx("alice", cancel("j")), expect="job-not-open"),
            Skip(2),
            Check(jobs={"j": "delivered"}),
            block(
                tx("carol", challenge("j"), fee=0), expect="job-not-delivered"
            ),  # at 6 it is paid before the transactions
            block(),
            Check(
                jobs={"j": "settled"},
                bonded={"bob": 0},
                balance={"bob": 500_000 - 2 + 1000},
                reputation={"bob": 40 + BURN},
                market={"escrowed": 0},
            ),
            block(tx("bob", result("j", Y_REF)), expect="job-not-claimed"),
            Skip(8),
            Check(balance={"bob": 500_000 - 2 + 1000}),
        ],
    ),
    Scenario(
        "a wrong result costs bond and reputation, and the job opens again",
        [
            *BEGIN,
            Check(market={"burned": BURN}, reputation={"bob": 40}),
            DELIVER_BAD,
            block(tx("carol", challenge("j"), fee=0)),
            Check(
                jobs={"j": "open"},
                bonded={"bob": 0},
                balance={"carol": 500, "bob": 500_000 - 2 - 1001},
                reputation={"bob": 0},
                market={"escrowed": 1000, "burned": BURN + 501},
            ),
            block(tx("carol", challenge("j"), fee=0), expect="job-not-delivered"),
            block(tx("bob", result("j", Y_REF)), expect="job-not-claimed"),
            block(tx("miner", claim("j"))),
            block(tx("miner", result("j", Y_REF))),  # at 6
            Skip(3),
            Check(jobs={"j": "settled"}, reputation={"miner": BURN}, market={"escrowed": 0}, bonded={"miner": 0}),
        ],
    ),
    Scenario(
        "challenges that show nothing",
        [*BEGIN, DELIVER_BAD, *make_refused(), block(tx("carol", challenge("j"), fee=0)), Check(jobs={"j": "open"})],
    ),
    Scenario(
        "two challenges of one result in one block",
        [*BEGIN, DELIVER_BAD, block(*[tx("carol", challenge("j"), fee=0)] * 2, expect="job-not-delivered")],
    ),
    Scenario(
        "the last block of the window",
        [*BEGIN, DELIVER_BAD, Skip(1), block(tx("carol", challenge("j"), fee=0)), Check(jobs={"j": "open"})],
    ),
    Scenario(
        "delivered and challenged in one block",
        [*BEGIN, block(tx("bob", result("j", BAD_REF)), tx("carol", challenge("j"), fee=0)), Check(jobs={"j": "open"})],
    ),
    Scenario(
        "a challenge before there is a result",
        [*BEGIN, block(tx("carol", challenge("j"), fee=0), expect="job-not-delivered")],
    ),
    Scenario(
        "a wrong result that nobody sees is paid, and paid for good",
        [*BEGIN, DELIVER_BAD, Skip(3), block(tx("carol", challenge("j"), fee=0), expect="job-not-delivered")],
    ),
    Scenario(
        "a checked job cannot be challenged",
        [
            block(tx("alice", post_optimistic(mode=JobMode.CHECKED), name="j")),
            block(tx("bob", claim("j"))),
            block(tx("carol", challenge("j"), fee=0), expect="wrong-mode"),
            block(tx("bob", result("j", make_result(39, 300))), expect="bad-result-shape"),
        ],
    ),
    Scenario(
        "a job opened again after its deadline goes back to its poster",
        [
            block(tx("alice", post_optimistic(deadline=2), name="j")),
            block(tx("bob", claim("j"))),
            DELIVER_BAD,  # at 3, which is the deadline
            block(tx("carol", challenge("j"), fee=0)),
            block(tx("miner", claim("j")), expect="job-not-open"),
            block(tx("alice", cancel("j")), expect="job-not-open"),
            Check(jobs={"j": "cancelled"}, market={"escrowed": 0}),
        ],
    ),
]


def prepare(lab: Lab) -> None:
    widen(lab)
    lab.mine(miner=NOBODY)
    seat_committee(lab, {"carol": 10})
    bob = account_key(BOB.address)
    lab.records.all[bob] = encode(Account(balance=500_000, reputation=40, reputation_height=1))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.title)
def test_scenario(scenario: Scenario) -> None:
    play(scenario, prepare)
