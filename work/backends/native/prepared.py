"""What is the same for all X under one anchor: W's permutations, and W' where it is kept."""

import threading
from typing import Any, Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from primitives.matrices import STRIP_BYTES
from work.backends.base import Slice
from work.backends.native.library import Kernel, load
from work.backends.native.memory import allocate, cast
from work.backends.native.plan import PEEL_BYTES, TILES, Plan, compute_plan, cut_panels
from work.matrices import Operand

MAX_KEPT_BYTES: Final = 256 << 20
"""W' is kept for the next X up to this size, and packed again for each above it."""
STEPS: Final = 16


class Permutations(Struct, frozen=True, eq=False):
    """P_b or Q_b of all steps of k, and their inverses: 64 bytes each."""

    forward: NDArray[np.uint8]
    inverse: NDArray[np.uint8]


def draw_permutations(kernel: Kernel, seed: bytes, panels: int) -> Permutations:
    """Of all steps of so many panels."""
    ffi, lib = _load()
    made = Permutations(allocate(panels * STEPS * 64), allocate(panels * STEPS * 64))
    words = ffi.new("uint32_t[8]", np.frombuffer(seed, dtype="<u4").tolist())
    forward, inverse = (cast(ffi, "uint8_t *", array) for array in (made.forward, made.inverse))
    lib.inos_run_draw_perms(kernel.number, words, 0, panels * STEPS, forward, inverse)
    return made


class Kept(Struct, eq=False):
    """The side that is packed whole, one array for each slab; `peels` are good for `seed_x` only."""

    packed: list[NDArray[np.uint8]]
    peels: list[NDArray[np.uint8]]
    is_packed: bool = False
    seed_x: bytes = b""


class PreparedW:
    """W under one anchor, for any number of X.

    The first X is multiplied within the memory that `plan` allows, which keeps W' only where W is the smaller
    side. When another X follows, W' is kept whole.
    """

    def __init__(self, kernel: Kernel, w: Operand, seed_w: bytes) -> None:
        self._kernel, self._w = kernel, w
        self.permutations = draw_permutations(kernel, seed_w, w.panels)
        self.lock = threading.Lock()
        """Held while W' is packed or its sums are made."""
        self._first_x: bytes | None = None
        self.kept: Kept | None = None

    def plan(self, piece: Slice) -> Plan:
        """How `piece` is to be multiplied, given what was before."""
        x_id, slabs = bytes(piece.x.ref.id), cut_panels(self._w.panels)
        with self.lock:
            first = self._first_x = self._first_x or x_id
            plan = compute_plan(piece, self._kernel.x_scale)
            keeps_w = self.kept is not None or (not plan.keeps_x and len(plan.slabs) == 1)
            if not keeps_w and (x_id == first or self._w.strips * self._w.panels * STRIP_BYTES > MAX_KEPT_BYTES):
                return plan
            if self.kept is None:
                self.kept = allocate_kept(slabs, self._w.strips, 1)
        return Plan(False, plan.tile if keeps_w else TILES[0][0], slabs)


def allocate_kept(slabs: tuple[tuple[int, int], ...], strips: int, scale: int) -> Kept:
    """Room for all slabs of a side."""
    packed = [allocate(strips * (last - first) * STRIP_BYTES * scale) for first, last in slabs]
    return Kept(packed, [allocate(strips * PEEL_BYTES) for _ in slabs])


def _load() -> tuple[Any, Any]:
    loaded = load()
    assert loaded is not None, "only backends that can run are run"
    return loaded
