"""The browser's kernel in wasmtime, as a page's Web Worker drives it."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

BATCH: Final = 8
WIN_WORDS: Final = 11
SEED, ANCHOR, TARGET, IDS, SEEDS = 0, 32, 64, 96, 224
"""Where the fields of `exchange` begin."""


class WasmKernel:
    """One instance of the module."""

    def __init__(self, module: bytes) -> None:
        import wasmtime

        self._store = wasmtime.Store()
        compiled = wasmtime.Module(self._store.engine, module)
        assert not compiled.imports, "the kernel needs nothing of its host"
        self._exports: Any = wasmtime.Instance(self._store, compiled, []).exports(self._store)
        self._io = self._call("get_io")

    def reserve(self, rows_x: int, rows_w: int, depth: int) -> bool:
        """Make room for a filler; return False if there is none."""
        self._strips, self._panels = -(-rows_x // 16), -(-depth // 1024)
        return bool(self._call("reserve", rows_x, rows_w, depth))

    def draw_operands(self, seed: bytes) -> tuple[bytes, bytes]:
        """Return the ids of X and W."""
        self._write(self._io + SEED, seed)
        for which in (0, 1):
            self._call("draw_operand", which)
        return self.read(self._io + IDS, 32), self.read(self._io + IDS + 32, 32)

    def mine(self, anchor: bytes, target: int) -> dict[tuple[int, int, int], bytes]:
        """Return the digests of all winning tickets by (i, j, p)."""
        self._write(self._io + ANCHOR, anchor)
        self._write(self._io + TARGET, target.to_bytes(32, "big"))
        self._call("start")
        self._call("pack_w")
        found: dict[tuple[int, int, int], bytes] = {}
        for first in range(0, self._strips, BATCH):
            for panel in range(self._panels):
                found |= self._read_wins(self._call("mine", first, min(first + BATCH, self._strips), panel))
        return found

    def reserve_piece(self, w: NDArray[np.int8], first: int) -> bool:
        """Make room for a piece, and copy rows of W from strip `first` on; return False if there is none."""
        self._w, self._panels = w, -(-w.shape[1] // 1024)
        if not self._call("reserve_piece", first, *w.shape):
            return False
        self._write(self._call("get_raw", 1), w.tobytes())
        return True

    def multiply(
        self, x: NDArray[np.int8], first: int, ids: tuple[bytes, bytes], anchor: bytes, target: int
    ) -> tuple[NDArray[np.int32], dict[tuple[int, int, int], bytes]]:
        """Return the product of rows of X, which begin with strip `first`, and the winning tickets' digests."""
        for at, value in ((IDS, b"".join(ids)), (ANCHOR, anchor), (TARGET, target.to_bytes(32, "big"))):
            self._write(self._io + at, value)
        self._call("start")
        self._call("pack_w")
        found: dict[tuple[int, int, int], bytes] = {}
        made = []
        for top in range(0, len(x), 16 * BATCH):
            part, at = x[top : top + 16 * BATCH], first + top // 16
            self._write(self._call("get_raw", 0), part.tobytes())
            self._call("place_x", at, len(part))
            for panel in range(self._panels):
                found |= self._read_wins(self._call("mine", at, at - len(part) // -16, panel))
            rows = self.read(self._call("get_rows"), 4 * len(part) * len(self._w))
            made.append(np.frombuffer(rows, "<i4").reshape(len(part), len(self._w)))
        return np.concatenate(made), found

    def commit(self, rows: NDArray[np.int8]) -> tuple[bool, bytes, bytes]:
        """Return whether all entries are in range, and id and root."""
        assert self.reserve(len(rows), 16, rows.shape[1])
        self._write(self._call("get_raw", 0), rows.tobytes())
        is_good = bool(self._call("hash_operand", 0))
        return is_good, self.read(self._io + IDS, 32), self.read(self._io + IDS + 64, 32)

    def _read_wins(self, count: int) -> dict[tuple[int, int, int], bytes]:
        wins = np.frombuffer(self.read(self._call("get_wins"), 4 * WIN_WORDS * count), "<u4").reshape(count, WIN_WORDS)
        return {(int(win[0]), int(win[1]), int(win[2])): win[3:].tobytes() for win in wins}

    def read(self, at: int, size: int) -> bytes:
        return bytes(self._exports["memory"].read(self._store, at, at + size))

    def get_seeds(self) -> tuple[bytes, bytes]:
        """Return seed_x and seed_w of the last anchor."""
        return self.read(self._io + SEEDS, 32), self.read(self._io + SEEDS + 32, 32)

    def read_view(self, function: str, which: int, size: int) -> bytes:
        """Return bytes from the pointer that one of the functions for graphics cards returns."""
        return self.read(self._call(function, which), size)

    def _call(self, name: str, *arguments: int) -> Any:
        return self._exports[name](self._store, *arguments)

    def _write(self, at: int, data: bytes) -> None:
        self._exports["memory"].write(self._store, data, at)
