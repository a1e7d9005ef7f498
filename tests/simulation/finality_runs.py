"""Adversaries of finality, chosen by seeds for the model in `finality_model`, and the invariants of every run.

With less than a third of misbehaving weight, no two nodes consider conflicting blocks final. With more, if they do,
every node has evidence against a third. No honest voter is ever caught, and if nothing prevents it, blocks become
final.
"""

import random
from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from inos.primitives.transactions import UnbondVoter
from simulation.finality_foes import Deserter, Equivocator, PrivateMiner, Withholder
from simulation.finality_model import MODEL, PEOPLE, SPACING_S, Cut, Run, make_registration

EPOCH_S: Final = 4 * SPACING_S
LENGTH_S: Final = 11 * EPOCH_S
AFTER_S: Final = 4 * EPOCH_S
VOTERS: Final = 6


class Outcome:
    """The figures of a run; those of several are added up."""

    def __init__(self) -> None:
        self.runs = self.finals = self.conflicts = self.caught = self.refused = self.stopped = self.blocks = 0

    def add(self, run: Run) -> None:
        self.runs += 1
        self.finals += run.get_best_final() > 0
        self.conflicts += run.has_conflict()
        self.caught += bool(run.get_any_caught())
        self.refused += run.has_refused()
        self.stopped += 0 < run.left_at >= run.get_best_final()
        self.blocks += len(run.tree.blocks)


def draw_weights(rng: random.Random) -> list[int]:
    return [rng.randint(1, 5) for _ in range(VOTERS)]


def choose(rng: random.Random, weights: Sequence[int], least: float, most: float) -> list[int]:
    """Draw voters until their part of the weight is above `least` and at most `most`."""
    total = sum(weights)
    while True:
        chosen = rng.sample(range(len(weights)), rng.randint(1, len(weights) - 1))
        if least < sum(weights[i] for i in chosen) / total <= most:
            return sorted(chosen)


def draw_cut(rng: random.Random, count: int) -> Cut:
    """Partition the nodes into two parts that are not empty, for two to six epochs."""
    left = frozenset(rng.sample(range(count), rng.randint(1, count - 1)))
    begins = rng.uniform(1, 5) * EPOCH_S
    return Cut(begins, begins + rng.uniform(2, 6) * EPOCH_S, left)


def finish(run: Run, bad: Sequence[int] = (), *, must_finalize: bool = True) -> Run:
    """Mine for a while, let everything arrive, and check the invariants."""
    run.go_on(LENGTH_S + AFTER_S + 60)
    honest = {node.person.key for node in run.nodes if node.person is not None}
    assert not honest & run.get_any_caught(), "an honest voter was caught"
    for node in run.nodes:
        assert run.tree.is_on(node.final, node.tip), "a final block was undone"
    if not bad:
        assert not run.has_conflict(), "conflicting final blocks below a third"
    if must_finalize:
        assert run.get_best_final() > 0, "nothing became final"
    return run


def run_silent(seed: int) -> Run:
    """Up to a third of the weight is silent, and the rest is partitioned for a time."""
    rng = random.Random(f"{seed}/silent")
    weights = draw_weights(rng)
    silent = choose(rng, weights, 0.0, 0.33)
    honest = [i for i in range(VOTERS) if i not in silent]
    run = Run(seed, weights, honest, cuts=[draw_cut(rng, len(honest) + 1)])
    run.mine(LENGTH_S + AFTER_S)
    return finish(run)


def run_equivocating(seed: int) -> Run:
    """Less than a third signs on every branch, while the others are partitioned."""
    rng = random.Random(f"{seed}/equivocating")
    weights = draw_weights(rng)
    bad = choose(rng, weights, 0.1, 0.32)
    honest = [i for i in range(VOTERS) if i not in bad]
    run = Run(seed, weights, honest, cuts=[draw_cut(rng, len(honest) + 1)])
    Equivocator(run, [PEOPLE[i] for i in bad], is_careful=rng.random() < 0.5)
    run.mine(LENGTH_S + AFTER_S)
    return finish(run, must_finalize=False)


def run_withheld(seed: int) -> Run:
    """Four fifths of the hash rate mine a secret branch from below a block that becomes final meanwhile."""
    rng = random.Random(f"{seed}/withheld")
    run = Run(seed, draw_weights(rng), range(VOTERS))
    run.mine(LENGTH_S + AFTER_S)
    thief = Withholder(run, 4.0)
    begins = rng.uniform(5, 7) * EPOCH_S
    run.at(begins, lambda: thief.begin(rng.randint(0, 6)))
    run.at(begins + rng.uniform(2, 6) * EPOCH_S, thief.show)
    return finish(run)


def run_delayed(seed: int) -> Run:
    """Messages take up to two epochs, so they arrive in any order."""
    rng = random.Random(f"{seed}/delayed")
    slow = rng.uniform(0.05, 0.5)

    def delay(rng: random.Random) -> float:
        return rng.uniform(0.0, 2 * EPOCH_S) if rng.random() < slow else rng.uniform(0.01, 0.3)

    run = Run(seed, draw_weights(rng), range(VOTERS), delay=delay)
    run.mine(LENGTH_S + AFTER_S)
    return finish(run, must_finalize=False)


def run_changing(seed: int) -> Run:
    """Heavy voters join and others leave around the boundaries of epochs, during a partition and with some
    equivocation.
    """
    rng = random.Random(f"{seed}/changing")
    weights = draw_weights(rng)
    newcomers = [VOTERS, VOTERS + 1]
    bad = choose(rng, weights, 0.0, 0.2)
    honest = [i for i in range(VOTERS) if i not in bad]
    run = Run(seed, weights, [*honest, *newcomers], cuts=[draw_cut(rng, len(honest) + 3)], newcomers=newcomers)
    Equivocator(run, [PEOPLE[i] for i in bad], is_careful=rng.random() < 0.5)
    leaving = rng.choice(honest)

    def come() -> None:
        for person in (PEOPLE[number] for number in newcomers):
            run.payloads.append((person, make_registration(person)))

    run.at(rng.uniform(0.5, 5) * EPOCH_S, come)
    run.at(rng.uniform(0.5, 6) * EPOCH_S, lambda: run.payloads.append((PEOPLE[leaving], UnbondVoter())))
    run.mine(LENGTH_S + AFTER_S)
    return finish(run, must_finalize=False)


def run_lost(seed: int) -> Run:
    """More than a third equivocates: evidence for two final blocks appears on every node."""
    rng = random.Random(f"{seed}/lost")
    weights = draw_weights(rng)
    bad = choose(rng, weights, 0.36, 0.62)
    honest = [i for i in range(VOTERS) if i not in bad]
    half = frozenset(i for i in range(len(honest) + 2) if i % 2)
    begins = rng.uniform(1, 3) * EPOCH_S
    cut = Cut(begins, begins + rng.uniform(5, 8) * EPOCH_S, half)
    run = Run(seed, weights, honest, followers=2, cuts=[cut])
    Equivocator(run, [PEOPLE[i] for i in bad], is_careful=True)
    run.mine(LENGTH_S + AFTER_S, rate=2.0)
    finish(run, bad, must_finalize=False)
    if run.has_conflict():
        caught = sum(weight for person, weight in zip(PEOPLE, weights, strict=False) if person.key in run.get_caught())
        assert 3 * caught >= sum(weights), f"evidence against {caught} of {sum(weights)} only"
    return run


def run_private(seed: int) -> Run:
    """A branch from genesis at the least difficulty, many times as long and final on its own, is shown at some time."""
    rng = random.Random(f"{seed}/private")
    newcomers = list(range(VOTERS))
    run = Run(seed, (), newcomers, newcomers=newcomers, unit=1)
    thief = PrivateMiner(run, PEOPLE[VOTERS])
    thief.mine(rng.randint(150, 250))
    final = run.tree.get_state(thief.branch[-1].id).get_finality()
    assert final is not None
    assert final.finalized.epoch > 20, "it is final where nobody else mines"

    def come() -> None:
        run.payloads += [(PEOPLE[number], make_registration(PEOPLE[number])) for number in newcomers]

    run.at(rng.uniform(0.5, 3) * EPOCH_S, come)
    lighter: list[bool] = []

    def show() -> None:
        tips = [run.tree.blocks[node.tip].weight for node in run.nodes]
        lighter.append(thief.branch[-1].weight < min(tips))
        thief.show()

    run.at(rng.uniform(0.2, 14) * EPOCH_S, show)
    run.mine(LENGTH_S + AFTER_S)
    finish(run)
    followed = any(run.tree.is_on(thief.branch[0].id, node.tip) for node in run.nodes)
    assert not (followed and lighter == [True]), "work says who is right"
    return run


def run_stall(seed: int) -> Run:
    """Near half of the weight and of the hash rate goes away for more than 32 epochs, and comes back."""
    rng = random.Random(f"{seed}/stall")
    params = replace(MODEL, reputation_half_life=60)
    weights = draw_weights(rng)
    asleep = choose(rng, weights, 0.42, 0.49)
    begins = rng.uniform(4, 7) * EPOCH_S
    cut = Cut(begins, begins + rng.uniform(54, 60) * EPOCH_S, frozenset(asleep))
    run = Run(seed, weights, range(VOTERS), cuts=[cut], params=params, unit=10**6)
    awake = [0.0 if i in asleep else 1.0 for i in range(VOTERS)] + [1.0]
    run.mine(begins)
    run.at(begins, lambda: run.mine(cut.ends + AFTER_S, awake))
    run.go_on(begins)
    before = run.get_best_final()
    run.go_on(begins + 30 * EPOCH_S * 0.9)
    assert run.get_best_final() <= before + 2 * MODEL.epoch_blocks, "finality stops while nearly half is away"
    run.go_on(cut.ends)
    assert run.get_best_final() > before + 32 * MODEL.epoch_blocks, "it goes on without them after a stall"
    run.go_on(cut.ends + AFTER_S)
    return finish(run)


def run_deserted(seed: int) -> Run:
    """Six tenths of hash rate and weight leave a justified checkpoint: finality stops, and nothing final is undone."""
    rng = random.Random(f"{seed}/deserted")
    run = Run(seed, [6, 2, 1, 1], range(4), followers=1)
    deserter = Deserter(run, 0, rng.randint(3, 5))
    ends = LENGTH_S + AFTER_S + 2 * EPOCH_S  # so that the branch grows by two epochs even with bad luck
    run.mine(ends, [0.6, 0.1, 0.1, 0.1, 0.1])
    run.go_on(ends)
    assert deserter.left_at is not None
    finish(run)
    branch = run.tree.blocks[run.nodes[0].tip]
    assert branch.height > deserter.left_at.height + 2 * MODEL.epoch_blocks
    assert not run.get_any_caught()
    run.left_at = deserter.left_at.height
    return run


SCENARIOS: Final[Sequence[Callable[[int], Run]]] = (
    run_silent,
    run_equivocating,
    run_withheld,
    run_delayed,
    run_changing,
    run_lost,
    run_private,
    run_stall,
    run_deserted,
)
