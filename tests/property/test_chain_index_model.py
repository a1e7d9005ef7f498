"""The block index under random headers, bodies, verdicts, waits and reorganisations: its invariants hold throughout,
and one that drops what lies below its root answers like one that holds everything.
"""

import random
from typing import Final
from unittest.mock import patch

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from inos.chain.entry import Entry, find_fork, get_ancestor, iterate_back, make_context, make_locator
from inos.chain.index import BlockIndex
from inos.primitives.blocks import encode_target
from inos.primitives.units import BlockId, Target, TimeMs
from support.chain_maker import EASY
from support.consensus_lab import Lab
from support.header_records import MemoryRecords

GENESIS: Final = Lab(EASY).headers[0]
TARGETS: Final = [encode_target(Target(2**256 // d - 1)) for d in (1, 2, 3)]


class Chain:
    """An index that is moved as the ledger moves it."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.records = MemoryRecords()
        self.index = BlockIndex(EASY, BlockId(bytes(32)), GENESIS, self.records)
        self.made = [self.index.genesis]
        self.now = 0
        self.sound: set[Entry] = set()
        """Blocks that were connected once. They can be connected again, since checks are not repeated."""

    def choose(self, entries: list[Entry]) -> Entry:
        """Choose an entry, recent ones more often, so that the tree grows high."""
        return entries[max(self.rng.randrange(len(entries)), self.rng.randrange(len(entries)))]

    def list_known(self) -> list[Entry]:
        """Return the known blocks that no final block excludes."""
        known = (entry for entry in self.made if self.index.get(entry.id) is entry)
        return [entry for entry in known if self.index.is_after_final(entry)]

    def add_header(self) -> None:
        parent = self.choose(self.list_known())
        header = msgspec.structs.replace(
            GENESIS, height=parent.height + 1, parent=parent.id, target=self.rng.choice(TARGETS)
        )
        block = BlockId(len(self.made).to_bytes(32, "big"))
        self.made.append(self.index.add(block, header, parent))

    def add_body(self) -> None:
        without = [entry for entry in self.list_known() if not entry.has_body]
        if without:
            self.index.set_body(self.rng.choice([without[0], self.choose(without)]))

    def move(self) -> None:
        """Move to the best chain, as ConnectedChain does."""
        before = self.index.tip
        self.go_to_pledged()
        while (best := self.index.find_best_side()) is not None:
            self.go_to(best)
        if self.index.tip is not before:
            self.index.prune_side()

    def go_to_pledged(self) -> None:
        final = self.index.final
        if self.index.redeem():
            while not self.index.is_after_final(self.index.tip):
                best = self.index.find_best_side()
                if best is None:
                    self.index.reopen(final)
                    return
                self.go_to(best)

    def go_to(self, best: Entry) -> None:
        """Move along blocks that may turn out to be invalid or to wait for matrices."""
        fork = find_fork(best, self.index.tip)
        while self.index.tip is not fork:
            self.index.set_inactive(self.index.tip)
        for height in range(fork.height + 1, best.height + 1):
            entry = get_ancestor(best, height)
            fate = 1 if entry in self.sound else self.rng.random()
            if fate < 0.05:
                self.index.set_invalid(entry, "bad-state-root", "by lot")
                return
            if fate < 0.15:
                self.index.set_held(entry, lacks_matrices=False)
                return
            self.index.set_active(entry)
            self.sound.add(entry)

    def release(self) -> None:
        self.index.release_held()
        self.move()

    def condemn(self) -> None:
        """Condemn a block whose body breaks a rule of stage 1, so that it cannot be connected."""
        waiting = [entry for entry in self.list_known() if not entry.has_body]
        if waiting:
            self.index.set_invalid(self.choose(waiting), "bad-tx-root", "by lot")

    def finalize(self) -> None:
        chain = list(iterate_back(self.index.tip))
        entry = self.rng.choice(chain)
        if entry.height > self.index.final.height:
            self.index.set_final(entry)

    def pledge(self) -> None:
        self.index.pledge(self.choose(self.list_known()))
        self.move()

    def wait(self) -> None:
        self.now += self.rng.choice([1000, 15_000, 400_000])
        self.index.tick(TimeMs(self.now))

    def make_room(self) -> None:
        self.index.make_room(self.rng.randint(1, 20))

    def trim(self) -> None:
        """Record everything, as the ledger does before it trims, and drop what the index needs no longer."""
        for entry in self.made:
            self.records.save(entry)
            if entry.has_body:
                self.records.bodies.add(entry.id)
            if entry.invalid is not None:
                self.records.invalid[entry.id] = entry.invalid
        self.records.connect(self.index.tip)
        plan = self.index.plan_trim()
        if plan is not None:
            self.index.trim(plan)

    def tell(self) -> dict[str, object]:
        """Return what the index says of the blocks that no final block excludes."""
        index, known = self.index, self.list_known()
        one, other = self.rng.choice(known), self.rng.choice(known)
        height = self.rng.randint(0, one.height)
        return {
            "ends": [each.id for each in (index.tip, index.final, index.best_header, index.heaviest)],
            "pledged": None if index.pledged is None else index.pledged.id,
            "best side": None if (best := index.find_best_side()) is None else best.id,
            "missing": index.list_missing(50),
            "ancestor": get_ancestor(one, height).id,
            "fork": find_fork(one, other).id,
            "context": make_context(EASY, one),
            "known": [
                (each.id, each.weight, each.has_body, each.is_linked, each.is_held, each.is_stalled, each.invalid)
                for each in known
            ],
            "connected": index.is_connected(one),
            "locator": make_locator(index.best_header, 3),
        }


ACTIONS: Final = [
    Chain.add_header,
    Chain.add_body,
    Chain.move,
    Chain.release,
    Chain.condemn,
    Chain.finalize,
    Chain.pledge,
    Chain.wait,
    Chain.make_room,
]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(5, 120))
def test_invariants_hold_after_every_step(seed: int, steps: int) -> None:
    rng = random.Random(seed)
    chain = Chain(rng)
    for _ in range(steps):
        action = rng.choices(ACTIONS, weights=[40, 30, 10, 4, 2, 1, 2, 5, 2])[0]
        action(chain)
        chain.index.check_invariants()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(5, 150), st.integers(0, 6), st.sampled_from([0, 0, 1, 3]))
def test_trimmed_index_answers_like_a_whole_one(seed: int, steps: int, depth: int, finality: int) -> None:
    """The room for headers is left out: only a whole index counts those that a final block excludes."""
    whole, trimmed = Chain(random.Random(seed)), Chain(random.Random(seed))
    rng = random.Random(seed)
    with patch("inos.chain.trimming.DEPTH", depth), patch("inos.chain.trimming.STEP", 1):
        for _ in range(steps):
            action = rng.choices(ACTIONS[:-1], weights=[40, 30, 10, 4, 2, finality, finality, 5])[0]
            action(whole)
            action(trimmed)
            trimmed.trim()
            trimmed.index.check_invariants()
            assert trimmed.tell() == whole.tell()
        assert trimmed.index.tip.height - trimmed.index.root.height <= depth + 1
