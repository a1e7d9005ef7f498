"""The block index under random headers, bodies, verdicts, waits and reorganisations: its invariants hold throughout."""

import random
from typing import Final

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from inos.chain.entry import Entry, find_fork, get_ancestor, iterate_back
from inos.chain.index import BlockIndex
from inos.primitives.blocks import encode_target
from inos.primitives.units import BlockId, Target, TimeMs
from support.chain_maker import EASY
from support.consensus_lab import Lab

GENESIS: Final = Lab(EASY).headers[0]
TARGETS: Final = [encode_target(Target(2**256 // d - 1)) for d in (1, 2, 3)]


class Chain:
    """An index that is moved as the ledger moves it."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.index = BlockIndex(EASY, BlockId(bytes(32)), GENESIS)
        self.made = [self.index.genesis]
        self.now = 0
        self.sound: set[Entry] = set()
        """Blocks that were connected once. They can be connected again, since checks are not repeated."""

    def choose(self, entries: list[Entry]) -> Entry:
        """Choose an entry, recent ones more often, so that the tree grows high."""
        return entries[max(self.rng.randrange(len(entries)), self.rng.randrange(len(entries)))]

    def list_known(self) -> list[Entry]:
        return [entry for entry in self.made if self.index.get(entry.id) is entry]

    def add_header(self) -> None:
        parent = self.choose(self.list_known())
        if not self.index.is_after_final(parent):
            return
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


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(5, 120))
def test_invariants_hold_after_every_step(seed: int, steps: int) -> None:
    rng = random.Random(seed)
    chain = Chain(rng)
    for _ in range(steps):
        action = rng.choices(
            [
                chain.add_header,
                chain.add_body,
                chain.move,
                chain.release,
                chain.condemn,
                chain.finalize,
                chain.pledge,
                chain.wait,
                chain.make_room,
            ],
            weights=[40, 30, 10, 4, 2, 1, 2, 5, 2],
        )[0]
        action()
        chain.index.check_invariants()
