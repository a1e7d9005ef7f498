"""Attackers on finality in the model: keys that sign on every branch, and a miner that hides its branch."""

from collections.abc import Sequence

from inos.agents.voter.voter import find_duty
from inos.primitives.units import BlockId
from inos.primitives.votes import Link
from simulation.finality_model import SPACING_S, Made, Person, Run, sign


class Equivocator:
    """An attacker with some voters' keys. It sees every block at once and signs whatever any branch asks for.

    Args:
        is_careful: a vote goes only to nodes whose chain has its target; otherwise all nodes notice at once.
    """

    def __init__(self, run: Run, people: Sequence[Person], *, is_careful: bool) -> None:
        self._run = run
        self._is_careful = is_careful
        self._people = people
        self._signed: set[tuple[bytes, Link]] = set()
        run.on_block = self.see

    def see(self, made: Made) -> None:
        state = self._run.tree.get_state(made.id)
        for person in self._people:
            link = find_duty(self._run.tree.params, state, made.height, person.key)
            if link is not None and (person.key, link) not in self._signed:
                self._signed.add((person.key, link))
                self._run.send(-1, sign(person, link), self._choose(link) if self._is_careful else None)

    def _choose(self, link: Link) -> set[int]:
        target = BlockId(link.target.id)
        return {node.number for node in self._run.nodes if target in node.known}


class Withholder:
    """A miner that is faster than all others together, mines a secret branch, and publishes it at the end."""

    def __init__(self, run: Run, rate: float) -> None:
        self._run = run
        self._rate = rate
        self._tip: BlockId | None = None
        self._branch: list[Made] = []

    def begin(self, back: int) -> None:
        """Leave the chain `back` blocks below the first node's tip, which may soon be below a final block."""
        node = self._run.nodes[0]
        self._tip = self._run.tree.get_ancestor(node.tip, max(0, node.height - back))
        self._draw()

    def show(self) -> None:
        self._tip = None
        for made in self._branch:
            self._run.send(-1, made)

    def _draw(self) -> None:
        self._run.at(self._run.now + self._run.rng.expovariate(self._rate / SPACING_S), self._find)

    def _find(self) -> None:
        if self._tip is None:
            return
        tree, pool = self._run.tree, self._run.nodes[0].pool
        aggregate = pool.make_aggregate(tree.get_state(self._tip))
        made = tree.extend(self._tip, aggregate, ())
        self._branch.append(made)
        self._tip = made.id
        self._draw()
