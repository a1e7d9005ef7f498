"""The engine: it cuts a product into parts, and checks what the cluster's workers return."""

import secrets
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from itertools import accumulate, pairwise
from typing import Any, Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.primitives.errors import InvalidCertificate
from inos.primitives.matrices import STRIP_ROWS
from inos.primitives.units import HASH_BYTES
from inos.work.backends import AUTO
from inos.work.certificate import check_anchor, verify
from inos.work.cluster.address import ClusterError
from inos.work.cluster.connection import Connection
from inos.work.cluster.parts import Order, Part
from inos.work.engine import Finder, Mined, check_depths
from inos.work.floats import Pair, Use
from inos.work.freivalds import BlockCheck
from inos.work.matrices import Operand
from inos.work.strips import InvalidMatrix

POLL_S: Final = 0.01
"""`stop` is seen at most this much later."""
KEPT: Final = 2
"""The last operands stay in the object store: the next slice of their product reads them there."""
PARTS: Final = (2, 1)
"""Each worker has so many parts, of these sizes, if all are equally fast. There are few, since each packs W and is a
task of Ray; small ones come last, so that a slow worker takes fewer of them and all end at about the same time."""
LEAST_PART: Final = 1 << 31
"""A part of fewer multiplications, about 20 ms of one thread, would cost as much to send as to make."""
AHEAD: Final = 4
"""So many products of `inos.matmul` are under way at a time."""
NO_ANCHOR: Final = bytes(32)


class _Running(Struct, frozen=True, eq=False):
    """A slice whose parts were sent out. It holds the operands in the object store until its end."""

    x: Operand
    w: Operand
    order: Order
    first: int
    last: int
    parts: list[tuple[int, int, Any]]
    """First and last strip of each part, and its reference."""
    stored: tuple[Any, Any]
    check: "Future[BlockCheck] | None"
    """Checks rows with a secret seed; None if no rows are needed."""


class ClusterEngine:
    """Multiplies on a cluster. It connects when it is first used, and again after the cluster was gone.

    `mine_strips` is the miner's engine, and calling the object is that of `inos.matmul`. One thread uses it at a time.

    Args:
        address: ray://HEAD:10001, or ray://auto on a machine of the cluster.
        connect: makes the connection; tests give another one.
    """

    def __init__(self, address: str, connect: Callable[[str], Connection] = Connection) -> None:
        self._address = address
        self._connect = connect
        self._connection: Connection | None = None
        self._stored: OrderedDict[bytes, Any] = OrderedDict()
        self._checks = ThreadPoolExecutor(1, thread_name_prefix="cluster")
        """Makes what checks rows while the cluster multiplies."""
        self._check: tuple[bytes, Future[BlockCheck]] | None = None

    def connect(self) -> Connection:
        """Return the connection, made now if there is none.

        Raises:
            ClusterError: as `Connection`.
        """
        if self._connection is None:
            self._connection = self._connect(self._address)
        return self._connection

    def close(self) -> None:
        """Disconnect. The next use connects again."""
        self._stored.clear()
        self._check = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def mine_strips(
        self,
        x: Operand,
        w: Operand,
        anchor: bytes,
        target: int,
        first: int,
        last: int,
        *,
        backend: str = AUTO,
        threads: int | None = None,
        stop: threading.Event | None = None,
        needs_rows: bool = True,
    ) -> Mined:
        """Multiply strips [first, last) of X, as `inos.work.mine_strips` does. Rows that are not needed stay there.

        Args:
            backend: a name that every worker knows, or "auto", the best of each worker's own.
            threads: processors of one part; by default as many as the smallest machine has.

        Raises:
            InvalidMatrix, InosError: as there.
            ClusterError: the cluster is gone, its workers are lost, or what they returned is wrong.
        """
        check_anchor(anchor, target)
        check_depths(x, w)
        if not 0 <= first < last <= x.strips:
            raise InvalidMatrix("index-outside-matrix", f"X has {x.strips} strips, not {first} to {last}")
        try:
            running = self._start(x, w, (anchor, target, backend, needs_rows), first, last, threads)
            return self._finish(running, stop)
        except ClusterError:
            self.close()
            raise

    def __call__(self, pairs: Iterable[Pair], use: Use | None = None, /) -> Iterator[NDArray[Any]]:
        """Yield the product of each pair, in order; several are under way at a time.

        Raises:
            ClusterError: as `mine_strips`.
        """
        try:
            yield from self._multiply(pairs, use)
        except ClusterError:
            self.close()
            raise

    def _multiply(self, pairs: Iterable[Pair], use: Use | None) -> Iterator[NDArray[Any]]:
        waiting: deque[_Running] = deque()
        number = 0
        for x, w in pairs:
            left, right = Operand.commit(x, copy=False), Operand.commit(w, copy=False)
            waiting.append(self._start(left, right, (NO_ANCHOR, 0, AUTO, True), 0, left.strips, None))
            if len(waiting) >= AHEAD:
                yield self._hand_over(waiting.popleft(), number, use)
                number += 1
        while waiting:
            yield self._hand_over(waiting.popleft(), number, use)
            number += 1

    def _hand_over(self, running: _Running, number: int, use: Use | None) -> NDArray[Any]:
        product = self._finish(running, None).product
        assert product is not None, "nothing stops it"
        if use is not None:
            use(number, product)
        return product

    def _start(
        self, x: Operand, w: Operand, terms: tuple[bytes, int, str, bool], first: int, last: int, threads: int | None
    ) -> _Running:
        """Send out the parts of a slice; `terms` are anchor, target, backend, and whether rows are needed."""
        connection = self.connect()
        census = connection.count(threads)
        stored = self._store(x), self._store(w)
        anchor, target, backend, needs_rows = terms
        order = Order(x.ref, w.ref, anchor, target, backend, census.threads, needs_rows)
        work = STRIP_ROWS * (last - first) * w.ref.rows * w.ref.cols
        parts = [
            (top, bottom, connection.submit(census.threads, order, *stored, top, bottom))
            for top, bottom in _cut(first, last, census.slots, min(last - first, work // LEAST_PART))
        ]
        return _Running(x, w, order, first, last, parts, stored, self._prepare(w) if needs_rows else None)

    def _prepare(self, w: Operand) -> "Future[BlockCheck]":
        """Return what checks rows. That of the last W is kept: it serves the next slice, and whatever else W gives."""
        if self._check is None or self._check[0] != w.ref.id or _has_failed(self._check[1]):
            make = partial(BlockCheck, w.array, secrets.token_bytes(HASH_BYTES))
            self._check = w.ref.id, self._checks.submit(make)
        return self._check[1]

    def _store(self, operand: Operand) -> Any:
        key = bytes(operand.ref.id)
        if key not in self._stored:
            while len(self._stored) >= KEPT:
                self._stored.popitem(last=False)
            self._stored[key] = self.connect().store(operand.array)
        self._stored.move_to_end(key)
        return self._stored[key]

    def _finish(self, running: _Running, stop: threading.Event | None) -> Mined:
        """Gather the parts, and check them."""
        connection, top = self.connect(), running.first * STRIP_ROWS
        rows = min(running.last * STRIP_ROWS, running.x.ref.rows) - top
        product = np.empty((rows if running.order.needs_rows else 0, running.w.ref.rows), np.int32)
        futures = {connection.listen(reference): (first, last) for first, last, reference in running.parts}
        waiting, done = set(futures), list[Part]()
        while waiting:
            ready, waiting = wait(waiting, None if stop is None else POLL_S, FIRST_COMPLETED)
            done += [self._take(connection, future, *futures[future], product, running) for future in ready]
            if stop is not None and stop.is_set() and waiting:
                connection.cancel([reference for _, _, reference in running.parts])
                return Mined(None, sum(part.tickets for part in done), (), False)
        return Mined(product, sum(part.tickets for part in done), tuple(_check_wins(running, done)), True)

    def _take(
        self,
        connection: Connection,
        future: "Future[Any]",
        first: int,
        last: int,
        product: NDArray[np.int32],
        running: _Running,
    ) -> Part:
        part: Part = connection.read(future)
        if part.product is None:
            code, message = part.error or ("stopped", "the part was interrupted")
            raise ClusterError("cluster-failed", f"{part.machine} says [{code}] {message}")
        place = product[(first - running.first) * STRIP_ROWS : (last - running.first) * STRIP_ROWS]
        if part.product.shape != place.shape:
            raise ClusterError(
                "cluster-wrong-rows",
                f"{part.machine} returned {part.product.shape[0]} x {part.product.shape[1]} rows, not {place.shape}",
            )
        x, rows = running.x.array[first * STRIP_ROWS : last * STRIP_ROWS], np.ascontiguousarray(part.product, np.int32)
        if running.check is not None and not running.check.result().copy(x, rows, place):
            raise ClusterError(
                "cluster-wrong-rows",
                f"{part.machine} multiplied wrongly",
                hint="test its memory: inos work mine there and here gives the same tickets",
            )
        return part


def _cut(first: int, last: int, slots: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield the first and last strip of each part.

    Args:
        slots: so many parts are multiplied at a time.
        most: so many parts as large as the smallest one may be the whole. If they are few, they are equally large.
    """
    sizes = [size for size in PARTS for _ in range(slots)]
    if sum(sizes) > most:
        sizes = [1] * max(1, min(most, len(sizes)))
    bounds = [first + (last - first) * end // sum(sizes) for end in accumulate(sizes, initial=0)]
    return pairwise(bounds)


def _has_failed(made: "Future[BlockCheck]") -> bool:
    return made.done() and made.exception() is not None


def _check_wins(running: _Running, parts: Sequence[Part]) -> Iterator[Any]:
    """Yield the wins with seals and witnesses, each verified on this machine."""
    finder = Finder(running.x, running.w)
    for part in parts:
        for i, j, p, digest in part.wins:
            if not (running.first <= i < running.last and 0 <= j < running.w.strips and 0 <= p < running.w.panels):
                raise ClusterError("cluster-wrong-ticket", f"{part.machine} returned ticket ({i}, {j}, {p})")
            finder.add(i, j, p, digest)
            win = finder.wins[-1]
            try:
                verify(win.seal, win.witness, running.order.anchor, running.order.target)
            except InvalidCertificate as error:
                raise ClusterError("cluster-wrong-ticket", f"{part.machine}: {error}") from error
            yield win


def open_engine(address: str) -> ClusterEngine:
    """Return the engine of an address, connected.

    Raises:
        ClusterError: as `Connection`.
    """
    engine = ClusterEngine(address)
    engine.connect()
    return engine
