"""The cluster's engine over workers that are threads of this process, right ones and wrong ones."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgspec
import numpy as np
import pytest

from inos.primitives.units import U256_MAX
from inos.work import Operand, mine_strips
from inos.work.cluster import ClusterEngine, ClusterError
from inos.work.cluster.connection import Census
from inos.work.cluster.engine import _cut
from inos.work.cluster.parts import Part, multiply_part
from inos.work.freivalds import BlockCheck

ANCHOR = bytes(range(32))
LIKELY = 1 << 254


class Threads:
    """Stands in for a connection. `tamper` changes what a part returns."""

    def __init__(self, tamper: Callable[[Part], Part] = lambda part: part) -> None:
        self._pool = ThreadPoolExecutor(2)
        self._tamper = tamper
        self.stored = 0
        self.parts: list[tuple[int, int]] = []
        self.is_closed = False
        self.cancelled = 0

    def count(self, threads: int | None) -> Census:
        return Census(slots=2, threads=threads or 1)

    def store(self, array: Any) -> Any:
        self.stored += 1
        return array

    def submit(self, threads: int, order: Any, x: Any, w: Any, first: int, last: int) -> Any:
        self.parts.append((first, last))
        return self._pool.submit(lambda: self._tamper(multiply_part(order, x, w, first, last)))

    def listen(self, reference: "Future[Part]") -> "Future[Part]":
        return reference

    def read(self, future: "Future[Part]") -> Part:
        return future.result()

    def cancel(self, references: Sequence["Future[Part]"]) -> None:
        self.cancelled += len(references)

    def close(self) -> None:
        self._pool.shutdown()
        self.is_closed = True


@pytest.fixture
def operands() -> tuple[Operand, Operand]:
    rng = np.random.default_rng(5)
    x, w = (rng.integers(-64, 64, shape, np.int8) for shape in ((1000, 2100), (2050, 2100)))
    return Operand.commit(x), Operand.commit(w)


def make_engine(threads: Threads) -> ClusterEngine:
    return ClusterEngine("ray://auto", lambda _: threads)  # type: ignore[arg-type,return-value]


def test_it_draws_what_this_machine_draws(operands: tuple[Operand, Operand]) -> None:
    x, w = operands
    threads = Threads()
    engine = make_engine(threads)
    mined, alone = engine.mine_strips(x, w, ANCHOR, LIKELY, 3, 60), mine_strips(x, w, ANCHOR, LIKELY, 3, 60)
    assert mined.product is not None
    assert np.array_equal(mined.product, alone.product)  # type: ignore[arg-type]
    assert (mined.tickets, mined.is_complete) == (alone.tickets, True)
    assert {win.seal for win in mined.wins} == {win.seal for win in alone.wins} != set()
    engine.mine_strips(x, w, bytes(32), 0, 0, x.strips)
    assert threads.stored == 2, "both operands are stored once for all slices"
    assert threads.parts[0][0] == 3
    assert len([part for part in threads.parts if part[1] <= 60]) > 1, "several parts make one slice"
    engine.close()


def test_rows_that_nobody_needs_stay_there(operands: tuple[Operand, Operand]) -> None:
    x, w = operands
    returned: list[Part] = []

    def look(part: Part) -> Part:
        returned.append(part)
        return part

    engine = make_engine(Threads(look))
    mined = engine.mine_strips(x, w, ANCHOR, LIKELY, 3, 60, needs_rows=False)
    alone = mine_strips(x, w, ANCHOR, LIKELY, 3, 60)
    assert mined.product is not None
    assert mined.product.shape == (0, 2050)
    assert all(part.product is not None and part.product.nbytes == 0 for part in returned)
    assert (mined.tickets, mined.is_complete) == (alone.tickets, True)
    assert {win.seal for win in mined.wins} == {win.seal for win in alone.wins}
    engine.close()


def test_an_engine_of_matmul_keeps_the_order(operands: tuple[Operand, Operand]) -> None:
    rng = np.random.default_rng(6)
    pairs = [tuple(rng.integers(-64, 64, (n, 70), np.int8) for n in (5 + at, 33)) for at in range(9)]
    engine, used = make_engine(Threads()), dict[int, np.ndarray]()
    products = list(engine(iter(pairs), used.__setitem__))  # type: ignore[arg-type]
    for number, (product, (x, w)) in enumerate(zip(products, pairs, strict=True)):
        assert np.array_equal(product, x.astype(np.int64) @ w.T.astype(np.int64))
        assert used[number] is product
    engine.close()


def _spoil(part: Part) -> Part:
    product = np.array(part.product)
    product[-1, -1] ^= 1
    return msgspec.structs.replace(part, product=product)


def _lie(part: Part) -> Part:
    return msgspec.structs.replace(part, wins=((*part.wins[0][:3], bytes(32)),) if part.wins else ())


@pytest.mark.parametrize(
    ("tamper", "code"),
    [
        (_spoil, "cluster-wrong-rows"),
        (lambda part: msgspec.structs.replace(part, product=part.product[1:]), "cluster-wrong-rows"),
        (_lie, "cluster-wrong-ticket"),
        (lambda part: msgspec.structs.replace(part, wins=((1 << 20, 0, 0, bytes(32)),)), "cluster-wrong-ticket"),
        (lambda part: msgspec.structs.replace(part, wins=((4, 0, -1, bytes(32)),)), "cluster-wrong-ticket"),
        (lambda part: Part(None, 0, (), "m", ("product-too-large", "no memory")), "cluster-failed"),
    ],
)
def test_it_believes_no_worker(operands: tuple[Operand, Operand], tamper: Callable[[Part], Part], code: str) -> None:
    x, w = operands
    threads = Threads(tamper)
    with pytest.raises(ClusterError) as caught:
        make_engine(threads).mine_strips(x, w, ANCHOR, U256_MAX, 2, 9)
    assert caught.value.code == code
    assert threads.is_closed, "the next slice connects again"


def test_it_stops_at_once(operands: tuple[Operand, Operand]) -> None:
    x, w = operands
    release, stop = threading.Event(), threading.Event()

    def wait(part: Part) -> Part:
        assert release.wait(60)
        return part

    threads = Threads(wait)
    engine = make_engine(threads)
    stop.set()
    mined = engine.mine_strips(x, w, ANCHOR, 0, 0, x.strips, stop=stop)
    assert (mined.product, mined.is_complete, mined.wins) == (None, False, ())
    assert threads.cancelled == len(threads.parts)
    release.set()
    engine.close()


def test_parts_are_few_and_become_smaller() -> None:
    assert list(_cut(0, 240, 2, 1000)) == [(0, 80), (80, 160), (160, 200), (200, 240)]
    assert list(_cut(0, 240, 2, 3)) == [(0, 80), (80, 160), (160, 240)], "parts as small as that are too many"
    assert list(_cut(5, 6, 4, 0)) == [(5, 6)]


def test_rows_of_one_w_are_checked_by_one_check(
    operands: tuple[Operand, Operand], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, w = operands
    made = list[bytes]()

    def make(rows: Any, seed: bytes) -> BlockCheck:
        made.append(seed)
        if len(made) == 1:
            raise MemoryError("no memory")
        return BlockCheck(rows, seed)

    monkeypatch.setattr("inos.work.cluster.engine.BlockCheck", make)
    engine = make_engine(Threads())
    with pytest.raises(MemoryError):
        engine.mine_strips(x, w, ANCHOR, 0, 0, 9)
    for first in (0, 9):
        assert engine.mine_strips(x, w, ANCHOR, 0, first, first + 9).is_complete
    assert len(set(made)) == 2, "what failed is made again, and then kept"
    engine.mine_strips(w, x, ANCHOR, 0, 0, 9)
    engine.close()
    assert len(set(made)) == 3, "another W has vectors of its own"
