"""Scripted chains: voters, votes, evidence, and the codes of what is refused. Epochs of 8 blocks, unbonding of 2."""

import pytest
from msgspec.structs import replace

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
    transfer,
    tx,
    unbond,
    withdraw,
)
from support.voters import make_aggregate


def by(*people: str, ballot: int = -1) -> Votes:
    return lambda stage: make_aggregate(stage.lab.state, people, ballot)


def forged(*people: str, **changes: object) -> Votes:
    return lambda stage: replace(make_aggregate(stage.lab.state, people), **changes)


def misdirected(stage: Stage) -> Aggregate:
    """All agree, on a source that is not the justified one."""
    finality = stage.lab.state.get_finality()
    assert finality is not None
    link = finality.ballots[-1].link
    return make_aggregate(stage.lab.state, ["alice"], link=replace(link, source=Checkpoint(0, b"\7" * 32)))


def link(source: int, target: int, tag: int = 1) -> Link:
    return Link(Checkpoint(source, bytes([tag]) * 32), Checkpoint(target, bytes([tag]) * 32))


def earn(**blocks: int) -> list[Step]:
    """Blocks that give people their reputation."""
    return [block(miner=who) for who, count in blocks.items() for _ in range(count)]


# Epoch 1 ends at height 8; a committee chosen there votes on the checkpoints from 16 on.
ALONE = [block(tx("alice", register())), *earn(alice=5), Skip(2)]
THREE: list[Step] = [
    block(tx("alice", transfer("carol", 5000))),
    block(tx("alice", register()), tx("bob", register()), tx("carol", register()), miner="alice"),
    *earn(alice=2, bob=2, carol=2),
]

SCENARIOS = [
    Scenario(
        "one voter finalizes alone",
        [
            *ALONE,
            Check(finality={"justified": 0, "finalized": 0}, bonded={"alice": 1000}),
            Skip(9),
            block(votes=by("alice")),
            Check(finality={"justified": 2, "finalized": 0}),
            block(votes=by("alice"), expect="already-justified"),
            Skip(7),
            block(votes=by("alice")),
            Check(finality={"justified": 3, "finalized": 2}),
        ],
    ),
    Scenario(
        "two thirds of the weight, and not less",
        [
            *THREE,
            Skip(9),
            block(votes=by("bob", "carol"), expect="too-little-weight"),
            block(votes=by("alice"), expect="too-little-weight"),
            block(votes=by("alice", "bob")),
            Check(finality={"justified": 2}),
            Skip(7),
            block(votes=by("alice", "bob", "carol")),
            Check(finality={"justified": 3, "finalized": 2}),
        ],
    ),
    Scenario(
        "a vote that came late justifies, and finalizes nothing over a gap",
        [
            *ALONE,
            Skip(17),
            block(votes=by("alice", ballot=0)),
            Check(finality={"justified": 2, "finalized": 0}),
            block(votes=by("alice")),  # its source is genesis, since nothing was justified when its ballot opened
            Check(finality={"justified": 3, "finalized": 0}),
            Skip(6),
            block(votes=by("alice")),
            Check(finality={"justified": 4, "finalized": 3}),
        ],
    ),
    Scenario(
        "aggregates that are wrong",
        [
            *ALONE,
            Skip(9),
            block(votes=misdirected, expect="wrong-source"),
            block(votes=forged("alice", bits=b""), expect="bad-bitmap"),
            block(votes=forged("alice", bits=b"\2"), expect="bad-bitmap"),
            block(votes=forged("alice", bits=b"\1\0"), expect="bad-bitmap"),
            block(votes=forged("alice", bits=b"\0"), expect="bad-bitmap"),
            block(votes=forged("alice", signature=b"\xc0" + bytes(95)), expect="bad-aggregate"),
            block(votes=forged("alice", link=link(0, 2)), expect="unknown-target"),
            Skip(8),
            block(votes=by("alice", ballot=0)),
        ],
    ),
    Scenario(
        "who may register",
        [
            block(tx("alice", register(999)), expect="bond-too-small"),
            block(tx("alice", register(proof="bob")), expect="bad-proof-of-possession"),
            block(tx("alice", register(2**64 - 1)), expect="overflow"),
            block(tx("carol", register(), fee=0), expect="insufficient-balance"),
            block(tx("alice", register(1500))),
            Check(bonded={"alice": 1500}, balance={"alice": 998_499}),
            block(tx("alice", register(key="carol", proof="carol")), expect="already-a-voter"),
            block(tx("bob", register(key="alice", proof="alice")), expect="key-already-used"),
        ],
    ),
    Scenario(
        "unbonding takes two epochs",
        [
            block(tx("alice", unbond()), expect="not-a-voter"),
            block(tx("alice", withdraw()), expect="not-a-voter"),
            block(tx("alice", register())),
            block(tx("alice", withdraw()), expect="still-bonded"),
            block(tx("alice", unbond())),
            block(tx("alice", unbond()), expect="already-leaving"),
            block(tx("alice", register(key="carol", proof="carol")), expect="already-a-voter"),
            Skip(14),
            block(tx("alice", withdraw()), expect="still-bonded"),
            Skip(1),
            block(tx("alice", withdraw(), fee=0)),
            Check(bonded={"alice": 0}, balance={"alice": 1_000_000 - 2}),
            block(tx("alice", register()), expect="key-already-used"),
            block(tx("alice", register(key="alice2", proof="alice2"))),
        ],
    ),
    Scenario(
        "evidence burns the bond but a tenth, and the reputation",
        [
            block(tx("alice", register(2000)), miner="alice"),
            block(tx("bob", report("alice", link(0, 1), link(0, 1, 2), signer="bob")), expect="bad-vote-signature"),
            block(tx("bob", report("alice", link(0, 1), link(0, 1))), expect="not-slashable"),
            block(tx("bob", report("alice", link(0, 1), link(1, 2))), expect="not-slashable"),
            block(tx("bob", report("alice", link(0, 2), link(0, 3))), expect="not-slashable"),
            block(tx("bob", report("carol", link(0, 1), link(0, 1, 2))), expect="unknown-voter"),
            block(tx("bob", report("alice", link(0, 1), link(0, 1, 2)), fee=0)),
            Check(bonded={"alice": 0}, reputation={"alice": 0}, balance={"bob": 500_200}, market={"burned": 1800}),
            block(tx("bob", report("alice", link(0, 1), link(0, 1, 3))), expect="unknown-voter"),
            block(tx("alice", register()), expect="key-already-used"),
            block(tx("alice", unbond()), expect="not-a-voter"),
        ],
    ),
    Scenario(
        "surround votes, either way round, and of one who is leaving",
        [
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
            block(tx("carol", unbond())),
            Skip(8),
            block(votes=by("alice", "carol")),
            block(tx("bob", report("carol", link(0, 1), link(0, 1, 2)))),
            Skip(6),
            block(votes=by("alice", "bob")),  # before anything is final, each epoch has the latest committee
            Check(finality={"justified": 3, "finalized": 2}),
        ],
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_finality_scenario(scenario: Scenario) -> None:
    play(scenario)


def test_scenarios_name_every_code_of_the_package() -> None:
    named = {step.expect for scenario in SCENARIOS for step in scenario.steps if isinstance(step, B)}
    assert named >= {
        "unknown-target",
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
