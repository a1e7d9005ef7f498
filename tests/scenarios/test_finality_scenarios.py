"""Scripted chains with voters, votes and evidence, and the codes of refusals. Epochs have 8 blocks, and unbonding takes
2.
"""

import pytest
from msgspec.structs import replace

from inos.primitives.blocks import compute_block_id
from inos.primitives.bls import get_bls
from inos.primitives.votes import Aggregate, Checkpoint, Link
from scenarios.script import (
    B,
    Check,
    Scenario,
    Skip,
    Stage,
    Step,
    Votes,
    block,
    play,
    register,
    report,
    tx,
    unbond,
    withdraw,
)
from support.consensus_lab import PARAMS as LAB
from support.voters import make_aggregate, sign_link


def by(*people: str, ballot: int = -1) -> Votes:
    return lambda stage: make_aggregate(stage.lab.state, people, ballot)


def forged(*people: str, **changes: object) -> Votes:
    return lambda stage: replace(make_aggregate(stage.lab.state, people), **changes)


def misdirected(stage: Stage) -> Aggregate:
    """Return votes of all members for a source that is not the justified one."""
    finality = stage.lab.state.get_finality()
    assert finality is not None
    link = finality.ballots[-1].link
    return make_aggregate(stage.lab.state, ["alice"], link=replace(link, source=Checkpoint(0, b"\7" * 32)))


def stale(who: str, epoch: int) -> Votes:
    """Return a vote on a checkpoint whose ballot is gone, although its signature and source are right."""

    def make(stage: Stage) -> Aggregate:
        header = stage.lab.headers[epoch * stage.lab.params.epoch_blocks]
        genesis = Checkpoint(0, compute_block_id(stage.lab.headers[0]))
        old = Link(genesis, Checkpoint(epoch, compute_block_id(header)))
        return Aggregate(old, b"\1", get_bls().aggregate([sign_link(who, old)]))

    return make


def link(source: int, target: int, tag: int = 1) -> Link:
    return Link(Checkpoint(source, bytes([tag]) * 32), Checkpoint(target, bytes([tag]) * 32))


# Nothing halves. Epoch 1 ends at height 8; a committee chosen there votes on the checkpoints from 16 on.
PARAMS = replace(LAB, reputation_half_life=10**6)
ALL = ("alice", "bob", "carol")
ALONE: list[Step] = [block(miner="alice"), block(tx("alice", register()), miner="alice"), Skip(6, ("alice",))]
THREE: list[Step] = [
    Skip(6, ALL),
    block(tx("alice", register()), tx("bob", register()), tx("carol", register()), miner="alice"),
    block(miner="bob"),
]

SCENARIOS = [
    Scenario(
        "one voter finalizes alone",
        [
            *ALONE,
            Check(finality={"justified": 0, "finalized": 0}, bonded={"alice": 1000}),
            Skip(9, ("alice",)),
            block(votes=by("alice")),
            Check(finality={"justified": 2, "finalized": 0}),
            block(votes=by("alice"), expect="already-justified"),
            Skip(7, ("alice",)),
            block(votes=by("alice")),
            Check(finality={"justified": 3, "finalized": 2}),
        ],
    ),
    Scenario(
        "two thirds of the weight, and not less",
        [
            *THREE,
            Skip(9, ALL),
            block(votes=by("bob", "carol"), expect="too-little-weight"),
            block(votes=by("alice"), expect="too-little-weight"),
            block(votes=by("alice", "bob"), miner="carol"),
            Check(finality={"justified": 2}),
            Skip(7, ALL),
            block(votes=by("alice", "bob", "carol"), miner="carol"),
            Check(finality={"justified": 3, "finalized": 2}),
        ],
    ),
    Scenario(
        "a committee without half of recent mining votes on nothing",
        [
            block(miner="alice"),
            block(tx("alice", register())),
            Skip(1, ("alice",)),
            Skip(1, ("bob",)),
            Skip(2, ("alice", "bob")),
            Skip(2, ("alice", "bob")),  # alice four of eight, nobody else votes: half is not enough
            Skip(9, ("alice",)),
            block(votes=stale("alice", 2), expect="unknown-target"),
            Skip(8, ("alice",)),  # the committee of epoch 2 has twelve of sixteen
            block(votes=by("alice")),
            Check(finality={"justified": 3}),
        ],
    ),
    Scenario(
        "half of recent mining by others than those who sign is too little, whatever the committee",
        [
            *THREE[:1],
            block(tx("alice", register()), tx("bob", register()), miner="alice"),
            Skip(1, ("bob",)),  # alice and bob six of eight blocks, carol two
            Skip(9, ("carol",)),
            block(votes=by("alice"), expect="too-little-weight"),
            block(votes=by("alice", "bob")),
            Check(finality={"justified": 2}),
        ],
    ),
    Scenario(
        "a vote that came late justifies, voids the ballot above, and finalizes nothing over a gap",
        [
            *ALONE,
            Skip(17, ("alice",)),
            block(votes=by("alice", ballot=0)),
            Check(finality={"justified": 2, "finalized": 0}),
            block(votes=by("alice"), expect="wrong-source"),  # its ballot opened while genesis was the latest justified
            Skip(7, ("alice",)),
            block(votes=by("alice")),
            Check(finality={"justified": 4, "finalized": 0}),
            Skip(7, ("alice",)),
            block(votes=by("alice")),
            Check(finality={"justified": 5, "finalized": 4}),
        ],
    ),
    Scenario(
        "a checkpoint two epochs old is not voted on any more",
        [*ALONE, Skip(17, ("alice",)), Skip(8, ("alice",)), block(votes=stale("alice", 2), expect="unknown-target")],
    ),
    Scenario(
        "aggregates that are wrong",
        [
            *ALONE,
            Skip(9, ("alice",)),
            block(votes=misdirected, expect="wrong-source"),
            block(votes=forged("alice", bits=b""), expect="bad-bitmap"),
            block(votes=forged("alice", bits=b"\2"), expect="bad-bitmap"),
            block(votes=forged("alice", bits=b"\1\0"), expect="bad-bitmap"),
            block(votes=forged("alice", bits=b"\0"), expect="bad-bitmap"),
            block(votes=forged("alice", signature=b"\xc0" + bytes(95)), expect="bad-aggregate"),
            block(votes=forged("alice", link=link(0, 2)), expect="unknown-target"),
            block(votes=forged("alice", link=link(0, 0)), expect="before-finality-start"),
            Skip(8, ("alice",)),
            block(votes=by("alice", ballot=0)),
        ],
    ),
    Scenario(
        "who may register",
        [
            block(tx("alice", register()), expect="nothing-mined"),
            Skip(3, ALL),
            block(tx("alice", register(999)), expect="bond-too-small"),
            block(tx("alice", register(proof="bob")), expect="bad-proof-of-possession"),
            block(tx("alice", register(2**64 - 1)), expect="overflow"),
            block(tx("carol", register(50_000), fee=0), expect="insufficient-balance"),
            block(tx("alice", register(1500))),
            Check(bonded={"alice": 1500}, balance={"alice": 1_000_000 + 50_000 - 781 - 1501}),
            block(tx("alice", register(key="alice2")), expect="already-a-voter"),
            block(tx("bob", register(key="alice")), expect="key-already-used"),
        ],
    ),
    Scenario(
        "a copied proof registers nothing, and keeps nobody out",
        [
            Skip(2, ("alice", "bob")),
            block(tx("bob", register(key="alice", proof="alice>alice")), expect="bad-proof-of-possession"),
            block(tx("alice", register())),
        ],
    ),
    Scenario(
        "registering again adds to the bond",
        [
            block(miner="alice"),
            block(tx("alice", register())),
            block(tx("alice", register(2500))),
            Check(bonded={"alice": 3500}, balance={"alice": 1_000_000 + 50_000 - 781 - 3502}),
            block(tx("alice", register(999)), expect="bond-too-small"),
            block(tx("alice", unbond())),
            block(tx("alice", register()), expect="already-leaving"),
        ],
    ),
    Scenario(
        "unbonding takes two epochs from the first committee without the voter",
        [
            block(tx("alice", unbond()), expect="not-a-voter"),
            block(tx("alice", withdraw()), expect="not-a-voter"),
            block(miner="alice"),
            block(tx("alice", register())),
            block(tx("alice", withdraw()), expect="still-bonded"),
            block(tx("alice", unbond())),
            block(tx("alice", unbond()), expect="already-leaving"),
            block(tx("alice", register(key="alice2")), expect="already-a-voter"),
            block(tx("alice", withdraw()), expect="still-bonded"),
            Skip(20),  # the committee of epoch 1 is chosen in block 9; two epochs later it is 25
            block(tx("alice", withdraw()), expect="still-bonded"),
            Skip(1),
            block(tx("alice", withdraw(), fee=0)),
            Check(bonded={"alice": 0}, balance={"alice": 1_000_000 + 50_000 - 781 - 2}),
            block(tx("alice", register())),
            Check(bonded={"alice": 1000}),
        ],
    ),
    Scenario(
        "evidence burns the bond but a tenth, and takes what was mined",
        [
            Skip(2, ("alice", "bob")),
            block(tx("alice", register(2000)), miner="alice"),
            block(tx("bob", report("alice", link(0, 1), link(0, 1, 2), signer="bob")), expect="bad-vote-signature"),
            block(tx("bob", report("alice", link(0, 1), link(0, 1))), expect="not-slashable"),
            block(tx("bob", report("alice", link(0, 1), link(1, 2))), expect="not-slashable"),
            block(tx("bob", report("alice", link(0, 2), link(0, 3))), expect="not-slashable"),
            block(tx("bob", report("carol", link(0, 1), link(0, 1, 2))), expect="unknown-voter"),
            Check(mined={"alice": 100_000, "bob": 50_000}),
            block(tx("bob", report("alice", link(0, 1), link(0, 1, 2)), fee=0)),
            Check(
                bonded={"alice": 0},
                mined={"alice": 0, "bob": 50_000, "miner": 50_000},
                balance={"bob": 500_000 + 50_000 - 781 + 200},
                market={"burned": 1800},
            ),
            block(tx("bob", report("alice", link(0, 1), link(0, 1, 3))), expect="unknown-voter"),
            block(tx("alice", register()), expect="nothing-mined"),
            Skip(1, ("alice",)),
            block(tx("alice", register()), expect="key-already-used"),
            block(tx("alice", register(key="alice2"))),
            block(tx("bob", report("alice", link(0, 1), link(0, 1, 3))), expect="unknown-voter"),
        ],
    ),
    Scenario(
        "surround votes, either way round, and of one who is leaving",
        [
            Skip(2, ("alice", "bob")),
            block(tx("alice", register()), tx("bob", register())),
            block(tx("bob", unbond())),
            block(tx("carol", report("alice", link(0, 4), link(1, 3)), fee=0)),
            block(tx("carol", report("bob", link(1, 3), link(0, 4)), fee=0)),
            Check(bonded={"alice": 0, "bob": 0}, balance={"carol": 200}),
            block(tx("bob", withdraw()), expect="not-a-voter"),
        ],
    ),
    Scenario(
        "a committee votes as it was chosen, whoever leaves or falls since",
        [
            *THREE,
            block(tx("carol", unbond()), miner="alice"),
            Skip(8, ALL),
            block(votes=by("alice", "carol"), miner="carol", expect="too-little-weight"),
            block(votes=by("alice", "bob", "carol"), miner="carol"),
            block(tx("bob", report("carol", link(0, 1), link(0, 1, 2))), miner="bob"),
            Skip(6, ("alice", "bob")),
            block(votes=by("alice", "bob"), miner="bob"),  # before anything is final, each epoch has the latest one
            Check(finality={"justified": 3, "finalized": 2}),
        ],
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_finality_scenario(scenario: Scenario) -> None:
    play(scenario, params=PARAMS)


def test_scenarios_name_every_code_of_the_package() -> None:
    named = {step.expect for scenario in SCENARIOS for step in scenario.steps if isinstance(step, B)}
    assert named >= {
        "unknown-target",
        "before-finality-start",
        "nothing-mined",
        "already-justified",
        "too-little-weight",
        "wrong-source",
        "bad-bitmap",
        "bad-aggregate",
        "bond-too-small",
        "bad-proof-of-possession",
        "already-a-voter",
        "key-already-used",
        "not-a-voter",
        "still-bonded",
        "already-leaving",
        "bad-vote-signature",
        "not-slashable",
        "unknown-voter",
    }
