"""Tests the pool's books on disk: what they refuse, and that a damaged database is refused or whole."""

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inos.primitives.codec import decode
from inos.primitives.errors import InosError
from inos.primitives.transactions import Transaction
from inos.primitives.units import Address, BlockId, Height, JobId, Nano, Tickets, TimeMs
from inos.workers.pool.books import Books
from inos.workers.pool.errors import PoolError
from inos.workers.pool.incomes import divide_income
from inos.workers.pool.records import Head, IncomeState
from inos.workers.pool.split import iterate_parts
from inos.workers.pool.store import PoolStore
from inos.workers.pool.window import MAX_ADDRESSES
from support.pool_lab import CREDIT, GENESIS, MEMBERS, OWN, PoolLab, copy_as_killed, make_worker

A, B, C = MEMBERS[:3]
JOB = JobId(b"\x33" * 32)


def fill(lab: PoolLab, rounds: int = 3) -> None:
    """Let members earn and be paid, so that every kind of record is there."""
    for number in range(rounds):
        for at, member in enumerate(MEMBERS):
            lab.share(member, 100 + at)
        lab.pool.add_piece(make_worker(A), JOB, 10, TimeMs(5))
        lab.chain.mine(CREDIT * (number + 1))
        lab.pool.follow()
    lab.ripen()


async def pay(lab: PoolLab) -> None:
    await lab.pool.pay()
    lab.chain.mine(0, *lab.node.take())
    lab.ripen()


async def test_earnings_are_paid_to_the_nano(tmp_path: Path) -> None:
    lab = PoolLab(tmp_path / "pool")
    lab.share(A, 600)
    lab.share(B, 300)
    lab.share(C, 100)
    lab.chain.mine(10 * CREDIT)
    lab.pool.follow()
    assert lab.pool.books.get_member(A).earned == 0  # the block may still be undone
    lab.ripen()
    books = lab.pool.books
    assert [books.get_member(each).owed for each in (A, B, C)] == [5_940_000_000, 2_970_000_000, 990_000_000]
    assert books.head.kept == CREDIT // 10
    await lab.pool.pay()
    (tx,) = lab.node.take()
    assert [books.get_member(each).owed for each in (A, B, C)] == [0, 0, 0]
    assert books.get_member(A).pending == 5_940_000_000
    lab.chain.mine(0, tx)
    lab.ripen()
    assert [books.get_member(each).paid for each in (A, B, C)] == [5_940_000_000, 2_970_000_000, 990_000_000]
    assert lab.chain.get_balance(OWN) == CREDIT // 10
    books.check_invariants()


async def test_nothing_is_paid_while_the_fee_is_above_a_hundredth(tmp_path: Path) -> None:
    lab = PoolLab(tmp_path / "pool")
    fill(lab)
    lab.node.fee_each = CREDIT // 100
    await lab.pool.pay()
    assert lab.node.waiting == {}
    lab.node.fee_each = 1000
    await lab.pool.pay()
    assert len(lab.node.waiting) == 1


async def test_a_payout_that_is_refused_is_sent_again(tmp_path: Path) -> None:
    lab = PoolLab(tmp_path / "pool")
    fill(lab)
    lab.node.is_refusing = True
    await lab.pool.pay()
    ((_, sent),) = lab.pool.books.list_sent()
    lab.move(tmp_path / "after")
    assert lab.pool.books.list_sent() == [(0, sent)]
    lab.node.is_refusing = False
    await lab.pool.pay()
    assert set(lab.node.waiting) == {sent.id}
    assert lab.pool.books.head.payouts == 1


async def test_a_payout_whose_nonce_went_elsewhere_is_owed_again(tmp_path: Path) -> None:
    lab = PoolLab(tmp_path / "pool")
    fill(lab)
    owed = {each: lab.pool.books.get_member(each).owed for each in MEMBERS}
    await lab.pool.pay()
    (tx,) = lab.node.take()
    other = lab.node.sign(tx.payload, 1)  # the same nonce
    assert other[2] == tx.nonce
    lab.chain.mine(0, decode(Transaction, other[0], limit=1 << 16))
    lab.ripen(50)
    assert lab.pool.books.get_member(A).pending == owed[A]
    lab.ripen(100)
    assert {each: lab.pool.books.get_member(each).owed for each in MEMBERS} == owed
    lab.pool.books.check_invariants()


def test_an_undone_block_takes_its_reward_back_even_when_it_was_earned(tmp_path: Path) -> None:
    lab = PoolLab(tmp_path / "pool", fee_ppm=0)
    lab.share(A, 10)
    lab.chain.mine(5 * CREDIT)
    lab.ripen()
    assert lab.pool.books.get_member(A).owed == 5 * CREDIT
    undone = lab.chain.undo(101)
    lab.ripen(120)
    assert lab.pool.books.get_member(A).owed == 0
    assert lab.pool.books.list_open_incomes()[0][1].state is IncomeState.UNDONE
    lab.chain.undo(120)
    lab.chain.blocks += undone
    lab.ripen(130)
    assert lab.pool.books.get_member(A).owed == 5 * CREDIT
    assert lab.pool.books.head.incomes == 1
    lab.pool.books.check_invariants()


async def test_what_was_paid_of_an_undone_block_is_owed_to_the_pool(tmp_path: Path) -> None:
    lab = PoolLab(tmp_path / "pool", fee_ppm=0)
    lab.share(A, 10)
    lab.chain.mine(CREDIT)
    lab.ripen()
    await pay(lab)
    lab.chain.undo(lab.chain.height)
    lab.ripen(5)
    member = lab.pool.books.get_member(A)
    assert (member.earned, member.owed) == (0, -CREDIT)
    lab.pool.books.check_invariants()


def test_a_jobs_reward_goes_to_those_who_delivered_and_not_to_shares(tmp_path: Path) -> None:
    lab = PoolLab(tmp_path / "pool")
    lab.share(C, 5000)
    lab.chain.jobs[JOB] = 1000
    for member, tickets, connection in ((A, 300, 1), (B, 100, 2), (A, 100, 3)):
        lab.pool.add_piece(make_worker(member, connection), JOB, tickets, TimeMs(5))
    lab.pool.add_piece(make_worker(C, 4), None, 400, TimeMs(5))  # of a job of the node's own
    lab.chain.mine(0, jobs={JOB: Nano(CREDIT)})
    lab.ripen()
    books = lab.pool.books
    assert [books.get_member(each).earned for each in (A, B, C)] == [396_000_000, 99_000_000, 0]
    assert books.head.kept == CREDIT - 495_000_000
    books.check_invariants()


def test_rows_without_noise_are_not_paid(tmp_path: Path) -> None:
    lab = PoolLab(tmp_path / "pool")
    cheat = make_worker(A, 1)
    lab.pool.get_share_target(cheat)
    for _ in range(200):
        lab.pool.add_piece(cheat, JOB, 20_000, TimeMs(5))
    assert not lab.pool.may_take_pieces(cheat)
    assert lab.pool.may_take_pieces(make_worker(A, 2))
    lab.pool.remove_worker(cheat)
    lab.move(tmp_path / "after")
    assert not lab.pool.may_take_pieces(cheat)
    (part,) = lab.pool.books.list_pieces(JOB)
    assert part.amount < 100 * 20_000


def test_other_networks_and_accounts_are_refused(tmp_path: Path) -> None:
    Books(tmp_path / "pool", GENESIS, OWN).close()
    PoolLab(tmp_path / "other").pool.books.close()
    lab = PoolLab(tmp_path / "pool")
    fill(lab, 1)
    lab.pool.books.close()
    for genesis, address, code in (
        (BlockId(bytes(32)), OWN, "pool-of-another-network"),
        (GENESIS, A, "pool-of-another-account"),
    ):
        with pytest.raises(PoolError) as caught:
            Books(tmp_path / "pool", genesis, address)
        assert caught.value.code == code
    Books(tmp_path / "pool", GENESIS, OWN).close()


def test_two_processes_cannot_open_one_pool(tmp_path: Path) -> None:
    lab = PoolLab(tmp_path / "pool")
    with pytest.raises(InosError) as caught:
        Books(tmp_path / "pool", GENESIS, OWN)
    assert caught.value.code == "database-in-use"
    lab.pool.books.close()


def open_or_refuse(path: Path) -> Books | None:
    """Open the books, or return None if they are refused with an error that says so."""
    try:
        return Books(path, GENESIS, OWN)
    except InosError as error:
        is_plain = error.code in ("database-damaged", "pool-damaged", "database-io")
        if not is_plain:
            raise
        return None


def link_all_but(source: Path, target: Path, name: str) -> None:
    """Make a folder with the same files by hard links, which the database only reads, but one."""
    target.mkdir()
    for path in source.iterdir():
        if path.name not in (name, "LOCK", "LOG", "LOG.old"):
            os.link(path, target / path.name)


@pytest.fixture
def fast_folder(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder in memory where the system has one, since thousands of databases are opened in it."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


async def test_a_database_cut_off_at_any_byte_is_that_of_a_moment_or_refused(
    fast_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database has every kind of record, in a log and in tables, and each of its files is cut at every byte."""
    heads, write = set[Head](), PoolStore.write

    def note(store: PoolStore, changes: Any, **options: Any) -> None:
        write(store, changes, **options)
        heads.update(each for each in changes.values() if isinstance(each, Head))

    monkeypatch.setattr(PoolStore, "write", note)
    lab = PoolLab(fast_folder / "pool")
    for turn in range(3):
        for member in (A, B):
            lab.share(member, 100)
        lab.pool.add_piece(make_worker(A), JOB, 10, TimeMs(5))
        lab.chain.mine(CREDIT)
        lab.pool.follow()
        lab.chain.final_height = lab.chain.height
        lab.pool.follow()
        await lab.pool.pay()
        if turn < 2:  # Each opening makes tables of the log.
            lab.chain.mine(0, *lab.node.take())
            lab.pool.follow()
            lab.move(fast_folder / str(turn))
    copy_as_killed(lab.folder, fast_folder / "killed")
    lab.pool.books.close()
    opened = dict.fromkeys((path.name for path in (fast_folder / "killed").iterdir()), 0)
    refused, damaged = dict(opened), fast_folder / "damaged"
    for name in sorted(opened.keys() - {"LOCK", "LOG", "LOG.old"}):
        data = (fast_folder / "killed" / name).read_bytes()
        for cut in range(len(data)):
            link_all_but(fast_folder / "killed", damaged, name)
            (damaged / name).write_bytes(data[:cut])
            found = open_or_refuse(damaged)
            if found is None:
                refused[name] += 1
            else:
                found.check_invariants()
                assert found.head in heads
                found.close()
                opened[name] += 1
            shutil.rmtree(damaged)
    log = next(name for name in opened if name.endswith(".log"))
    assert opened[log] > 100
    assert sum(refused.values()) > 1000


async def test_a_large_database_cut_off_anywhere_opens_or_is_refused(tmp_path: Path) -> None:
    lab = PoolLab(tmp_path / "pool")
    for _ in range(2):
        fill(lab)
        await pay(lab)
        lab.pool.books.close()
        lab.pool = PoolLab(tmp_path / "pool").pool  # each opening makes tables of the log
    fill(lab, 1)
    copy_as_killed(tmp_path / "pool", tmp_path / "killed")
    rng, opened, refused = random.Random(7), 0, 0
    files = [path for path in sorted((tmp_path / "killed").iterdir()) if path.name not in ("LOCK", "LOG", "LOG.old")]
    for path in files:
        size = path.stat().st_size
        cuts = {0, 1, size - 1, size // 2} | {rng.randrange(size) for _ in range(10)} if size else set()
        for cut in sorted(cuts):
            damaged = tmp_path / "damaged"
            shutil.rmtree(damaged, ignore_errors=True)
            shutil.copytree(tmp_path / "killed", damaged)
            with (damaged / path.name).open("r+b") as stream:
                stream.truncate(cut)
            found = open_or_refuse(damaged)
            refused += found is None
            if found is not None:
                found.check_invariants()
                found.close()
                opened += 1
    assert opened > 10
    assert refused > 10
    lab.pool.books.close()


@pytest.mark.parametrize("of_piece", [False, True])
def test_shares_of_one_result_are_one_write_and_count_as_if_they_came_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, of_piece: bool
) -> None:
    together, alone = PoolLab(tmp_path / "together"), PoolLab(tmp_path / "alone")
    writes, write = list[int](), PoolStore.write

    def count(store: PoolStore, changes: Any, **options: Any) -> None:
        writes.append(len(changes))
        write(store, changes, **options)

    monkeypatch.setattr(PoolStore, "write", count)
    worker, at_ms = make_worker(A), together.clock.now_ms()
    together.pool.add_shares(worker, Tickets(25), 64, at_ms, of_piece=of_piece)
    assert len(writes) == 1
    for _ in range(64):
        alone.pool.add_shares(worker, Tickets(25), 1, at_ms, of_piece=of_piece)
    for lab, name in ((together, "together"), (alone, "alone")):
        lab.move(tmp_path / f"{name} again")
    one, other = together.pool.books, alone.pool.books
    assert one.get_member(A) == other.get_member(A)
    assert (one.head.shares, one.head.tickets) == (other.head.shares, other.head.tickets) == (64, 1600)
    assert one.window.take(2000) == other.window.take(2000)
    assert [bucket.tickets for bucket in one.window.list_buckets()] == [
        bucket.tickets for bucket in other.window.list_buckets()
    ]
    assert one.get_noise(A, worker.identity) == other.get_noise(A, worker.identity)
    assert one.get_noise(A, worker.identity).weight == 1600 * of_piece
    one.close()
    other.close()


def test_an_income_is_divided_as_it_was_recorded(tmp_path: Path) -> None:
    lab = PoolLab(tmp_path / "pool")
    fill(lab, 1)
    ((_, income),) = lab.pool.books.iterate_incomes(10)
    assert {part.address for part in iterate_parts(income.parts)} == set(MEMBERS)
    assert sum(part.amount for part in divide_income(income).parts) == lab.pool.books.head.earned


def test_an_open_income_keeps_those_above_it_until_it_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inos.workers.pool.books.KEPT_RECORDS", 3)
    lab = PoolLab(tmp_path / "pool")
    lab.share(A, 10)
    for _ in range(3):
        lab.chain.mine(CREDIT)
    lab.ripen()
    lab.chain.mine(CREDIT)
    lab.pool.follow()
    lab.chain.final_height = Height(3)  # the incomes 0 to 2 are done with, number 3 is open
    for blocks in (4, 5):
        for _ in range(blocks):
            lab.chain.mine(CREDIT)
        lab.pool.follow()
    numbers = [number for number, _ in lab.pool.books.iterate_incomes(lab.pool.books.head.incomes)]
    assert numbers == list(range(12, 2, -1))
    lab.move(tmp_path / "after")
    lab.chain.final_height = Height(lab.chain.height - 2)
    lab.ripen(1)
    lab.chain.mine(CREDIT)
    lab.pool.follow()
    kept = [number for number, _ in lab.pool.books.iterate_incomes(lab.pool.books.head.incomes)]
    assert len(kept) < len(numbers)
    lab.move(tmp_path / "again")
    lab.pool.books.close()


def test_addresses_without_end_are_not_counted_and_not_kept(tmp_path: Path) -> None:
    lab = PoolLab(tmp_path / "pool", difficulty=MAX_ADDRESSES)
    books = lab.pool.books
    for number in range(MAX_ADDRESSES + 100):
        lab.share(Address(number.to_bytes(20, "big")), 1, connection=1)
    assert (len(books.members), books.head.shares, lab.pool.uncounted) == (MAX_ADDRESSES, MAX_ADDRESSES, 100)
    lab.share(Address(bytes(20)), 1, connection=1)
    lab.pool.add_own(1, TimeMs(5))
    assert books.head.tickets == MAX_ADDRESSES + 2
    lab.chain.mine(CREDIT)
    lab.pool.follow()
    lab.move(tmp_path / "after")
    ((_, income),) = lab.pool.books.iterate_incomes(1)  # the largest income can be read again
    assert len(list(iterate_parts(income.parts))) == MAX_ADDRESSES + 1
    lab.pool.books.close()


def test_a_member_that_left_the_window_without_having_earned_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inos.workers.pool.books.MAX_ADDRESSES", 2)
    lab = PoolLab(tmp_path / "pool", difficulty=100)
    lab.share(A, 10)
    lab.chain.mine(CREDIT)
    lab.ripen()
    lab.share(B, 10)
    lab.share(C, 10)
    books = lab.pool.books
    assert set(books.members) == {A, B, C}
    for _ in range(100):
        lab.share(C, 10)
    assert set(books.members) == {A, C}
    assert books.head.shares == 102
    books.check_invariants()
    lab.move(tmp_path / "after")
    assert set(lab.pool.books.members) == {A, C}
    lab.share(B, 10)
    assert lab.pool.books.get_member(B).shares == 1
    lab.pool.books.close()


def test_a_job_is_paid_to_a_bounded_number_of_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inos.workers.pool.books.MAX_ADDRESSES", 2)
    lab = PoolLab(tmp_path / "pool")
    for at, member in enumerate((A, B, C, A)):
        lab.pool.add_piece(make_worker(member, at), JOB, 10, TimeMs(5))
    assert lab.pool.books.list_pieces(JOB) == [(A, 20), (B, 10)]
    lab.pool.books.close()


def test_the_luck_of_blocks_that_are_done_with_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = PoolLab(tmp_path / "pool")
    books = lab.pool.books
    for tickets in (100, 200, 300):
        lab.share(A, tickets)
        lab.chain.mine(CREDIT, jobs={JOB: Nano(5)})
        lab.pool.follow()
    lab.chain.undo(1)
    lab.ripen()
    assert books.list_recent_blocks(100) == [(1000, 200), (1000, 100)]
    lab.chain.final_height = Height(3)
    lab.ripen(1)
    assert books.list_open_incomes() == []
    assert books.list_recent_blocks(100) == [(1000, 200), (1000, 100)]
    monkeypatch.setattr(books._store, "read_income", None)
    assert books.list_recent_blocks(100) == [(1000, 200), (1000, 100)]
    assert books.list_recent_blocks(2) == [(1000, 200)]
    books.close()
