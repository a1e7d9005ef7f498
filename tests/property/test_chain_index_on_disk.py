"""Ledgers that hold only a few blocks in memory: random branches, final blocks, restarts and kills between two writes.

Whatever happens, they end where a simple model ends: on the longest branch, with every header of it.
"""

import random
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from inos.chain import schema
from inos.chain.ledger import Ledger
from inos.primitives.errors import NotYet, ParentMissing, RuleViolation
from support.chain_maker import NOW, Branch, MadeBlock, dump_chain, grow_at_random


class Killed(BaseException):
    """Stands for the end of a process; no code of the ledger catches it."""


def grow_tree(rng: random.Random, height: int, forks: int) -> tuple[Branch, list[MadeBlock]]:
    """Return the longest branch of a tree of blocks, and all blocks, parents first."""
    branches = [Branch()]
    for _ in range(height):
        grow_at_random(branches[0], rng, max_transactions=1)
    for _ in range(forks):
        parent = rng.choice(branches)
        child = parent.fork(rng.randint(0, parent.height))
        child.grow_by(rng.randint(1, 6), nonce=rng.getrandbits(32))
        branches.append(child)
    best = max(branches, key=lambda branch: branch.height)
    best.grow(nonce=rng.getrandbits(32))
    blocks = {made.id: made for branch in branches for made in branch.blocks}
    return best, sorted(blocks.values(), key=lambda made: made.block.header.height)


class Lived:
    """A ledger that is opened again and again on the same folder."""

    def __init__(self, best: Branch, path: Path, rng: random.Random) -> None:
        self.best, self.path, self.rng = best, path, rng
        self.ledger = best.open_ledger(path)

    def reopen(self) -> None:
        self.ledger.close()
        self.ledger = self.best.open_ledger(self.path)
        self.ledger._index.check_invariants()

    def restart(self) -> None:
        """Stop and start: the blocks in memory are the same, except those on their way out."""
        before, excluded = self.list_live(), self.ledger._index.final
        self.reopen()
        index = self.ledger._index
        assert index.final.id == excluded.id
        assert self.list_live() == before

    def list_live(self) -> set[tuple[object, ...]]:
        """Return what the index holds above the last final block."""
        index = self.ledger._index
        return {
            (entry.id, entry.weight, entry.has_body, entry.is_linked, entry.invalid)
            for entry in index._entries.values()
            if index.is_after_final(entry) and (entry.height > index.root.height or not index.is_connected(entry))
        }

    def feed(self, made: MadeBlock) -> None:
        """Add a header or a block; the process may be killed at any write."""
        with patch.object(self.ledger._db, "write", self.make_writer()):
            try:
                if self.rng.random() < 0.3:
                    self.ledger.add_header(made.block.header, NOW)
                else:
                    self.ledger.add_block(made.block, made.witness, NOW)
                self.ledger._index.check_invariants()
                return
            except (NotYet, ParentMissing, RuleViolation):
                return
            except Killed:
                pass
        self.reopen()

    def make_writer(self) -> Any:
        write, left = self.ledger._db.write, self.rng.choice([None, None, 0, 1, 2, 3])

        def write_or_die(changes: Mapping[bytes, bytes | None], *, is_synced: bool = True) -> None:
            nonlocal left
            if left == 0:
                if self.rng.random() < 0.5:
                    write(changes, is_synced=is_synced)
                raise Killed
            left = None if left is None else left - 1
            write(changes, is_synced=is_synced)

        return write_or_die

    def finalize(self) -> None:
        """Make a connected block of the longest branch final, as votes would."""
        index, on_best = self.ledger._index, {made.id for made in self.best.blocks}
        height = self.rng.randint(0, index.tip.height)
        block = self.ledger.view.get_block_id(height)  # type: ignore[arg-type]
        entry = None if block is None or block not in on_best else index.get(block)
        if entry is not None and entry.height > index.final.height:
            index.set_final(entry)
            self.ledger._db.write({schema.META_FINAL: entry.id})
            self.ledger._trim()
            index.check_invariants()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 14), st.integers(0, 4), st.integers(0, 4), st.booleans())
def test_few_blocks_in_memory_and_kills(seed: int, height: int, forks: int, depth: int, has_finality: bool) -> None:
    rng = random.Random(seed)
    best, blocks = grow_tree(rng, height, forks)
    with (
        TemporaryDirectory() as folder,
        patch("inos.chain.trimming.DEPTH", depth),
        patch("inos.chain.trimming.STEP", rng.choice([1, 2])),
    ):
        lived = Lived(best, Path(folder, "a"), rng)
        for made in [*rng.choices(blocks, k=2 * len(blocks)), *blocks]:
            lived.feed(made)
            if has_finality and rng.random() < 0.1:
                lived.finalize()
            if rng.random() < 0.1:
                lived.restart()
        while lived.ledger.view.tip.id != best.tip_id:
            for made in best.blocks:
                lived.feed(made)
        fresh = best.open_ledger(Path(folder, "b"))
        for made in best.blocks:
            fresh.add_block(made.block, made.witness, NOW)
        check_against_model(lived.ledger, best)
        lived.restart()
        check_against_model(lived.ledger, best)
        whole = {key: value for key, value in dump_chain(lived.ledger).items() if key != schema.META_FINAL}
        assert whole == dump_chain(fresh)
        lived.ledger.close()
        fresh.close()


def check_against_model(ledger: Ledger, best: Branch) -> None:
    """Compare the ledger's answers about the connected chain with the branch that made it."""
    headers = [made.block.header for made in best.blocks]
    view, index = ledger.view, ledger._index
    assert index.tip.height - index.root.height <= 8
    assert view.get_headers_after((), 1000) == headers
    locator = view.get_locator()
    assert locator[0] == best.tip_id
    assert locator[-1] == index.genesis.id
    assert view.get_skeleton((), 2, 100)[1] == [made.id for made in best.blocks[1::2]]
    for made in best.blocks:
        assert view.get_status(made.id) == "connected"
        assert view.get_header(made.id) == made.block.header
        assert view.is_on_best_chain(made.id)
        entry = index.get(made.id)
        assert entry is not None
        assert entry.weight == made.block.header.height
        assert entry.parent is not None
        assert entry.parent.id == made.block.header.parent
        assert entry.first is index.get(best.blocks[0].id)
    assert view.get_missing_blocks(10) == []
