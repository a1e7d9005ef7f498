"""Attackers on finality in the model: keys that sign on every branch, and a miner that hides its branch."""

from collections.abc import Sequence

from inos.agents.voter.voter import VOTE_DEPTH, find_duty
from inos.chain.votepool import Taken, VotePool
from inos.primitives.units import BlockId
from inos.primitives.votes import Link, Vote
from simulation.finality_model import BLS, SPACING_S, WEIGHT, Made, Person, Run, make_registration, sign


class Equivocator:
    """An attacker with some voters' keys. It sees every block at once and signs everything that any branch asks for.

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


class PrivateMiner:
    """A miner that mines a branch of its own from genesis at the least difficulty, registers there, and finalizes it
    alone.
    """

    def __init__(self, run: Run, person: Person) -> None:
        self._run = run
        self._person = person
        self.branch: list[Made] = []
        self.votes: list[Vote] = []

    def mine(self, blocks: int) -> None:
        """Add blocks, each a thousandth of an honest block's weight, with votes on every checkpoint."""
        run, pool = self._run, VotePool(self._run.tree.params, BLS)
        tip = run.tree.genesis
        for _ in range(blocks):
            state = run.tree.get_state(tip.id)
            aggregate = pool.make_aggregate(state)
            orders = [(self._person, make_registration(self._person))] if tip.height == 1 else []
            tip = run.tree.extend(tip.id, aggregate, orders, self._person.address, WEIGHT // 1000)
            self.branch.append(tip)
            link = find_duty(run.tree.params, run.tree.get_state(tip.id), tip.height, self._person.key)
            if link is not None and (not self.votes or self.votes[-1].link != link):
                self.votes.append(sign(self._person, link))
                pool.add(self.votes[-1], Taken.NEW)

    def show(self) -> None:
        for item in (*self.branch, *self.votes):
            self._run.send(-1, item)


class Deserter:
    """An attacker with most of the hash rate and of the weight, which leaves a checkpoint that it justified.

    It falls silent then; when the others have voted for the next checkpoint, it goes back below the one that is
    justified, and mines and votes on a branch of its own, as its journal allows.
    """

    def __init__(self, run: Run, number: int, epoch: int) -> None:
        self._run = run
        self._node = run.nodes[number]
        self._person = self._node.person
        self._epoch = epoch
        self._justified: BlockId | None = None
        self.left_at: Made | None = None
        run.on_block = self.see

    def see(self, made: Made) -> None:
        tree, node, params = self._run.tree, self._node, self._run.tree.params
        finality = tree.get_state(made.id).get_finality()
        if self.left_at is not None or finality is None or finality.justified.epoch < self._epoch:
            return
        if self._justified is None:
            self._justified, node.person = BlockId(finality.justified.id), None
        if made.height >= tree.blocks[self._justified].height + params.epoch_blocks + VOTE_DEPTH + 1:
            self.left_at = tree.blocks[tree.blocks[self._justified].parent]
            node.hear = self._hear  # type: ignore[method-assign]
            node.tip, node.person = self.left_at.id, self._person

    def _hear(self, item: Made | Vote) -> None:
        """Ignore blocks of others from now on."""
        if isinstance(item, Vote):
            self._node.take_vote(item)


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
