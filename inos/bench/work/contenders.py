"""The products and checks that are timed against each other on one shape."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos import work
from inos.primitives.units import U256_MAX
from inos.work import Lottery, Operand
from inos.work.backends import CARDS, Slice, get_backend
from inos.work.backends.native.backend import NativeBackend

NUMPY: Final = "numpy float32"
TORCH: Final = "torch int8"
BARE: Final = "bare native"
CERTIFIED: Final = "certified"
VERIFY: Final = "verify"
FREIVALDS: Final = "freivalds"
LIMIT: Final = "limit"
"""Dot products in registers alone, as many as the processor starts in a cycle: no product without tiles is faster."""
TILE_LIMIT: Final = "tile limit"
"""Products of tiles in AMX's registers alone: no product by AMX is faster."""
WITH_TILES: Final = "native-amx"
WITHOUT_TILES: Final = "native-avx512vbmi"
"""The kernel of the same processors whose limit is that of dot products."""
LIMIT_ROUNDS: Final = 1 << 21
"""So many rounds of the limit's loop take about 20 ms."""
_LIKELY: Final = 1 << 252
"""A target at which one ticket in 16 wins; a small product may have no winning ticket."""


def make_operand(rows: int, cols: int, seed: int) -> NDArray[np.int8]:
    """Return a random int8 operand with entries in -64 .. 63."""
    return np.random.default_rng(seed).integers(-64, 64, (rows, cols), dtype=np.int8)


class Contenders:
    """Operands of one shape, and a call for every contender that can run on this machine.

    Args:
        m, n, k: X is m x k, W is n x k.
        backend: the kernel of the certified product.
        threads: threads of all contenders but numpy float32, whose BLAS uses what it finds.
    """

    def __init__(self, m: int, n: int, k: int, backend: str, threads: int) -> None:
        self._x, self._w = make_operand(m, k, 1), make_operand(n, k, 2)
        self._backend, self._threads = backend, threads
        self._rounds = 0
        self._product: NDArray[np.int32] = np.zeros((0, 0), dtype=np.int32)
        self.calls: dict[str, Callable[[], object]] = {}
        self._add_numpy()
        self._add_torch()
        self._add_bare()
        self.limit_works: dict[str, int] = {}
        """Multiplications that the call of each limit makes; a kernel may have no limit of its own."""
        if get_backend(backend).name == WITH_TILES:
            self._add_limit(LIMIT, WITHOUT_TILES)
            self._add_limit(TILE_LIMIT, WITH_TILES)
        else:
            self._add_limit(LIMIT, backend)
        self.calls[CERTIFIED] = self._mine
        self._add_cards()
        self._mine()
        self._add_checks()

    def _mine(self, backend: str | None = None) -> None:
        """Hash, noise and pack both operands, draw all tickets, and peel the exact product out."""
        self._rounds += 1
        anchor = self._rounds.to_bytes(32, "big")
        mined = work.mine(self._x, self._w, anchor, 0, backend=backend or self._backend, threads=self._threads)
        assert mined.product is not None
        self._product = mined.product

    def _add_cards(self) -> None:
        for card in CARDS:
            if card.name != self._backend and not card.get_obstacle():
                self.calls[card.name] = partial(self._mine, card.name)

    def _add_numpy(self) -> None:
        left, right = self._x.astype(np.float32), self._w.astype(np.float32).T
        self.calls[NUMPY] = lambda: left @ right

    def _add_torch(self) -> None:
        torch = find_torch()
        if torch is None or len(self._x) <= 16:  # _int_mm needs more than 16 rows
            return
        torch.set_num_threads(self._threads)
        left, right = torch.from_numpy(self._x.copy()), torch.from_numpy(self._w.copy()).t()
        self.calls[TORCH] = lambda: torch._int_mm(left, right)

    def _add_bare(self) -> None:
        kernel = get_backend(self._backend)
        if not isinstance(kernel, NativeBackend):
            return
        x, w = Operand.commit(self._x), Operand.commit(self._w)
        piece = Slice(x, w, bytes(32), bytes(32), 0, 0, x.strips, self._threads)
        self.calls[BARE] = lambda: kernel.multiply_bare(piece)

    def _add_limit(self, name: str, backend: str) -> None:
        kernel = get_backend(backend)
        limit = kernel.find_limit() if isinstance(kernel, NativeBackend) else None
        if limit is not None:
            self.limit_works[name] = limit(1, 1) * LIMIT_ROUNDS * self._threads
            self.calls[name] = lambda: limit(LIMIT_ROUNDS, self._threads)

    def _add_checks(self) -> None:
        x, w = Operand.commit(self._x), Operand.commit(self._w)
        for target in (_LIKELY, U256_MAX):
            lottery = Lottery(w, bytes(32), target, backend=self._backend, threads=self._threads)
            if wins := lottery.mine_strips(x, 0, 1).wins:
                break
        win = wins[0]
        self.calls[VERIFY] = lambda: work.verify(win.seal, win.witness, bytes(32), U256_MAX)
        self.calls[FREIVALDS] = self._check

    def _check(self) -> None:
        assert work.freivalds(self._x, self._w, self._product, bytes(32))


def find_torch() -> Any:
    """Return the module torch, or None if the extra "bench" is not installed."""
    try:
        import torch
    except ImportError:
        return None
    return torch
