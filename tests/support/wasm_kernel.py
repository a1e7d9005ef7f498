"""The browser's kernel in wasmtime, as a page's Web Worker drives it."""

from typing import Any, Final

import numpy as np

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
                count = self._call("mine", first, min(first + BATCH, self._strips), panel)
                data = self.read(self._call("get_wins"), 4 * WIN_WORDS * count)
                for win in np.frombuffer(data, "<u4").reshape(count, WIN_WORDS):
                    i, j, p = (int(number) for number in win[:3])
                    found[i, j, p] = win[3:].tobytes()
        return found

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
