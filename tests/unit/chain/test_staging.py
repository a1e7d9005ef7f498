"""Blocks added together leave the same database as one by one, in one batch, and readers always see one block's
state.
"""

from pathlib import Path
from unittest.mock import patch

import pytest

from inos.chain import schema
from inos.chain.checked import CheckedBlock
from inos.chain.errors import ChainError
from inos.chain.opening import load_index, open_database
from inos.chain.staging import StagedState, Staging
from inos.consensus.records import Kind, StateKey, parse_queue_key
from inos.consensus.state import StateView
from inos.consensus.statetree import compute_state_root
from inos.primitives.errors import MatrixMissing, ParentMissing, RuleViolation, VerdictMissing
from inos.primitives.transactions import ClaimJob, SubmitResult
from inos.primitives.units import JobId
from support.chain_maker import (
    ALICE,
    BOB,
    NOW,
    Branch,
    compute_tx_id,
    dump,
    dump_chain,
    feed,
    make_post,
    make_result_ref,
)
from support.consensus_lab import Records, edit


def make_branch(count: int = 12) -> Branch:
    branch = Branch()
    for number in range(count):
        paid = [branch.pay(ALICE, BOB.address, 5 + number, ahead=ahead) for ahead in range(number % 3)]
        branch.grow(*paid)
    return branch


def check(block, witness):
    return CheckedBlock(block, witness, tuple(map(compute_tx_id, block.transactions)))


def give(ledger, blocks):
    return ledger.add_checked_blocks([check(made.block, made.witness) for made in blocks], NOW)


def test_a_batch_leads_where_single_blocks_lead(tmp_path: Path):
    branch = make_branch()
    single, batch = branch.open_ledger(tmp_path / "a"), branch.open_ledger(tmp_path / "b")
    feed(single, branch.blocks)
    before = batch.view.tip
    with patch.object(batch._db, "write", wraps=batch._db.write) as write:
        outcome, errors = give(batch, branch.blocks)
    assert write.call_count == 1
    assert outcome.connected == tuple(made.id for made in branch.blocks)
    assert errors == (None,) * len(branch.blocks)
    assert dump(batch) == dump(single)
    assert before.header.height == 0
    assert batch.view.tip.id == branch.tip_id
    assert give(batch, branch.blocks)[1] == (None,) * len(branch.blocks)
    single.close()
    batch.close()


def test_what_the_disk_refuses_is_neither_shown_nor_lost(tmp_path: Path):
    branch = make_branch()
    ledger = branch.open_ledger(tmp_path / "a")
    feed(ledger, branch.blocks[:2])
    stored = dump(ledger)
    with (
        patch.object(ledger._db, "write", side_effect=ChainError("database-io", "full")),
        pytest.raises(ChainError),
    ):
        give(ledger, branch.blocks[2:6])
    assert ledger.view.tip.header.height == 2
    assert dump(ledger) == stored
    assert ledger.view.state.get_account(ALICE.address).nonce == branch.blocks[1].block.header.height - 1
    # The next try writes both what was refused and what is new.
    give(ledger, branch.blocks[6:])
    assert ledger.view.tip.id == branch.tip_id
    ledger.close()
    again = branch.open_ledger(tmp_path / "a")
    assert again.view.tip.id == branch.tip_id
    again.check()
    again.close()


@pytest.mark.parametrize("writes", [0, 5, 12, 13, 20])
def test_a_process_killed_between_batches_stands_on_one_block(tmp_path: Path, writes: int):
    branch = make_branch()
    ledger = branch.open_ledger(tmp_path / "a")
    with patch("inos.chain.staging.FULL_BYTES", 1):
        original, done = ledger._db.write, 0

        def die(changes, **options):
            nonlocal done
            if done == writes:
                raise KeyboardInterrupt
            done += 1
            original(changes, **options)

        with patch.object(ledger._db, "write", side_effect=die), pytest.raises(KeyboardInterrupt):
            give(ledger, branch.blocks)
    ledger.close()
    with open_database(tmp_path / "a", branch.genesis, is_durable=False) as database:
        # It checks that the state tree is that of the tip.
        height = load_index(database, branch.params, branch.genesis).tip.height
    # One write for each body, then one for each block's effects.
    assert height == max(0, writes - len(branch.blocks))
    again = branch.open_ledger(tmp_path / "a")
    # It goes on from there to the best block whose body was stored.
    again.check()
    fresh = branch.open_ledger(tmp_path / "b")
    feed(fresh, branch.blocks[: again.view.tip.header.height])
    assert dump_chain(again) == dump_chain(fresh)
    again.close()
    fresh.close()


def test_each_block_of_a_batch_is_told_its_fate(tmp_path: Path):
    branch = make_branch(4)
    wrong = branch.draft(state_root=bytes(32))
    below = Branch().grow()
    child = edit(wrong.block, height=6, parent=wrong.id)
    ledger = branch.open_ledger(tmp_path / "a")
    blocks = [check(made.block, made.witness) for made in (*branch.blocks, wrong)]
    orphan = branch.fork()
    orphan.grow_by(2)
    blocks += [check(child, wrong.witness), check(orphan.blocks[-1].block, orphan.blocks[-1].witness)]
    outcome, errors = ledger.add_checked_blocks(blocks, NOW)
    assert len(outcome.connected) == 4
    assert errors[:4] == (None,) * 4
    assert isinstance(errors[4], RuleViolation)
    assert errors[4].code == "bad-state-root"
    assert isinstance(errors[5], RuleViolation)
    assert isinstance(errors[6], ParentMissing)
    assert ledger.view.get_status(wrong.id).startswith("invalid: [bad-state-root]")
    with pytest.raises(RuleViolation):
        ledger.add_block(wrong.block, wrong.witness, NOW)
    assert below.block.header.height == 1
    ledger.close()


@pytest.mark.parametrize("most", [1 << 16, 40])
def test_readers_remember_what_is_stored_at_their_tip(tmp_path: Path, most: int):
    """Records are read at each tip, changed by the next blocks, and undone by a longer branch."""
    branch = make_branch(6)
    longer = branch.fork(4)
    for number in range(7):
        longer.grow(longer.pay(BOB, ALICE.address, 1 + number))
    ledger = branch.open_ledger(tmp_path)
    with patch("inos.chain.staging.RECENT_KEYS", most), patch("inos.chain.reading.RECENT_KEYS", most):
        for made in (*branch.blocks, *longer.blocks[2:]):
            reader = ledger.view.reader
            assert all(reader.get(key) == value for key, value in reader.iterate_records())
            assert reader.get(StateKey(b"nothing")) is None
            reader.compute_root({StateKey(b"nothing"): b"some"})
            feed(ledger, [made])
            stored = dump(ledger)
            remembered = ledger.view.reader._recent
            assert remembered == {key: stored.get(key) for key in remembered}
            assert len(remembered) <= most
            assert remembered or most == 40
    assert ledger.view.tip.id == longer.tip_id
    ledger.close()


class Nothing:
    """A node without any matrix."""

    def get_verdict(self, product):
        raise MatrixMissing((product.y.id,))


def test_blocks_that_wait_for_matrices_are_stored_and_said_so(tmp_path: Path):
    branch = Branch()
    post = branch.sign(ALICE, make_post(1, reward=100, deadline=20, claim_window=5, max_burn=10**6))
    job = JobId(compute_tx_id(post))
    branch.grow(post)
    branch.grow(branch.sign(BOB, ClaimJob(job)))
    branch.grow(branch.sign(BOB, SubmitResult(job, make_result_ref())))
    branch.grow()
    ledger = branch.open_ledger(tmp_path / "a", Nothing())
    outcome, errors = give(ledger, branch.blocks)
    assert [len(outcome.connected), *errors[:2]] == [2, None, None]
    assert all(isinstance(error, VerdictMissing) for error in errors[2:])
    assert outcome.missing == (make_result_ref().id,)
    assert ledger.view.get_status(branch.tip_id) == "stored"
    ledger.close()


def test_staged_changes_are_read_before_they_are_written(tmp_path: Path):
    branch = Branch()
    ledger = branch.open_ledger(tmp_path / "a")
    staging = Staging(ledger._db)
    ledger._db.write({b"zold": b"1", b"zgone": b"1"})
    staging.write({b"zold": b"2", b"zgone": None, b"znew": b"3"})
    assert [staging.get(key) for key in (b"zold", b"zgone", b"znew")] == [b"2", None, b"3"]
    assert [ledger._db.get(key) for key in (b"zold", b"zgone", b"znew")] == [b"1", b"1", None]
    staging.flush()
    assert [ledger._db.get(key) for key in (b"zold", b"zgone", b"znew")] == [b"2", None, b"3"]
    assert compute_state_root(dict(ledger.view.reader.iterate_records())) == ledger.view.tip.header.state_root
    ledger.close()


def test_staged_state_is_read_in_the_order_of_keys(tmp_path: Path):
    """This holds before and after a flush, with records of one kind and of its neighbours."""
    branch = Branch()
    ledger = branch.open_ledger(tmp_path / "a")
    staging = Staging(ledger._db)
    state = StagedState(staging)
    keys = [StateKey(bytes([Kind.DUE, n])) for n in range(5)]
    staging.write({schema.state_key(keys[n]): b"old" for n in (1, 3)})
    staging.flush()
    staging.write(
        {
            schema.state_key(keys[0]): b"new",
            schema.state_key(keys[1]): None,
            schema.state_key(keys[4]): b"new",
            schema.state_key(StateKey(bytes([Kind.MARKET, 7]))): b"other",
            schema.state_key(StateKey(bytes([Kind.DEADLINE, 7]))): b"other",
        }
    )
    whole = [(keys[0], b"new"), (keys[3], b"old"), (keys[4], b"new")]
    for _ in range(2):
        assert list(state.iterate(bytes([Kind.DUE]))) == whole
        assert list(state.iterate(bytes([Kind.DUE]), keys[1])) == whole[1:]
        assert list(state.iterate(bytes([Kind.DUE]), keys[3])) == whole[1:]
        staging.flush()
    ledger.close()


def test_past_states_and_readers_are_read_in_the_order_of_keys(tmp_path: Path):
    """Jobs wait for their deadlines in a queue; the state two blocks ago has one fewer than the tip's."""
    branch = Branch()
    ledger = branch.open_ledger(tmp_path / "a")
    for n in range(3):
        branch.grow(branch.sign(ALICE, make_post(1, deadline=19 - n, max_burn=10**6)))
    give(ledger, branch.blocks)
    read = [list(reader.iterate(bytes([Kind.DEADLINE]))) for reader in (ledger.view.state, ledger.view.get_past(1))]
    heights = [[parse_queue_key(key)[0] for key, _ in found] for found in read]
    assert heights == [[18, 19, 20], [20]]
    first = read[0][1][0]
    assert list(ledger.view.state.iterate(bytes([Kind.DEADLINE]), first)) == read[0][1:]
    assert (
        list(StateView(Records(dict(ledger.view.reader.iterate_records()))).iterate(bytes([Kind.DEADLINE]))) == read[0]
    )
    ledger.close()


def test_a_record_below_the_lowest_one_read_is_found(tmp_path: Path):
    """Undoing a block restores the front of a queue that was read from a later key."""
    ledger = Branch().open_ledger(tmp_path / "a")
    staging = Staging(ledger._db)
    state, prefix = StagedState(staging), bytes([Kind.DUE])
    keys = [StateKey(prefix + bytes([n])) for n in range(5)]
    staging.write({schema.state_key(key): b"1" for key in keys[1:]})
    assert next(state.iterate(prefix))[0] == keys[1]
    staging.write({schema.state_key(key): None for key in keys[1:3]})
    staging.flush()
    assert next(state.iterate(prefix))[0] == keys[3]
    assert staging.get_floors()[StateKey(prefix)] == keys[3]
    staging.write({schema.state_key(keys[0]): b"1"})
    assert [key for key, _ in state.iterate(prefix)] == [keys[0], *keys[3:]]
    staging.flush()
    assert [key for key, _ in state.iterate(prefix)] == [keys[0], *keys[3:]]
    ledger.close()


def test_a_kind_without_records_is_not_sought_in_the_database_again(tmp_path: Path):
    ledger = Branch().open_ledger(tmp_path / "a")
    staging = Staging(ledger._db)
    state, prefix = StagedState(staging), bytes([Kind.DUE])
    key = StateKey(prefix + b"1")
    assert list(state.iterate(prefix)) == []
    with patch.object(ledger._db, "iterate", side_effect=AssertionError("the database is asked again")):
        assert list(state.iterate(prefix)) == []
    staging.write({schema.state_key(key): b"new"})
    assert list(state.iterate(prefix)) == [(key, b"new")]
    staging.flush()
    assert list(state.iterate(prefix)) == [(key, b"new")]
    staging.write({schema.state_key(key): None})
    for _ in range(2):
        assert list(state.iterate(prefix)) == []
        staging.flush()
    staging.write({schema.state_key(key): b"again"})
    assert list(state.iterate(prefix)) == [(key, b"again")]
    ledger.close()


def test_a_tree_that_takes_too_much_memory_is_read_anew(tmp_path: Path):
    branch = make_branch()
    plain, small = branch.open_ledger(tmp_path / "a"), branch.open_ledger(tmp_path / "b")
    feed(plain, branch.blocks)
    with patch("inos.chain.staging.TREE_BYTES", 0):
        for made in branch.blocks:
            tree = small._chain.staging._tree
            give(small, [made])
            assert small._chain.staging._tree is not tree
    assert dump(small) == dump(plain)
    plain.close()
    small.close()


def test_nodes_that_the_disk_refused_are_written_with_the_next_blocks(tmp_path: Path):
    branch = make_branch()
    plain, ledger = branch.open_ledger(tmp_path / "a"), branch.open_ledger(tmp_path / "b")
    feed(plain, branch.blocks)
    with (
        patch.object(ledger._db, "write", side_effect=ChainError("database-io", "the disk is full", hint="free some")),
        pytest.raises(ChainError),
    ):
        give(ledger, branch.blocks[:5])
    give(ledger, branch.blocks[5:])
    ledger.check()
    assert dump(ledger) == dump(plain)
    plain.close()
    ledger.close()


def test_a_damaged_node_loses_no_changed_one(tmp_path: Path):
    """The nodes of earlier blocks are staged before the tree is read anew."""
    ledger = make_branch().open_ledger(tmp_path / "a")
    staging = Staging(ledger._db)
    first = staging.update_tree({StateKey(b"\x01a"): b"1"})
    staging.commit_tree()
    with (
        patch.object(staging._tree, "update", side_effect=ChainError("database-damaged", "no tree", hint="none")),
        pytest.raises(ChainError),
    ):
        staging.update_tree({StateKey(b"\x01b"): b"2"})
    assert staging.update_tree({}).root == first.root
    staging.flush()
    assert Staging(ledger._db).update_tree({}).root == first.root
    ledger.close()
