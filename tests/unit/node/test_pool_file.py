"""The pool's file is written while the node runs, so that a kill loses little of it."""

import asyncio
from pathlib import Path

from inos.chain.mempool import Mempool
from inos.node.pool_file import keep_pool, load_pool, save_pool
from inos.primitives.transactions import Transaction
from unit.chain.test_mempool import ALICE, BOB, EASY, add, list_transactions, pay


async def wait_for(path: Path, expected: list[Transaction]) -> None:
    async with asyncio.timeout(60):
        while sorted(map(repr, load_pool(path))) != sorted(map(repr, expected)):  # noqa: ASYNC110  # it is a file
            await asyncio.sleep(0.01)


async def test_what_came_is_on_disk_before_the_node_ends(tmp_path: Path) -> None:
    path, pool = tmp_path / "pool", Mempool(EASY)
    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(keep_pool(path, pool, every_s=0.01))
        add(pool, pay(ALICE, 0))
        await wait_for(path, list_transactions(pool))
        written = path.stat().st_mtime_ns
        await asyncio.sleep(0.1)
        assert path.stat().st_mtime_ns == written  # nothing changed, so nothing is written
        add(pool, pay(BOB, 0), pay(BOB, 1))
        await wait_for(path, list_transactions(pool))
        keeping.cancel()
    assert [tx.nonce for tx in load_pool(path)] in ([0, 0, 1], [0, 1, 0])


async def test_a_folder_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    path, pool = tmp_path / "missing" / "pool", Mempool(EASY)
    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(keep_pool(path, pool, every_s=0.01))
        add(pool, pay(ALICE, 0))
        await asyncio.sleep(0.1)
        path.parent.mkdir()
        await wait_for(path, list_transactions(pool))
        keeping.cancel()


def test_a_damaged_or_missing_file_is_an_empty_pool(tmp_path: Path) -> None:
    pool = Mempool(EASY)
    add(pool, pay(ALICE, 0))
    save_pool(tmp_path / "pool", pool)
    assert list(load_pool(tmp_path / "pool")) == list_transactions(pool)
    (tmp_path / "pool").write_bytes((tmp_path / "pool").read_bytes()[:-3])
    assert load_pool(tmp_path / "pool") == load_pool(tmp_path / "none") == ()
