"""One slice in progress."""

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primitives.matrices import STRIP_BYTES, STRIP_ROWS
from primitives.units import HASH_BYTES
from work.backends.base import OnWin, Slice
from work.backends.native.library import Kernel, load
from work.backends.native.memory import allocate, cast
from work.backends.native.plan import PEEL_BYTES, TICKET_BYTES, TILE, Plan
from work.backends.native.prepared import Kept, Permutations, PreparedW, allocate_kept, draw_permutations
from work.backends.native.running import Flag, run_all
from work.matrices import Operand

WIN_WORDS = 11
"""i, j, p, and the digest's 8 words."""


class Job:
    """Slabs one after the other; in each, threads write disjoint parts of the product."""

    def __init__(
        self, kernel: Kernel, piece: Slice, prepared: PreparedW, on_win: OnWin, *, is_bare: bool = False
    ) -> None:
        loaded = load()
        assert loaded is not None, "only backends that can run are run"
        self._ffi, self._lib = loaded
        self._kernel, self._piece, self._prepared, self._on_win = kernel, piece, prepared, on_win
        self._is_bare = is_bare
        self._flag = Flag()
        self._plan: Plan = prepared.plan(piece)
        self._rooms: list[_Room] = []
        self._permutations = draw_permutations(kernel, piece.seed_x, piece.x.panels)
        rows = min(piece.last * STRIP_ROWS, piece.x.ref.rows) - piece.first * STRIP_ROWS
        self.product: NDArray[np.int32] = np.empty((rows, piece.w.ref.rows), dtype=np.int32)

    @property
    def tickets(self) -> int:
        """Drawn so far."""
        return sum(room.worker.tickets for room in self._rooms)

    def run(self, stop: threading.Event | None) -> None:
        """Multiply all. Raises `Stopped`."""
        kept, slabs = self._prepared.kept, self._plan.slabs
        if self._plan.keeps_x or kept is None:
            widest = max(slabs, key=lambda slab: slab[1] - slab[0])
            strips = self._piece.last - self._piece.first if self._plan.keeps_x else self._piece.w.strips
            own = allocate_kept((widest,), strips, self._kernel.x_scale if self._plan.keeps_x else 1)
            for at in range(len(slabs)):
                self._run_slab(at, own.packed[0], own.peels[0], stop)
            return
        with self._prepared.lock:
            peels = self._prepare_kept(kept, stop)
        for at, packed in enumerate(kept.packed):
            self._run_slab(at, packed, peels[at], stop, is_ready=True)

    def _prepare_kept(self, kept: Kept, stop: threading.Event | None) -> list[NDArray[np.uint8]]:
        """Pack W', unless it is, and make its sums under X's noise; what other threads still read is left alone."""
        if not (kept.is_packed and kept.seed_x == self._piece.seed_x):
            if kept.is_packed:
                kept.peels = [allocate(len(peel)) for peel in kept.peels]
            for at, (packed, peel) in enumerate(zip(kept.packed, kept.peels, strict=True)):
                self._keep(self._make_slab(at, packed, peel, is_packed=kept.is_packed), stop)
            kept.is_packed, kept.seed_x = True, self._piece.seed_x
        return kept.peels

    def _run_slab(
        self,
        at: int,
        packed: NDArray[np.uint8],
        peel: NDArray[np.uint8],
        stop: threading.Event | None,
        *,
        is_ready: bool = False,
    ) -> None:
        slab = self._make_slab(at, packed, peel)
        if not is_ready:
            self._keep(slab, stop)
        slab.next = self._piece.first if not slab.keeps_x else 0
        rooms = iter([self._get_room(number) for number in range(self._piece.threads)])

        def multiply() -> None:
            room = next(rooms)
            room.worker.kept_at = room.worker.kept_last = 0
            while self._lib.inos_run_multiply(self._kernel.number, slab, room.worker):
                self._report(room)

        run_all(multiply, self._piece.threads, stop, self._flag)

    def _keep(self, slab: Any, stop: threading.Event | None) -> None:
        slab.next = self._piece.first if slab.keeps_x else 0
        run_all(lambda: self._lib.inos_run_keep(self._kernel.number, slab), self._piece.threads, stop, self._flag)

    def _report(self, room: "_Room") -> None:
        for win in room.wins[: WIN_WORDS * room.worker.win_count].reshape(-1, WIN_WORDS):
            i, j, p = (int(word) for word in win[:3])
            self._on_win(i, j, p, win[3:].tobytes())

    def _get_room(self, number: int) -> "_Room":
        while len(self._rooms) <= number:
            widest = max(last - first for first, last in self._plan.slabs)
            scale = 1 if self._plan.keeps_x else self._kernel.x_scale
            self._rooms.append(_Room(self._ffi, widest, self._plan.tile, scale))
        return self._rooms[number]

    def _make_slab(
        self, at: int, packed: NDArray[np.uint8], peel: NDArray[np.uint8], *, is_packed: bool = False
    ) -> Any:
        piece, slab = self._piece, self._ffi.new("inos_slab *")
        own, other = self._permutations, self._prepared.permutations
        self._fill_side(slab.x, piece.x, piece.seed_x, own, other, at)
        self._fill_side(slab.w, piece.w, piece.seed_w, other, own, at)
        slab.x.is_x = True
        slab.x_first, slab.x_last, slab.w_strips = piece.first, piece.last, piece.w.strips
        slab.keeps_x, slab.is_packed = self._plan.keeps_x, is_packed
        slab.kept, slab.kept_peel = self._cast("uint8_t *", packed), self._cast("int16_t *", peel)
        slab.tile_kept, slab.tile_streamed, slab.threads = TILE, self._plan.tile, piece.threads
        slab.out, slab.adds = self._cast("int32_t *", self.product), at > 0
        slab.target = np.frombuffer(piece.target.to_bytes(HASH_BYTES, "big"), dtype=">u4").tolist()
        slab.stop = self._flag.pointer
        return slab

    def _fill_side(
        self, side: Any, operand: Operand, seed: bytes, own: Permutations, other: Permutations, at: int
    ) -> None:
        side.raw, side.rows, side.cols = self._cast("int8_t *", operand.array), operand.ref.rows, operand.ref.cols
        side.first_panel, side.last_panel = self._plan.slabs[at]
        side.perms, side.inverse = self._cast("uint8_t *", own.forward), self._cast("uint8_t *", other.inverse)
        side.seed, side.is_bare = np.frombuffer(seed, dtype="<u4").tolist(), self._is_bare

    def _cast(self, kind: str, array: NDArray[Any]) -> Any:
        return cast(self._ffi, kind, array)


class _Room:
    """What one thread works in: the streamed side's tile, accumulators, places for wins."""

    def __init__(self, ffi: Any, panels: int, tile: int, scale: int) -> None:
        self._packed = allocate(tile * panels * STRIP_BYTES * scale)
        self._peel = allocate(tile * PEEL_BYTES)
        self._scratch = allocate(tile * TILE * TICKET_BYTES)
        self.wins: NDArray[np.uint32] = np.empty(tile * TILE * panels * WIN_WORDS, dtype=np.uint32)
        self.worker = ffi.new("inos_worker *")
        self.worker.packed, self.worker.peel = cast(ffi, "uint8_t *", self._packed), cast(ffi, "int16_t *", self._peel)
        self.worker.scratch = cast(ffi, "int32_t *", self._scratch)
        self.worker.wins = cast(ffi, "uint32_t *", self.wins)
