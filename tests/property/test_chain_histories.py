"""Random histories through the real ledger: undoing restores every byte, and the order of arrival does not matter."""

import random
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from inos.chain.ledger import Ledger
from inos.consensus.statetree import compute_state_root
from support.chain_maker import NOW, Branch, MadeBlock, dump_chain, feed, feed_in_any_order, grow_at_random
from support.consensus_lab import sum_held

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=25)
@given(seeds, st.integers(4, 14), st.data())
def test_undone_blocks_leave_no_trace(seed: int, height: int, data: st.DataObject) -> None:
    """State, tree and every index after a reorganisation equal those of a chain without it."""
    rng = random.Random(seed)
    trunk = Branch()
    for _ in range(height):
        grow_at_random(trunk, rng)
    back = data.draw(st.integers(1, height))
    side = trunk.fork(back)
    for _ in range(back + 1):
        grow_at_random(side, rng)
    with TemporaryDirectory() as folder:
        ledger, fresh = trunk.open_ledger(Path(folder, "a")), trunk.open_ledger(Path(folder, "b"))
        feed(ledger, trunk.blocks[: height - back])
        at_fork = dump_chain(ledger)
        feed(ledger, trunk.blocks[height - back :])
        outcomes = feed(ledger, side.blocks[height - back :])
        feed(fresh, side.blocks)
        assert outcomes[-1].disconnected == tuple(made.id for made in reversed(trunk.blocks[height - back :]))
        assert outcomes[-1].connected == tuple(made.id for made in side.blocks[height - back :])
        assert dump_chain(ledger) == dump_chain(fresh)
        assert ledger.view.tip.header.state_root == compute_state_root(dict(ledger.view.reader.iterate_records()))
        # It also returns to the fork itself, like the first half of a longer reorganisation.
        for _ in range(back + 1):
            ledger._chain.disconnect()
        ledger._chain.flush()
        assert dump_chain(ledger) == at_fork
        ledger.close()
        fresh.close()


@settings(max_examples=25)
@given(seeds, st.integers(1, 14))
def test_supply_is_conserved_in_the_database(seed: int, height: int) -> None:
    rng, branch = random.Random(seed), Branch()
    with TemporaryDirectory() as folder:
        ledger = branch.open_ledger(Path(folder))
        for _ in range(height):
            made = grow_at_random(branch, rng)
            feed(ledger, [made])
            records, market = dict(ledger.view.reader.iterate_records()), ledger.view.state.get_market()
            stats = ledger.view.reader.get_block_stats(made.id)
            assert stats is not None
            assert sum_held(records) == market.minted - market.burned == stats.supply
            assert records == branch.records.all
        ledger.check()
        ledger.close()


def grow_tree(rng: random.Random, forks: int) -> tuple[Branch, list[MadeBlock]]:
    """Return a tree of blocks with one longest branch, and that branch."""
    branches = [Branch()]
    for _ in range(rng.randint(1, 5)):
        grow_at_random(branches[0], rng)
    for _ in range(forks):
        parent = rng.choice(branches)
        child = parent.fork(rng.randint(0, parent.height))
        for _ in range(rng.randint(1, 5)):
            grow_at_random(child, rng)
        branches.append(child)
    best = max(branches, key=lambda branch: branch.height)
    grow_at_random(best, rng)
    blocks = {made.id: made for branch in branches for made in branch.blocks}
    return best, list(blocks.values())


@settings(max_examples=25)
@given(seeds, st.integers(1, 4))
def test_any_order_ends_on_the_same_tip(seed: int, forks: int) -> None:
    rng = random.Random(seed)
    best, blocks = grow_tree(rng, forks)
    ends = []
    with TemporaryDirectory() as folder:
        for number, headers_first in enumerate((False, True, False)):
            rng.shuffle(blocks)
            ledger = best.open_ledger(Path(folder, str(number)))
            feed_in_any_order(ledger, blocks, headers_first=headers_first)
            ledger.check()
            assert ledger.view.best_header.id == ledger.view.tip.id == best.tip_id
            assert ledger.view.get_missing_blocks(10) == []
            ends.append((ledger.view.tip, dump_chain(ledger)))
            ledger.close()
            again = best.open_ledger(Path(folder, str(number)))
            check_same(again, ends[-1])
            again.close()
    assert ends[0] == ends[1] == ends[2]


def check_same(ledger: Ledger, end: tuple[object, dict[bytes, bytes]]) -> None:
    """A reopened ledger has the same tip and all of its blocks."""
    assert (ledger.view.tip, dump_chain(ledger)) == end
    block = ledger.view.get_block(ledger.view.tip.id)
    witness = ledger.view.get_witness(ledger.view.tip.id)
    assert block is not None
    assert witness is not None
    assert not ledger.add_block(block, witness, NOW).is_new
