"""Nodes reduced to finality, a thousand runs a minute: blocks without work, BLS without curves, messages as events.

The decisions come from the real code: `inos.consensus.execution` with `inos.consensus.finality` makes every block's
state, `inos.chain.votepool` accepts votes and makes aggregates and evidence, and `inos.agents.voter` decides what a
voter signs. The model adds the delivery of messages and a fork choice in ten lines. A run depends only on its seed.
"""

import heapq
import random
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec

from inos.agents.voter.journal import Refused, Signed, check_signing
from inos.agents.voter.voter import find_duty, make_signed
from inos.chain.votepool import Taken, VotePool
from inos.consensus.execution import Execution
from inos.consensus.finality import compute_passed_epoch
from inos.consensus.genesis_state import make_genesis
from inos.consensus.params import Params
from inos.consensus.records import (
    NETWORK_MINED_KEY,
    VOTER_COUNT_KEY,
    Account,
    NetworkMined,
    StateKey,
    Voter,
    VoterCount,
    VoterKey,
    account_key,
    bls_key_key,
    voter_key,
)
from inos.consensus.state import StateView
from inos.primitives.codec import encode
from inos.primitives.errors import InosError
from inos.primitives.signatures import compute_address
from inos.primitives.transactions import Payload, RegisterVoter, Transaction
from inos.primitives.units import Address, BlockId, Height, PublicKey
from inos.primitives.votes import Aggregate, Link, Vote, compute_vote_hash, make_possession_message
from support.consensus_lab import ALICE, GENESIS_TIME, PARAMS, Products, Records
from support.fake_bls import FakeBls

MODEL: Final[Params] = msgspec.structs.replace(
    PARAMS,
    epoch_blocks=4,
    finality_start=8,
    reputation_half_life=10**6,
    bond_leverage=10**9,
    unbonding_epochs=36,
)
SPACING_S: Final = 2.0
BOND: Final = 1000
WEIGHT: Final = 1000
"""In bytes of a block."""
UNIT: Final = 10**8
"""Mined nano of one unit of weight; a block adds 49,000, so weights hardly move in a run."""
NOBODY: Final = Address(bytes(20))
BLS: Final = FakeBls()
PRODUCTS: Final = Products()


class Made(msgspec.Struct, frozen=True):
    """One block of the model."""

    id: BlockId
    parent: BlockId
    height: int
    weight: int
    """The weight of the chain up to this block, which weighs `WEIGHT` itself unless it was mined at another
    difficulty.
    """


class Person(msgspec.Struct, frozen=True):
    """A voter: an account and a BLS key."""

    public: bytes
    address: Address
    secret: bytes
    key: bytes


def make_person(number: int) -> Person:
    public = PublicKey(blake2b(b"account %d" % number, digest_size=32).digest())
    secret = blake2b(b"bls %d" % number, digest_size=32).digest()
    return Person(public, compute_address(public), secret, BLS.compute_public_key(secret))


PEOPLE: Final = tuple(make_person(number) for number in range(16))


class Tree:
    """All blocks of a run and the state after each, which depends only on the block and so is computed once for all
    nodes.

    Args:
        weights: of the voters that genesis has, in units.
        newcomers: people who have mined one unit each, and are no voters yet.
        unit: mined nano of one unit of weight.
    """

    def __init__(
        self, weights: Sequence[int], newcomers: Sequence[int] = (), params: Params = MODEL, unit: int = UNIT
    ) -> None:
        self.params = params
        genesis = make_genesis(params, GENESIS_TIME, {ALICE.address: 10**6})  # type: ignore[dict-item]
        records = dict(genesis.records)
        voters = PEOPLE[: len(weights)]
        for person, weight in zip(voters, weights, strict=True):
            records |= make_voter_records(person, weight * unit)
        for number in newcomers:
            person = PEOPLE[number]
            records[account_key(person.address)] = encode(Account(balance=10 * BOND, mined=unit))
        mined = (sum(weights) + len(newcomers)) * unit
        records[NETWORK_MINED_KEY] = encode(NetworkMined(mined))
        records[VOTER_COUNT_KEY] = encode(VoterCount(len(voters)))
        self.genesis = Made(BlockId(bytes(32)), BlockId(bytes(32)), 0, 0)
        self.blocks: dict[BlockId, Made] = {self.genesis.id: self.genesis}
        self._records: dict[BlockId, dict[StateKey, bytes]] = {self.genesis.id: records}
        self._states: dict[BlockId, StateView] = {}

    def get_state(self, block: BlockId) -> StateView:
        state = self._states.get(block)
        if state is None:
            state = self._states[block] = StateView(Records(self._records[block]))
        return state

    def extend(
        self,
        parent: BlockId,
        aggregate: Aggregate | None,
        payloads: Sequence[tuple[Person, Payload]],
        finder: Address = NOBODY,
        weight: int = WEIGHT,
    ) -> Made:
        """Add a block to `parent` by the rules; transactions that are not valid there are left out."""
        height = self.blocks[parent].height + 1
        reader = Records(self._records[parent])
        execution = Execution(
            self.params,
            reader,
            height=Height(height),
            beneficiary=finder,
            target=self.params.genesis_target,
            results=PRODUCTS,
            parent=parent,
            aggregate=aggregate,
            bls=BLS,
        )
        for person, payload in payloads:
            nonce = StateView(reader).get_account(person.address).nonce
            try:
                execution.add(Transaction(MODEL.chain_id, person.public, nonce, 0, payload, bytes(64)))
            except InosError:
                continue
        id = BlockId(blake2b(parent + len(self.blocks).to_bytes(4, "big"), digest_size=32).digest())
        reader.apply(execution.finish().changes)
        self._records[id] = reader.all
        made = self.blocks[id] = Made(id, parent, height, self.blocks[parent].weight + weight)
        return made

    def get_ancestor(self, block: BlockId, height: int) -> BlockId:
        while self.blocks[block].height > height:
            block = self.blocks[block].parent
        return block

    def is_on(self, low: BlockId, high: BlockId) -> bool:
        """Return whether `low` is `high` or an ancestor of it."""
        return self.get_ancestor(high, self.blocks[low].height) == low


def make_registration(person: Person) -> RegisterVoter:
    message = make_possession_message(person.key, person.address, MODEL.chain_id)
    return RegisterVoter(person.key, BLS.prove_possession(person.secret, message), BOND)


def make_voter_records(person: Person, mined: int) -> dict[StateKey, bytes]:
    """Register a voter in genesis, without a block for it."""
    return {
        account_key(person.address): encode(Account(bonded=BOND, mined=mined)),
        voter_key(person.address): encode(Voter(person.key, BOND, 0)),
        bls_key_key(person.key): encode(VoterKey(person.address)),
    }


class ModelNode:
    """One honest node, which may have a voter."""

    def __init__(self, run: "Run", number: int, person: Person | None) -> None:
        self.run = run
        self.number = number
        self.person = person
        self.tip = self.final = run.tree.genesis.id
        self.known = {run.tree.genesis.id}
        self.pool = VotePool(run.tree.params, BLS)
        self.journal: list[Signed] = []
        self._orphans: dict[BlockId, list[Made]] = {}

    @property
    def height(self) -> int:
        return self.run.tree.blocks[self.tip].height

    @property
    def state(self) -> StateView:
        return self.run.tree.get_state(self.tip)

    def mine(self) -> None:
        aggregate = self.pool.make_aggregate(self.state)
        finder = NOBODY if self.person is None else self.person.address
        made = self.run.tree.extend(self.tip, aggregate, self.run.payloads, finder)
        self.take_block(made)
        self.run.send(self.number, made)

    def hear(self, item: Made | Vote) -> None:
        if isinstance(item, Made):
            self.take_block(item)
        else:
            self.take_vote(item)

    def take_block(self, made: Made) -> None:
        if made.id in self.known:
            return
        if made.parent not in self.known:
            self._orphans.setdefault(made.parent, []).append(made)
            return
        self.known.add(made.id)
        tree = self.run.tree
        if made.weight > tree.blocks[self.tip].weight and tree.is_on(self.final, made.id):
            self._go_to(made.id)
        for orphan in self._orphans.pop(made.id, ()):
            self.take_block(orphan)

    def _go_to(self, tip: BlockId) -> None:
        """Connect every block on the way, like a ledger, so that what becomes final on the way stays final."""
        tree, way = self.run.tree, [tip]
        while not tree.is_on(tree.blocks[way[-1]].parent, self.tip):
            way.append(tree.blocks[way[-1]].parent)
        for block in reversed(way):
            finality = tree.get_state(block).get_finality()
            final = None if finality is None else BlockId(finality.finalized.id)
            if final is not None and tree.blocks[final].height > tree.blocks[self.final].height:
                self.final = final
                self.run.note_final(self, final)
        self.tip = tip
        for vote in self.pool.take_waiting(self.state):
            self.take_vote(vote)
        self.seek_final()
        self.vote()

    def take_vote(self, vote: Vote) -> None:
        try:
            if self.pool.add(vote, self.pool.check(vote, self.state, self.height)) is Taken.NEW:
                self.seek_final()
        except InosError:
            return

    def seek_final(self) -> None:
        """Follow the votes if they show that a block on another branch is final."""
        tree = self.run.tree
        found = self.pool.find_final(self.state, compute_passed_epoch(tree.params, tree.blocks[self.final].height))
        if found not in self.known or not tree.is_on(self.final, found) or tree.is_on(found, self.tip):
            return
        self.final = found
        self.run.note_final(self, found)
        above = [tree.blocks[block] for block in self.known if tree.is_on(found, block)]
        self._go_to(max(above, key=lambda made: made.weight).id)

    def vote(self) -> None:
        if self.person is None:
            return
        link = find_duty(self.run.tree.params, self.state, self.height, self.person.key)
        if link is None:
            return
        signed = make_signed(MODEL.chain_id, link)
        try:
            is_old = check_signing(self.journal, signed)
        except Refused:
            return
        if not is_old:
            self.journal.append(signed)
            vote = sign(self.person, link)
            self.take_vote(vote)
            self.run.send(self.number, vote)


def sign(person: Person, link: Link) -> Vote:
    return Vote(link, person.key, BLS.sign(person.secret, compute_vote_hash(MODEL.chain_id, link)))


class Cut(msgspec.Struct, frozen=True):
    """A partition of the nodes for a time."""

    begins: float
    ends: float
    left: frozenset[int]

    def divides(self, a: int, b: int, now: float) -> bool:
        return self.begins <= now < self.ends and (a in self.left) != (b in self.left)


class Run:
    """One run: the nodes, the messages under way, and a record of all actions.

    Args:
        weights: those of the voters, in units.
        honest: the voters that run honest nodes, by number; an attacker has the others' keys, or they are silent.
        delay: draws the seconds that a message takes.
    """

    def __init__(
        self,
        seed: int,
        weights: Sequence[int],
        honest: Sequence[int],
        *,
        followers: int = 1,
        cuts: Sequence[Cut] = (),
        delay: Callable[[random.Random], float] = lambda rng: rng.uniform(0.05, 0.5),
        newcomers: Sequence[int] = (),
        params: Params = MODEL,
        unit: int = UNIT,
    ) -> None:
        self.rng = random.Random(seed)
        self.tree = Tree(weights, newcomers, params, unit)
        self.cuts = cuts
        self.delay = delay
        self.now = 0.0
        self.payloads: list[tuple[Person, Payload]] = []
        people = [PEOPLE[number] for number in honest]
        self.nodes = [ModelNode(self, i, person) for i, person in enumerate([*people, *([None] * followers)])]
        self.finals: list[tuple[int, BlockId]] = []
        self.left_at = 0
        """Height at which most of the hash rate left the chain for a branch of its own; 0 if it did not."""
        self.on_block: Callable[[Made], None] = lambda made: None
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        for cut in cuts:
            self.at(cut.ends, self.meet)

    def meet(self) -> None:
        """Let every node ask every other one for votes, as nodes do when they reconnect."""
        for node in self.nodes:
            for vote in node.pool.list_votes(0, 10_000):
                lacking = [other.number for other in self.nodes if not other.pool.has(vote)]
                if lacking:
                    self.send(node.number, vote, lacking)

    def at(self, when: float, call: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, call))

    def go_on(self, until: float) -> None:
        """Process everything that is due before a time."""
        while self._events and self._events[0][0] <= until:
            self.now, _, call = heapq.heappop(self._events)
            call()
        self.now = until

    def send(self, sender: int, item: Made | Vote, to: Iterable[int] | None = None) -> None:
        """Send to all other nodes, or to some; a message across a partition arrives when it ends. -1 is outside of
        every partition.
        """
        chosen = None if to is None else frozenset(to)
        if isinstance(item, Made):
            self.on_block(item)
        for node in self.nodes:
            if node.number == sender or (chosen is not None and node.number not in chosen):
                continue
            when = self.now + self.delay(self.rng)
            for cut in self.cuts:
                if sender >= 0 and cut.divides(sender, node.number, self.now):
                    when = cut.ends + self.delay(self.rng)
            self.at(when, _bind(node.hear, item))

    def mine(self, until: float, shares: Sequence[float] | None = None, rate: float = 1.0) -> None:
        """Let honest nodes find blocks by chance until a time, together `rate` times one per spacing."""

        def find() -> None:
            if self.now < until:
                self.rng.choices(self.nodes, shares)[0].mine()
                draw()

        def draw() -> None:
            self.at(self.now + self.rng.expovariate(rate / SPACING_S), find)

        draw()

    def note_final(self, node: ModelNode, final: BlockId) -> None:
        self.finals.append((node.number, final))

    # Observations

    def has_conflict(self) -> bool:
        """Return whether two blocks that nodes consider final are on different branches."""
        tree = self.tree
        blocks = sorted({final for _, final in self.finals}, key=lambda id: tree.blocks[id].height)
        return any(not tree.is_on(low, high) for i, low in enumerate(blocks) for high in blocks[i + 1 :])

    def get_caught(self) -> set[bytes]:
        """Return the keys against which every honest node has evidence."""
        caught = [{each.first.key for each in node.pool.get_evidence()} for node in self.nodes]
        return set.intersection(*caught)

    def get_any_caught(self) -> set[bytes]:
        return {each.first.key for node in self.nodes for each in node.pool.get_evidence()}

    def has_refused(self) -> bool:
        """Return True if the first node does not move to the heaviest branch, because of what is final there."""
        heaviest = max(self.tree.blocks.values(), key=lambda made: made.weight)
        return heaviest.id in self.nodes[0].known and not self.tree.is_on(self.nodes[0].final, heaviest.id)

    def get_best_final(self) -> int:
        return max((self.tree.blocks[final].height for _, final in self.finals), default=0)


def _bind(call: Callable[[Any], None], item: Any) -> Callable[[], None]:
    return lambda: call(item)
