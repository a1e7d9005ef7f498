"""Several workers multiply one product: every strip is kept once, although workers are late, stop or come twice."""

import asyncio
import random
import threading
from typing import Any

import numpy as np
import pytest

from inos.miner.product import Product
from inos.miner.split import MAX_WAITING_BYTES, OWN, SplitProduct
from inos.miner.stats import MinerStats
from inos.primitives.errors import InosError
from inos.primitives.units import JobId
from inos.work import Operand

JOB = JobId(b"\x01" * 32)


class HandClock:
    """Its time is what the test says."""

    def __init__(self) -> None:
        self.now = 100.0

    def now_ms(self) -> Any:
        return 0

    def monotonic(self) -> float:
        return self.now


def make(rows: int = 160, cols: int = 48) -> tuple[SplitProduct, HandClock, Any]:
    generator = np.random.default_rng(1)
    x, w = (generator.integers(-64, 64, (count, 100), np.int8) for count in (rows, cols))
    clock = HandClock()
    split = SplitProduct(Product(Operand.commit(x), Operand.commit(w)), JOB, MinerStats(), clock)
    return split, clock, x.astype(np.int32) @ w.astype(np.int32).T


async def test_one_taker_alone_gets_slices_in_order() -> None:
    split, _, y = make()
    for first in range(0, 10, 2):
        assert split.take(OWN, 6, 100.0, 100.0) == (first, first + 2)
        assert await split.finish(OWN, first, first + 2, y[16 * first : 16 * first + 32])
    assert split.take(OWN, 6, 100.0, 100.0) is None
    assert np.array_equal(split.product.result(), y)


async def test_rows_that_come_out_of_order_wait_for_those_above() -> None:
    split, _, y = make()
    assert [split.take(taker, 15, 1.0, 1.0) for taker in (1, 2)] == [(0, 5), (5, 10)]
    assert await split.finish(2, 5, 10, y[80:])
    assert split.product.strips_done == 0
    assert await split.finish(1, 0, 5, y[:80])
    assert np.array_equal(split.product.result(), y)


async def test_strips_given_back_come_first_and_twice_is_once() -> None:
    split, _, _ = make()
    assert split.take(1, 9, 1.0, 1.0) == (0, 3)
    assert split.take(2, 9, 1.0, 1.0) == (3, 6)
    split.give_back(1, 0, 3)
    split.give_back(1, 0, 3)
    split.give_back(7, 3, 6)  # It never had them.
    assert split.take(3, 6, 1.0, 1.0) == (0, 2)
    assert split.take(3, 6, 1.0, 1.0) == (2, 3)
    assert split.take(3, 6, 1.0, 1.0) == (6, 8)


async def test_a_late_part_goes_to_another_and_the_first_result_counts() -> None:
    split, clock, y = make()
    assert split.take(1, 30, 10.0, 10.0) == (0, 10)  # 30 tickets at 10 a second: 3 s
    clock.now += 5.9
    assert split.is_taken
    assert split.take(2, 30, 10.0, 10.0) is None
    clock.now += 0.2
    assert not split.is_taken
    assert split.take(1, 30, 10.0, 10.0) is None  # It has them.
    assert split.take(2, 30, 10.0, 10.0) == (0, 10)
    assert split.is_open(0, 10)
    assert await split.finish(2, 0, 10, y)
    assert not split.is_open(0, 10)
    assert not await split.finish(1, 0, 10, np.zeros_like(y))
    split.give_back(1, 0, 10)
    assert np.array_equal(split.product.result(), y)


async def test_what_is_left_is_shared_by_speed() -> None:
    split, _, _ = make(rows=1600)  # 100 strips of 3 tickets
    assert split.take(1, 10**6, 30.0, 40.0) == (0, 67)  # 90 % of its three quarters
    assert split.take(2, 10**6, 10.0, 40.0) == (67, 89)  # 90 % of its quarter: the first one has just begun


async def test_what_others_have_still_to_do_counts_as_left() -> None:
    """A taker gets less of the rest, the less the others have still to do of theirs."""
    split, clock, _ = make(rows=1600)
    assert split.take(1, 10**6, 30.0, 60.0) == (0, 45)  # 135 tickets, 4.5 s
    clock.now += 1.5
    assert split.take(2, 10**6, 30.0, 60.0) == (45, 83)  # half of 0.9 x (55 + 30) strips
    clock.now += 30
    assert split.take(3, 10**6, 30.0, 60.0) == (83, 90)  # half of 0.9 x 17 strips


async def test_waiting_rows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_WAITING_BYTES >= 1 << 26
    monkeypatch.setattr("inos.miner.split.MAX_WAITING_BYTES", 4 * 16 * 48)
    split, _, y = make()
    assert split.take(1, 3, 1.0, 1.0) == (0, 1)
    assert split.take(2, 3, 1.0, 1.0) == (1, 2)
    await split.finish(2, 1, 2, y[16:32])
    assert split.take(2, 3, 1.0, 1.0) is None
    split.give_back(1, 0, 1)
    assert split.take(2, 3, 1.0, 1.0) == (0, 1)


async def test_rows_that_the_disk_refuses_are_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    split, _, y = make()
    keep = split.product.keep

    def refuse(*_: Any) -> None:
        raise InosError("disk-refuses", "no room")

    monkeypatch.setattr(split.product, "keep", refuse)
    assert split.take(1, 30, 1.0, 1.0) == (0, 10)
    with pytest.raises(InosError):
        await split.finish(1, 0, 10, y)
    monkeypatch.setattr(split.product, "keep", keep)
    assert split.take(2, 30, 1.0, 1.0) == (0, 10)
    assert await split.finish(2, 0, 10, y)
    assert np.array_equal(split.product.result(), y)


async def test_waiting_ends_when_something_changed() -> None:
    split, _, _ = make()
    split.take(1, 30, 1.0, 1.0)
    waiting = asyncio.ensure_future(split.wait(600.0))
    await asyncio.sleep(0)
    split.give_back(1, 0, 10)
    await asyncio.wait_for(waiting, 60)


@pytest.mark.parametrize("seed", range(20))
async def test_any_order_of_events_gives_the_product(seed: int) -> None:
    """Takers come, finish, give back and are late in any order; the product is exact, and every strip is kept once."""
    split, clock, y = make(rows=500)
    chance = random.Random(seed)
    held: list[tuple[int, int, int]] = []
    for _ in range(10_000):
        if split.product.is_complete:
            break
        clock.now += chance.random()
        taker = chance.randrange(5)
        if chance.random() < 0.5 and (part := split.take(taker, chance.randrange(1, 60), 5.0, 20.0)) is not None:
            held.append((taker, *part))
        elif held:
            taker, first, last = held.pop(chance.randrange(len(held)))
            if chance.random() < 0.7:
                await split.finish(taker, first, last, y[16 * first : 16 * last])
            split.give_back(taker, first, last)
    assert np.array_equal(split.product.result(), y)


def test_a_part_that_is_too_large_for_a_taker_stays_with_the_late_one() -> None:
    split, clock, _ = make()
    assert split.take(1, 30, 10.0, 10.0) == (0, 10)
    clock.now += 100
    assert split.take(2, 6, 1.0, 1.0, 0.0, 6) is None
    assert split.take(3, 6, 1.0, 1.0) == (0, 10)


async def test_rows_are_written_where_they_are_kept() -> None:
    split, _, y = make()
    assert split.take(1, 15, 1.0, 1.0) == (0, 5)
    place = await split.write_rows(1, 0, 5, lambda rows: np.copyto(rows, y[:80]))
    assert place is not None
    assert await split.finish(1, 0, 5, place)
    assert split.take(2, 15, 1.0, 1.0) == (5, 10)
    assert await split.finish(2, 5, 10, y[80:])
    assert np.may_share_memory(split.product.result(), place)
    assert np.array_equal(split.product.result(), y)


async def test_one_taker_at_a_time_writes_a_place() -> None:
    split, clock, y = make()
    split.take(1, 30, 10.0, 10.0)
    clock.now += 10
    assert split.take(2, 30, 10.0, 10.0) == (0, 10)
    assert await split.write_rows(3, 0, 10, lambda rows: rows.fill(3)) is None  # It was not given these strips.
    assert await split.write_rows(2, 0, 10, lambda rows: rows.fill(2)) is not None
    assert await split.write_rows(1, 0, 10, lambda rows: rows.fill(1)) is None
    split.give_back(2, 0, 10)  # Its rows were wrong.
    assert await split.write_rows(1, 0, 10, lambda rows: np.copyto(rows, y)) is not None
    assert await split.finish(1, 0, 10, y)
    assert await split.write_rows(1, 0, 10, lambda rows: rows.fill(1)) is None
    assert np.array_equal(split.product.result(), y)


async def test_a_slow_writer_overwrites_no_rows_of_the_next_taker() -> None:
    split, _, y = make()
    split.take(1, 30, 1.0, 1.0)
    begun, may_write = threading.Event(), threading.Event()

    def write(rows: Any) -> None:
        begun.set()
        may_write.wait()
        rows.fill(1)

    writing = asyncio.ensure_future(split.write_rows(1, 0, 10, write))
    await asyncio.to_thread(begun.wait)
    split.give_back(1, 0, 10)  # It was disconnected.
    writing.cancel()
    assert split.take(2, 9, 1.0, 1.0) == (0, 3)
    assert await split.write_rows(2, 0, 3, lambda rows: rows.fill(2)) is None
    finishing = asyncio.ensure_future(split.finish(2, 0, 3, y[:48]))
    done, _ = await asyncio.wait([finishing], timeout=0.05)
    assert not done
    may_write.set()
    assert await finishing
    assert split.take(2, 30, 1.0, 1.0) == (3, 10)
    assert await split.finish(2, 3, 10, y[48:])
    assert np.array_equal(split.product.result(), y)


async def test_rows_of_a_file_are_written_nowhere_before_they_are_checked() -> None:
    class File:
        rows_done = 0

    x = Operand.commit(np.zeros((16, 16), np.int8))
    product = Product(x, x, File())  # type: ignore[arg-type]
    split = SplitProduct(product, JOB, MinerStats(), HandClock())
    split.take(1, 1, 1.0, 1.0)
    assert await split.write_rows(1, 0, 1, lambda rows: rows.fill(1)) is None
