"""One slice in progress."""

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primitives.matrices import STRIP_BYTES, STRIP_ROWS
from primitives.units import HASH_BYTES
from work.backends.base import OnWin, Slice
from work.backends.native.library import Kernel, load
from work.backends.native.prepared import PEEL_BYTES, PreparedW, allocate, compute_chunks, compute_perms
from work.backends.native.running import Flag
from work.backends.native.tiles import MAX_TILE_TICKETS, Task, compute_tile_rows, cut_task
from work.noise import X_SHIFT, compute_noise_x

WIN_WORDS = 11
"""i, j, p within the tile, and the digest's 8 words."""


class Job:
    """Tasks run in several threads and write disjoint parts of the product."""

    def __init__(self, kernel: Kernel, piece: Slice, prepared: PreparedW, on_win: OnWin, *, is_bare: bool) -> None:
        loaded = load()
        assert loaded is not None, "only backends that can run are run"
        self._ffi, self._lib = loaded
        self._kernel, self._piece, self._w, self._on_win = kernel, piece, prepared, on_win
        self._is_bare = is_bare
        self._lock = threading.Lock()
        self._local = threading.local()
        self._perms, self._inverse = compute_perms(piece.seed_x, piece.x.panels)
        self._peel_w = allocate(0)
        self._top = piece.first * STRIP_ROWS
        self.flag = Flag()
        self.tickets = 0
        self.tile_rows = compute_tile_rows(piece.last - piece.first, piece.x.panels, kernel.x_scale)
        rows = min(piece.last * STRIP_ROWS, piece.x.ref.rows) - self._top
        self.product: NDArray[np.int32] = np.empty((rows, piece.w.ref.rows), dtype=np.int32)

    def sum_w(self, stop: threading.Event | None) -> None:
        """W's side of the peeling, which depends on X's noise. Raises `Stopped`."""
        self._peel_w = self._w.compute_sums(self._piece.seed_x, self._inverse, self._piece.threads, stop)

    def run(self, task: Task) -> None:
        """All tiles of one task; wins are reported after each tile."""
        room = self._get_room()
        room.open(task)
        for left, right in cut_task(task):
            self.flag.check()
            packed = self._w.get_packed(left, right, self.flag)
            self.flag.check()
            room.run(task, left, right, packed)
            self._report(room, task.top, left)
        self.flag.check()

    def _get_room(self) -> "_Room":
        room: _Room | None = getattr(self._local, "room", None)
        if room is None:
            room = self._local.room = _Room(self)
        return room

    def _report(self, room: "_Room", top: int, left: int) -> None:
        with self._lock:
            self.tickets += room.tile.tickets
        for win in room.wins[: WIN_WORDS * room.tile.win_count].reshape(-1, WIN_WORDS):
            i, j, p = (int(word) for word in win[:3])
            self._on_win(top + i, left + j, p, win[3:].tobytes())


class _Room:
    """What one thread works in, made once: X' of its tile, accumulators, places for wins."""

    def __init__(self, job: Job) -> None:
        self._job = job
        piece = job._piece
        strips, panels = job.tile_rows, piece.x.panels
        self._task: Task | None = None
        self._x = allocate(strips * panels * STRIP_BYTES * job._kernel.x_scale)
        self._peel_x = allocate(strips * compute_chunks(panels) * PEEL_BYTES)
        self._scratch = allocate(MAX_TILE_TICKETS * STRIP_ROWS * STRIP_ROWS * 4)
        self.wins: NDArray[np.uint32] = np.empty(MAX_TILE_TICKETS * panels * WIN_WORDS, dtype=np.uint32)
        self.tile = self._make_tile()

    def _make_tile(self) -> Any:
        job, piece = self._job, self._job._piece
        tile = job._ffi.new("inos_tile *")
        tile.x, tile.peel_x = self._cast("uint8_t *", self._x), self._cast("int16_t *", self._peel_x)
        tile.scratch, tile.wins = self._cast("int32_t *", self._scratch), self._cast("uint32_t *", self.wins)
        tile.panels, tile.stop, tile.bare = piece.x.panels, job.flag.pointer, job._is_bare
        tile.key = np.frombuffer(piece.seed_x, dtype="<u4").tolist()
        tile.target = np.frombuffer(piece.target.to_bytes(HASH_BYTES, "big"), dtype=">u4").tolist()
        tile.out_stride = piece.w.ref.rows
        return tile

    def open(self, task: Task) -> None:
        """Pack X's strips of the task, unless the last task had the same."""
        if self._task is not None and self._task[:2] == task[:2]:
            return
        job, x = self._job, self._job._piece.x
        noise = compute_noise_x(job._piece.seed_x, task.top * STRIP_ROWS, task.bottom * STRIP_ROWS) + np.uint8(X_SHIFT)
        pack = job._ffi.new("inos_pack *")
        pack.raw, pack.packed = self._cast("int8_t *", x.array), self._cast("uint8_t *", self._x)
        pack.rows, pack.cols, pack.panels = x.ref.rows, x.ref.cols, x.panels
        pack.first, pack.last = task.top, task.bottom
        pack.noise, pack.perms = self._cast("uint8_t *", noise), self._cast("uint8_t *", job._perms)
        pack.inverse, pack.peel = self._cast("uint8_t *", job._w.inverse), self._cast("int16_t *", self._peel_x)
        pack.stop = job.flag.pointer
        job._lib.inos_run_pack(job._kernel.number, pack)
        self._task = task

    def run(self, task: Task, left: int, right: int, packed: NDArray[np.uint8]) -> None:
        """One tile: X strips of the task by W strips [left, right)."""
        job, tile = self._job, self.tile
        panels = compute_chunks(job._piece.x.panels) * PEEL_BYTES
        top = task.top * STRIP_ROWS - job._top
        out = job.product[top:, left * STRIP_ROWS :]
        tile.w = self._cast("int8_t *", packed)
        tile.peel_w = self._cast("int16_t *", job._peel_w[left * panels :])
        tile.x_strips, tile.w_strips = task.bottom - task.top, right - left
        tile.out, tile.out_rows, tile.out_cols = self._cast("int32_t *", out), out.shape[0], out.shape[1]
        tile.win_count = tile.tickets = 0
        job._lib.inos_run_tile(job._kernel.number, tile)

    def _cast(self, kind: str, array: NDArray[Any]) -> Any:
        return self._job._ffi.cast(kind, array.ctypes.data)
