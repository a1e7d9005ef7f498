"""Data that is the same for all X under one anchor: W's permutations, and W' if it is kept."""

import threading
from typing import Any, Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.primitives.matrices import PANEL_BYTES, STRIP_BYTES
from inos.work.backends.base import Slice
from inos.work.backends.native.library import Kernel, load
from inos.work.backends.native.memory import allocate, cast
from inos.work.backends.native.plan import (
    MAX_SLAB_PANELS,
    PEEL_BYTES,
    TILE,
    Plan,
    compute_allowed,
    compute_plan,
    cut,
    measure_room,
)
from inos.work.matrices import Operand

MAX_KEPT_BYTES: Final = 256 << 20
"""W' is kept for the next X up to this size, and packed again for each above it."""
STEPS: Final = 16


class Permutations(Struct, frozen=True, eq=False):
    """P_b or Q_b of all steps of k, and their inverses: 64 bytes each."""

    forward: NDArray[np.uint8]
    inverse: NDArray[np.uint8]


def draw_permutations(kernel: Kernel, seed: bytes, panels: int) -> Permutations:
    """Draw the permutations of all steps of this many panels."""
    loaded = load()
    assert loaded is not None, "only backends that can run are run"
    ffi, lib = loaded
    made = Permutations(allocate(panels * STEPS * 64), allocate(panels * STEPS * 64))
    words = ffi.new("uint32_t[8]", np.frombuffer(seed, dtype="<u4").tolist())
    forward, inverse = (cast(ffi, "uint8_t *", array) for array in (made.forward, made.inverse))
    lib.inos_run_draw_perms(kernel.number, words, 0, panels * STEPS, forward, inverse)
    return made


class KeptW(Struct, eq=False):
    """The whole of W', one array per slab, and its sums under the noise of the X with `seed_x`."""

    packed: list[NDArray[np.uint8]]
    peels: list[NDArray[np.uint8]]
    is_packed: bool = False
    seed_x: bytes = b""


class PreparedW:
    """W under one anchor, for any number of X.

    The first X is multiplied within the memory that `plan` allows. W' is kept as a whole from the first slice on if it
    fits into that memory too, otherwise from the second X on.
    """

    def __init__(self, kernel: Kernel, w: Operand, seed_w: bytes) -> None:
        self._kernel, self._w = kernel, w
        self.permutations = draw_permutations(kernel, seed_w, w.panels)
        self.lock = threading.Lock()
        """This is held while W' is packed or its sums are made."""
        self._first_x: bytes | None = None
        self.kept: KeptW | None = None

    def plan(self, piece: Slice) -> tuple[Plan, KeptW | None]:
        """Return how `piece` is to be multiplied, and W' if it is kept; this depends on the pieces before."""
        plan = compute_plan(piece, self._kernel.x_scale)
        with self.lock:
            if self.kept is None and self._is_worth_keeping(piece):
                slabs = cut(self._w.panels, MAX_SLAB_PANELS)
                packed = [allocate(self._w.strips * (last - first) * STRIP_BYTES) for first, last in slabs]
                self.kept = KeptW(packed, [allocate(self._w.strips * PEEL_BYTES) for _ in slabs])
            self._first_x = self._first_x or bytes(piece.x.ref.id)
            if self.kept is None:
                return plan, None
        return Plan(False, self._w.strips, TILE, cut(self._w.panels, MAX_SLAB_PANELS)), self.kept

    def _is_worth_keeping(self, piece: Slice) -> bool:
        size = self._w.strips * (self._w.panels * STRIP_BYTES + PEEL_BYTES)
        is_shallow = 2 * self._w.ref.cols <= PANEL_BYTES and piece.last - piece.first == 1
        if size > MAX_KEPT_BYTES or is_shallow:  # W' is several times W, and would be read for one strip of X only
            return False
        if self._first_x not in (None, bytes(piece.x.ref.id)):
            return True
        room = measure_room(min(self._w.panels, MAX_SLAB_PANELS), TILE, self._kernel.x_scale)
        is_part = piece.last - piece.first < piece.x.strips
        return is_part and size + piece.threads * room <= compute_allowed(piece)


def fill_sides(ffi: Any, slab: Any, piece: Slice, x: Permutations, w: Permutations, *, is_bare: bool) -> None:
    """Write both operands and their noise into C's struct; the caller sets the panels."""
    for side, operand, seed, own, other in (
        (slab.x, piece.x, piece.seed_x, x, w),
        (slab.w, piece.w, piece.seed_w, w, x),
    ):
        side.raw, side.rows, side.cols = cast(ffi, "int8_t *", operand.array), operand.ref.rows, operand.ref.cols
        side.perms, side.inverse = cast(ffi, "uint8_t *", own.forward), cast(ffi, "uint8_t *", other.inverse)
        side.seed, side.is_bare = np.frombuffer(seed, dtype="<u4").tolist(), is_bare
    slab.x.is_x = True
