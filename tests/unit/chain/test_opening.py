"""Tests databases that belong to another network, are in use, are damaged, or were left behind by a killed process."""

import functools
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock, patch

import msgspec
import pytest

from inos.chain import schema
from inos.chain.database import Database, plyvel
from inos.chain.errors import ChainError
from inos.chain.ledger import Ledger
from inos.primitives.bls import get_bls
from inos.primitives.errors import RuleViolation
from support.chain_maker import EASY, NOW, Branch, dump, feed
from support.disks import limit_file_size

TESTS = Path(__file__).parents[2]


def get_code(action: Callable[[], object]) -> str:
    with pytest.raises(ChainError) as caught:
        action()
    assert caught.value.message
    return caught.value.code


def test_reopened_ledger_is_where_it_was(tmp_path: Path) -> None:
    branch = Branch()
    side = branch.fork()
    ledger = branch.open_ledger(tmp_path, is_durable=True)
    feed(ledger, branch.grow_by(3))
    feed(ledger, side.grow_by(2, nonce=4))
    ledger.add_header(branch.grow().block.header, NOW)
    before, tip, best = dump(ledger), ledger.view.tip, ledger.view.best_header
    ledger.close()
    ledger.close()
    again = branch.open_ledger(tmp_path)
    assert (dump(again), again.view.tip, again.view.best_header) == (before, tip, best)
    assert again.view.get_missing_blocks(5) == [branch.tip_id]
    assert again.view.get_status(side.tip_id) == "stored"
    feed(again, side.grow_by(2, nonce=4))
    assert again.view.tip.id == side.tip_id
    again.close()


def test_other_genesis_is_refused(tmp_path: Path) -> None:
    branch = Branch()
    ledger = branch.open_ledger(tmp_path)
    feed(ledger, branch.grow_by(2))
    before = dump(ledger)
    ledger.close()
    for other in (Branch(EASY, {}), Branch(msgspec.structs.replace(EASY, max_job_lifetime=21))):
        assert get_code(functools.partial(other.open_ledger, tmp_path)) == "other-genesis"
    ledger = branch.open_ledger(tmp_path)
    assert dump(ledger) == before
    ledger.close()


def test_other_layout_is_refused(tmp_path: Path) -> None:
    branch = Branch()
    branch.open_ledger(tmp_path).close()
    codes = {b"1": "old-protocol", b"3": "old-protocol", b"6": "schema-version", b"8": "schema-version"}
    for layout, code in codes.items():
        with plyvel.DB(str(tmp_path)) as database:
            database.put(schema.META_SCHEMA, layout)
        assert get_code(lambda: branch.open_ledger(tmp_path)) == code


def test_second_handle_is_refused(tmp_path: Path) -> None:
    branch = Branch()
    ledger = branch.open_ledger(tmp_path)
    assert get_code(lambda: branch.open_ledger(tmp_path)) == "database-in-use"
    ledger.close()
    branch.open_ledger(tmp_path).close()


def test_second_process_is_refused(tmp_path: Path) -> None:
    branch = Branch()
    ledger = branch.open_ledger(tmp_path)
    script = (
        "import sys; from pathlib import Path; from inos.chain.errors import ChainError\n"
        "from support.chain_maker import Branch\n"
        "try: Branch().open_ledger(Path(sys.argv[1]))\n"
        "except ChainError as error: print(error.code)\n"
    )
    assert run_python(script, tmp_path) == "database-in-use"
    ledger.close()


def run_python(script: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=TESTS,
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def test_closed_ledger_says_so(tmp_path: Path) -> None:
    branch = Branch()
    ledger = branch.open_ledger(tmp_path)
    made = branch.grow()
    ledger.close()
    for action in (
        lambda: ledger.view.get_block(made.id),
        lambda: ledger.view.state.get_market(),
        lambda: list(ledger.view.reader.iterate_records()),
        lambda: feed(ledger, [made]),
        lambda: ledger._db.write({b"a": b"b"}),
        lambda: ledger._db.snapshot(),
    ):
        assert get_code(action) == "database-closed"


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert get_code(lambda: Database(tmp_path / "file" / "ledger", is_durable=False)) == "database-io"


def test_disk_that_refuses_a_write_stops_nothing_half_way(tmp_path: Path) -> None:
    branch = Branch()
    ledger = branch.open_ledger(tmp_path)
    feed(ledger, branch.grow_by(2))
    before, made = dump(ledger), branch.grow()
    with patch.object(ledger._db, "_db") as broken:
        broken.get.side_effect = lambda key, **_: before.get(key)
        broken.write_batch.side_effect = plyvel.IOError("No space left on device")
        assert get_code(lambda: feed(ledger, [made])) == "database-io"
    assert dump(ledger) == before
    assert ledger.view.tip.id == branch.blocks[1].id
    assert get_code(lambda: feed(ledger, [made])) == "database-io", "there is room again, but the log may be torn"
    ledger.close()
    again = branch.open_ledger(tmp_path)
    feed(again, [made, branch.grow()])
    assert again.view.tip.id == branch.tip_id
    again.check()
    again.close()


def test_disk_that_refuses_and_a_new_process(tmp_path: Path) -> None:
    branch = Branch()
    ledger = branch.open_ledger(tmp_path)
    made = branch.grow()
    with patch.object(ledger._db, "write", side_effect=ChainError("database-io", "full")):
        assert get_code(lambda: feed(ledger, [made])) == "database-io"
    ledger.close()
    again = branch.open_ledger(tmp_path)
    assert again.view.get_status(made.id) == "unknown"
    feed(again, [made])
    assert again.view.tip.id == made.id
    again.close()


def fill(path: Path) -> Branch:
    """Return a ledger with files of every kind: tables, log and manifest."""
    branch = Branch()
    ledger = branch.open_ledger(path)
    feed(ledger, branch.grow_by(40))
    ledger._db._db.compact_range()
    feed(ledger, branch.grow_by(5))
    ledger.close()
    return branch


def use_all(ledger: Ledger) -> None:
    """Read every record."""
    try:
        ledger.check()
        dump(ledger)
        for height in range(ledger.view.tip.header.height + 1):
            block_id = ledger.view.get_block_id(height)  # type: ignore[arg-type]
            assert block_id is not None
            assert ledger.view.get_block(block_id) is not None
    finally:
        ledger.close()


@pytest.mark.parametrize("what", ["*.ldb", "MANIFEST-*", "CURRENT"])
@pytest.mark.parametrize("how", ["cut", "flip", "empty", "gone"])
def test_damage_is_told_and_never_read_over(tmp_path: Path, what: str, how: str) -> None:
    branch = fill(tmp_path)
    for path in tmp_path.glob(what):
        data = bytearray(path.read_bytes())
        match how:
            case "cut":
                path.write_bytes(data[: len(data) // 2])
            case "flip":
                for at in range(len(data) // 50, len(data), max(1, len(data) // 50)):
                    data[at] ^= 0x55
                path.write_bytes(data)
            case "empty":
                path.write_bytes(b"")
            case "gone":
                path.unlink()
    assert get_code(lambda: use_all(branch.open_ledger(tmp_path))) == "database-damaged"


def test_damage_that_a_running_node_meets_is_remembered(tmp_path: Path) -> None:
    with Database(tmp_path, is_durable=False) as database:
        database.write({b"k": b"v"})
        assert database.trouble is None
        real = database._db
        broken = SimpleNamespace(get=Mock(side_effect=plyvel.CorruptionError(b"Corruption: block checksum mismatch")))
        database._db = broken
        assert get_code(lambda: database.get(b"k")) == "database-damaged"
        database._db = real
        assert database.get(b"k") == b"v"
        assert database.trouble is not None, "a damaged file does not heal"
        assert "start again" in database.trouble.hint
        assert get_code(lambda: database.write({b"k": b"new"})) == "database-damaged"


def test_nothing_is_written_behind_a_write_that_the_disk_refused(tmp_path: Path) -> None:
    """LevelDB itself would go on, and find its log unreadable at the next start."""

    written = 0

    def write_one() -> None:
        nonlocal written
        database.write({b"k%d" % written: written.to_bytes(4) * 250})
        written += 1

    def write_many() -> None:
        for _ in range(1000):
            write_one()

    with Database(tmp_path, is_durable=False) as database:
        with limit_file_size(100_000):
            assert get_code(write_many) == "database-io"
        assert 0 < written < 1000
        assert get_code(write_one) == "database-io", "also when the disk has room again"
        assert database.get(b"k0") is not None, "reading goes on"
    with Database(tmp_path, is_durable=False) as database:
        assert database.trouble is None
        for number in range(written):
            assert database.get(b"k%d" % number) == number.to_bytes(4) * 250
        write_one()


def test_lost_records_are_told(tmp_path: Path) -> None:
    """The files of the database are intact, but its records contradict each other."""
    branch = fill(tmp_path)
    last = branch.blocks[-1]
    for key in (
        schema.block_key(branch.height, last.id),
        schema.header_key(branch.height, last.id),
        schema.active_key(branch.height),
    ):
        with plyvel.DB(str(tmp_path)) as database:
            value = database.get(key)
            database.delete(key)
        assert get_code(lambda: branch.open_ledger(tmp_path)) == "database-damaged"
        with plyvel.DB(str(tmp_path)) as database:
            database.put(key, value)
    with plyvel.DB(str(tmp_path)) as database:
        database.delete(schema.undo_key(branch.height, last.id))
        database.put(schema.block_key(4, branch.blocks[3].id), b"\x93")
    ledger = branch.open_ledger(tmp_path)
    assert get_code(lambda: ledger.view.get_block(branch.blocks[3].id)) == "database-damaged"
    ledger.close()
    ledger = branch.open_ledger(tmp_path)
    side = branch.fork(1)
    feed(ledger, [side.grow(nonce=9)])
    assert get_code(lambda: feed(ledger, [side.grow(nonce=9)])) == "database-damaged"
    ledger.close()


def test_lost_header_of_another_branch_is_fetched_again(tmp_path: Path) -> None:
    """A power failure may lose headers that were not synced and on which no connected block depends."""
    branch = Branch()
    side = branch.fork()
    ledger = branch.open_ledger(tmp_path)
    feed(ledger, branch.grow_by(2))
    blocks = side.grow_by(4, nonce=8)
    for made in blocks:
        ledger.add_header(made.block.header, NOW)
    ledger.close()
    with plyvel.DB(str(tmp_path)) as database:
        database.delete(schema.header_key(2, blocks[1].id))
    ledger = branch.open_ledger(tmp_path)
    assert [ledger.view.get_status(made.id) for made in blocks] == ["header", "unknown", "unknown", "unknown"]
    feed(ledger, blocks)
    assert ledger.view.tip.id == side.tip_id
    ledger.close()
    again = branch.open_ledger(tmp_path)
    assert again.view.tip.id == side.tip_id
    again.check()
    again.close()


def test_block_stored_before_a_kill_is_connected_at_the_start(tmp_path: Path) -> None:
    branch = Branch()
    side = branch.fork()
    ledger = branch.open_ledger(tmp_path)
    feed(ledger, branch.grow_by(1))
    blocks = side.grow_by(2, nonce=6)
    feed(ledger, blocks[:1])
    # Killed between two batches of the reorganisation: stored, not connected.
    with (
        patch.object(ledger._chain, "disconnect", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        feed(ledger, blocks[1:])
    ledger.close()
    again = branch.open_ledger(tmp_path)
    assert again.view.tip.id == side.tip_id
    again.check()
    again.close()


def test_wrong_genesis_records_are_refused(tmp_path: Path) -> None:
    branch = Branch()
    genesis = msgspec.structs.replace(branch.genesis, records={})
    with pytest.raises(RuleViolation) as caught:
        Ledger.open(tmp_path, EASY, genesis, results=branch.products, bls=get_bls())
    assert caught.value.code == "bad-state-root"
    branch.open_ledger(tmp_path).close()


CONNECT_FOR_EVER = """
import secrets, sys
from pathlib import Path
from support.chain_maker import Branch, MadeBlock, feed

branch = Branch()
ledger = branch.open_ledger(Path(sys.argv[1]), is_durable=True)
for height in range(1, ledger.view.tip.header.height + 1):
    block_id = ledger.view.get_block_id(height)
    branch.append(MadeBlock(ledger.view.get_block(block_id), ledger.view.get_witness(block_id)))
print("ready", flush=True)
while True:
    feed(ledger, [branch.grow(nonce=secrets.randbits(32)) for _ in range(3)])
    side = branch.fork(2)
    feed(ledger, [side.grow(nonce=secrets.randbits(32)) for _ in range(3)])
    branch = side
"""


@pytest.mark.timeout(120)
def test_killed_ten_times_while_connecting(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Each time the ledger opens with the state of some block, never below the last synced one."""
    rng = random.Random(str(pytestconfig.getoption("--hypothesis-seed")))
    branch = Branch()
    height = kills = 0
    while kills < 10 or height <= 10:  # on a busy machine ten lives may be too short for ten blocks
        kills += 1
        process = subprocess.Popen(
            [sys.executable, "-c", CONNECT_FOR_EVER, str(tmp_path)],
            cwd=TESTS,
            env=os.environ | {"PYTHONPATH": str(TESTS)},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(rng.uniform(0, 0.3))
        finally:
            process.kill()
            process.communicate(timeout=60)
        ledger = branch.open_ledger(tmp_path)
        ledger.check()
        assert ledger.view.tip.header.height >= height
        height = ledger.view.tip.header.height
        assert ledger.view.get_block_id(height) == ledger.view.tip.id  # type: ignore[arg-type]
        assert ledger.view.get_block(ledger.view.tip.id) is not None
        assert ledger.view.get_status(ledger.view.tip.id) == "connected"
        assert ledger.view.get_missing_blocks(5) == []
        ledger.close()
