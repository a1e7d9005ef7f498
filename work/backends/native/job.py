"""One slice in progress."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inos.primitives.matrices import STRIP_BYTES, STRIP_ROWS
from inos.primitives.units import HASH_BYTES
from inos.work.backends.base import OnWin, Slice
from inos.work.backends.native.library import Kernel, load
from inos.work.backends.native.memory import allocate_rows, borrow, cast
from inos.work.backends.native.plan import PEEL_BYTES, TICKET_BYTES, TILE
from inos.work.backends.native.prepared import KeptW, PreparedW, draw_permutations, fill_sides
from inos.work.backends.native.running import Flag, run_all

WIN_WORDS = 11
"""A win has i, j, p, and the digest's 8 words."""


class Job:
    """Runs slabs, and blocks of the kept side, in turn; in each, threads write disjoint parts of the product."""

    def __init__(
        self, kernel: Kernel, piece: Slice, prepared: PreparedW, on_win: OnWin, *, is_bare: bool = False
    ) -> None:
        loaded = load()
        assert loaded is not None, "only backends that can run are run"
        self._ffi, self._lib = loaded
        self._kernel, self._piece, self._prepared, self._on_win = kernel, piece, prepared, on_win
        self._flag = Flag()
        self._plan, self._kept = prepared.plan(piece)
        self._depth = max(last - first for first, last in self._plan.slabs)
        self._workers: list[_Worker] = []
        self._permutations = draw_permutations(kernel, piece.seed_x, piece.x.panels)
        self._needs_rows = piece.needs_rows or piece.out is not None
        rows = min(piece.last * STRIP_ROWS, piece.x.ref.rows) - piece.first * STRIP_ROWS if self._needs_rows else 0
        self.product: NDArray[np.int32] = allocate_rows(rows, piece.w.ref.rows) if piece.out is None else piece.out
        self._slab = self._make_slab(is_bare)

    @property
    def tickets(self) -> int:
        """Return the number of tickets drawn so far."""
        return sum(worker.state.tickets for worker in self._workers)

    def run(self, stop: threading.Event | None) -> None:
        """Multiply everything. It raises `Stopped` if it is stopped."""
        with self._open_rooms():
            if self._kept is None:
                self._run_blocks(stop)
                return
            with self._prepared.lock:
                peels = self._prepare_kept(self._kept, stop)
            for at, packed in enumerate(self._kept.packed):
                self._set_part(at, (0, self._piece.w.strips), packed, peels[at])
                self._multiply(stop)

    def _run_blocks(self, stop: threading.Event | None) -> None:
        piece, plan = self._piece, self._plan
        first, last = (piece.first, piece.last) if plan.keeps_x else (0, piece.w.strips)
        blocks = [(at, min(at + plan.block, last)) for at in range(first, last, plan.block)]
        size = self._depth * STRIP_BYTES * (self._kernel.x_scale if plan.keeps_x else 1)
        with borrow([plan.block * size, plan.block * PEEL_BYTES]) as (packed, peel):
            for at in range(len(plan.slabs)):
                for block in blocks:
                    self._set_part(at, block, packed, peel)
                    self._keep(stop)
                    self._multiply(stop)

    def _prepare_kept(self, kept: KeptW, stop: threading.Event | None) -> list[NDArray[np.uint8]]:
        """Pack W' unless it is packed, and make its sums under X's noise, in memory that no other thread reads. Without
        rows there is no noise to remove, and so there are no sums."""
        seed_x = self._piece.seed_x if self._needs_rows else kept.seed_x
        if not (kept.is_packed and kept.seed_x == seed_x):
            peels = [np.empty_like(peel) for peel in kept.peels] if kept.is_packed else kept.peels
            self._slab.is_packed = kept.is_packed
            for at, (packed, peel) in enumerate(zip(kept.packed, peels, strict=True)):
                self._set_part(at, (0, self._piece.w.strips), packed, peel)
                self._keep(stop)
            kept.peels, kept.is_packed, kept.seed_x = peels, True, seed_x
        return kept.peels

    def _keep(self, stop: threading.Event | None) -> None:
        self._slab.next = self._slab.kept_first
        run_all(lambda: self._lib.inos_run_keep(self._kernel.number, self._slab), self._piece.threads, stop, self._flag)

    def _multiply(self, stop: threading.Event | None) -> None:
        self._slab.next = self._slab.streamed_first
        workers = iter(self._workers)

        def multiply() -> None:
            worker = next(workers)
            worker.state.kept_at = worker.state.kept_last = worker.state.panels_left = 0
            while self._lib.inos_run_multiply(self._kernel.number, self._slab, worker.state):
                self._report(worker)

        run_all(multiply, self._piece.threads, stop, self._flag)

    def _report(self, worker: "_Worker") -> None:
        for win in worker.wins[: 4 * WIN_WORDS * worker.state.win_count].view(np.uint32).reshape(-1, WIN_WORDS):
            i, j, p = (int(word) for word in win[:3])
            self._on_win(i, j, p, win[3:].tobytes())

    @contextmanager
    def _open_rooms(self) -> Iterator[None]:
        tile, tickets = self._plan.tile, self._plan.tile * TILE
        packed = tile * self._depth * STRIP_BYTES * (1 if self._plan.keeps_x else self._kernel.x_scale)
        sizes = [packed, tile * PEEL_BYTES, tickets * TICKET_BYTES, 4 * tickets * WIN_WORDS]
        with borrow(sizes * self._piece.threads) as arrays:
            count = len(sizes)
            self._workers = [_Worker(self._ffi, arrays[at : at + count]) for at in range(0, len(arrays), count)]
            yield

    def _make_slab(self, is_bare: bool) -> Any:
        piece, slab = self._piece, self._ffi.new("inos_slab *")
        fill_sides(self._ffi, slab, piece, self._permutations, self._prepared.permutations, is_bare=is_bare)
        slab.keeps_x = self._plan.keeps_x
        streamed = (0, piece.w.strips) if self._plan.keeps_x else (piece.first, piece.last)
        slab.streamed_first, slab.streamed_last = streamed
        slab.tile_kept, slab.tile_streamed, slab.threads = TILE, self._plan.tile, piece.threads
        if self._needs_rows:
            slab.out = cast(self._ffi, "int32_t *", self.product)
        slab.out_first = piece.first
        slab.target = np.frombuffer(piece.target.to_bytes(HASH_BYTES, "big"), dtype=">u4").tolist()
        slab.stop = self._flag.pointer
        return slab

    def _set_part(self, at: int, block: tuple[int, int], packed: NDArray[np.uint8], peel: NDArray[np.uint8]) -> None:
        slab = self._slab
        for side in (slab.x, slab.w):
            side.first_panel, side.last_panel = self._plan.slabs[at]
        slab.adds = at > 0
        slab.kept_first, slab.kept_last = block
        slab.kept, slab.kept_peel = cast(self._ffi, "uint8_t *", packed), cast(self._ffi, "int16_t *", peel)


class _Worker:
    """The memory of one thread: the streamed side's tile, accumulators, and room for wins."""

    def __init__(self, ffi: Any, arrays: list[NDArray[np.uint8]]) -> None:
        packed, peel, scratch, self.wins = arrays
        self.state = ffi.new("inos_worker *")
        self.state.packed, self.state.peel = cast(ffi, "uint8_t *", packed), cast(ffi, "int16_t *", peel)
        self.state.scratch, self.state.wins = cast(ffi, "int32_t *", scratch), cast(ffi, "uint32_t *", self.wins)
