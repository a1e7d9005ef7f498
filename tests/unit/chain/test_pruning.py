"""Tests ledgers without their old blocks: what goes, what stays, and that nothing else changes."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inos.chain import schema
from inos.chain.checking import check_database
from inos.chain.ledger import Ledger
from inos.chain.pruning import PREFIXES
from inos.primitives.units import Height
from support.chain_maker import ALICE, BOB, EASY, Branch, dump, feed
from support.final_chain import begin_voting, grow_one, make_voted_branch

EPOCHS = 5
REMOVED = (schema.BLOCK, schema.WITNESS, schema.UNDO, schema.HISTORY, schema.JOB_EVENT)


@pytest.fixture(scope="module")
def branch() -> Branch:
    return make_voted_branch(EPOCHS)


@pytest.fixture
def ledger(branch: Branch, tmp_path: Path) -> Iterator[Ledger]:
    opened = branch.open_ledger(tmp_path)
    feed(opened, branch.blocks)
    yield opened
    opened.close()


def prune_all(ledger: Ledger, keep: int) -> int:
    count = 0
    while removed := ledger.prune(keep, 3):
        count += removed
    return count


def test_blocks_far_below_the_final_one_go_and_headers_stay(branch: Branch, ledger: Ledger) -> None:
    final = ledger.view.final.header.height
    assert final > 10
    assert prune_all(ledger, 4) == final - 5
    assert ledger.view.first_block == final - 4
    assert ledger.view.base_height == 0
    for made in branch.blocks:
        height = made.block.header.height
        is_kept = height >= final - 4
        assert (ledger.view.get_block(made.id) is not None) == is_kept
        assert (ledger.view.get_witness(made.id) is not None) == is_kept
        assert (ledger._db.get(schema.undo_key(height, made.id)) is not None) == is_kept
        assert ledger.view.get_header(made.id) == made.block.header
        assert ledger.view.get_status(made.id) == "connected"
        assert ledger.view.reader.get_block_stats(made.id) is not None
    assert check_database(ledger, lambda what, done, of: None).blocks == branch.height - (final - 5)
    heights = {entry.height for entry in ledger.view.reader.get_history(ALICE.address)}
    assert min(heights) >= final - 4 or min(heights) == 0
    assert prune_all(ledger, 4) == 0


def test_pruned_ledger_goes_on_after_a_restart(branch: Branch, ledger: Ledger, tmp_path: Path) -> None:
    longer = branch.fork()
    prune_all(ledger, 0)
    first = ledger.view.first_block
    ledger.close()
    again = branch.open_ledger(tmp_path)
    assert again.view.first_block == first == again.view.final.header.height
    side = longer.fork(1)
    feed(again, [longer.grow(longer.pay(BOB, ALICE.address))])
    feed(again, side.grow_by(3, nonce=5))
    assert again.view.tip.id == side.tip_id
    again.check()
    again.close()


def test_pruned_ledger_gives_others_its_state(branch: Branch, ledger: Ledger) -> None:
    """New nodes need the steps of finality, and the state after the last final checkpoint."""
    steps = ledger.view.list_steps(1, 100)
    prune_all(ledger, 0)
    assert ledger.view.list_steps(1, 100) == steps
    assert len(steps) >= EPOCHS - 1
    final = ledger.view.final
    past = ledger.view.get_past(final.header.height)
    assert past is not None
    assert (past.block, past.root) == (final.id, final.header.state_root)


def test_space_on_disk_is_free_once_the_keys_are_compacted(ledger: Ledger) -> None:
    """No reader of the past keeps what was removed."""
    ledger.compact(lambda what, done, of: None)
    before = ledger._db.count_bytes()
    kept = len(list(ledger._db.iterate_keys(schema.WITNESS))) - ledger.prune(0, 1000)
    for prefix in PREFIXES:
        ledger._db.compact_part(prefix)
    assert ledger._db.count_bytes() < before * (kept + 4) / (kept + ledger.view.first_block)


def test_nothing_goes_before_a_block_is_final(tmp_path: Path) -> None:
    branch = Branch()
    ledger = branch.open_ledger(tmp_path)
    feed(ledger, branch.grow_by(5))
    before = dump(ledger)
    assert ledger.prune(0, 10) == 0
    assert dump(ledger) == before
    assert ledger.view.first_block == 1
    ledger.close()


def test_excluded_branches_go_as_a_whole(branch: Branch, tmp_path: Path) -> None:
    side = branch.fork(branch.height - 3)
    ledger = branch.open_ledger(tmp_path)
    feed(ledger, branch.blocks[:5])
    blocks = side.grow_by(2, nonce=7)
    feed(ledger, blocks)
    feed(ledger, branch.blocks[5:])
    assert [ledger.view.get_status(made.id) for made in blocks] == ["stored", "stored"]
    prune_all(ledger, 0)
    ledger.close()
    again = branch.open_ledger(tmp_path)
    assert [again.view.get_status(made.id) for made in blocks] == ["unknown", "unknown"]
    assert not any(made.id in key for key in dump(again) for made in blocks)
    again.close()


class Killed(BaseException):
    """Stands for the end of a process."""


def make_killer(ledger: Ledger, is_written: bool) -> Callable[..., None]:
    """Return a write that the process does not survive, which reached the disk or did not."""
    write = ledger._db.write

    def write_and_die(changes: Mapping[bytes, bytes | None], *, is_synced: bool = True) -> None:
        if is_written:
            write(changes, is_synced=is_synced)
        raise Killed

    return write_and_die


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 12))
def test_pruned_at_any_time_the_rest_is_the_same(seed: int, keep: int) -> None:
    """A ledger that was pruned, killed and restarted differs from an archive only in what pruning removes."""
    rng, branch = random.Random(seed), Branch(EASY)
    begin_voting(branch)
    with TemporaryDirectory() as folder:
        archive, pruned = branch.open_ledger(Path(folder, "a")), branch.open_ledger(Path(folder, "p"))
        feed(archive, branch.blocks)
        feed(pruned, branch.blocks)
        while branch.height < 3 * EASY.epoch_blocks + rng.randint(0, 9):
            made = grow_one(branch)
            feed(archive, [made])
            feed(pruned, [made])
            if rng.random() < 0.2:
                with suppress(Killed), patch.object(pruned._db, "write", make_killer(pruned, rng.random() < 0.5)):
                    pruned.prune(keep, rng.randint(1, 5))
                pruned.close()
                pruned = branch.open_ledger(Path(folder, "p"))
            pruned.prune(keep, rng.randint(1, 5))
        prune_all(pruned, keep)
        check_rest(archive, pruned, keep)
        archive.close()
        pruned.close()


def check_rest(archive: Ledger, pruned: Ledger, keep: int) -> None:
    whole, rest, first = dump(archive), dump(pruned), pruned.view.first_block
    assert first == max(1, archive.view.final.header.height - keep)
    assert rest.pop(schema.META_PRUNED, None) == (None if first == 1 else schema.encode_height(first - 1))
    assert rest.items() <= whole.items()
    old = {schema.encode_height(height) + archive.view.get_block_id(Height(height)) for height in range(1, first)}
    for key in whole.keys() - rest.keys():
        assert key[:1] in REMOVED
        height = schema.decode_height(key[-12:-4])
        assert key[1:] in old if key[:1] in REMOVED[:3] else height < first
    assert not any(key[1:] in old for key in rest if key[:1] in REMOVED[:3])
