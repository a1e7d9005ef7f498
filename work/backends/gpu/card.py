"""An NVIDIA card through Triton. torch holds the card's memory."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.primitives.matrices import PANEL_BYTES, STRIP_ROWS
from inos.work.backends.card import CardFailed, Noise

SIDE: Final = 128
"""Rows of either operand that one program multiplies on a card."""
SMALL_SIDE: Final = 16
"""The same in Triton's interpreter, which takes as long for padding as for tickets."""
MANY: Final = 256
"""Tickets that one program hashes."""
WARPS: Final = 8
DRIVERS: Final = ("/dev/nvidiactl", "/dev/dxg")
"""One of these is there where NVIDIA's driver is, on Linux or in Windows' Linux."""
LEAST_CAPABILITY: Final = (8, 0)
"""Cards from Ampere on multiply signed bytes in matrix units as Triton asks for."""


class Block(Struct, frozen=True, eq=False):
    """Rows of an operand on the card, as tensors, padded to whole sides."""

    plain: Any
    noisy: Any
    rows: Any
    inverse: Any
    offsets: Any
    strips: int


class GpuCard:
    """Runs the kernels; with TRITON_INTERPRET=1 in Triton's interpreter, on the processor.

    Raises:
        CardFailed: "no-card": torch or triton is not installed, or there is no card.
    """

    def __init__(self) -> None:
        self._is_interpreted = os.environ.get("TRITON_INTERPRET") == "1"
        try:
            if not self._is_interpreted:
                _check_driver()
            import torch
            from triton.runtime.errors import TritonError
        except ImportError as error:
            raise CardFailed("no-card", 'it needs torch and triton: pip install "inos[gpu]"') from error
        except OSError as error:  # a library of the driver that cannot be loaded
            raise CardFailed("no-card", f"torch cannot be loaded: {error}") from error
        self._torch: Any = torch
        self.failures: tuple[type[Exception], ...] = (RuntimeError, TritonError)
        self._device, self.name = ("cpu", "interpreter") if self._is_interpreted else self._find_device()
        self._side = SMALL_SIDE if self._is_interpreted else SIDE
        from inos.work.backends.gpu import kernels

        self._kernels: Any = kernels

    def _find_device(self) -> tuple[str, str]:
        torch = self._torch
        if not torch.cuda.is_available():
            raise CardFailed("no-card", f"torch {torch.__version__} finds no NVIDIA card")
        name, capability = torch.cuda.get_device_name(0), torch.cuda.get_device_capability(0)
        if capability < LEAST_CAPABILITY:
            raise CardFailed("no-card", f"{name} is older than Ampere (compute capability {capability})")
        return "cuda:0", name

    def load(self, rows: NDArray[np.int8], noise: Noise) -> Block:
        """Copy rows of an operand to the card, and add their noise there."""
        torch, kernels, side = self._torch, self._kernels, self._side
        height, depth = -(-len(rows) // side) * side, rows.shape[1]
        plain, own = self._upload(rows, height), self._upload(noise.rows, height)
        columns, inverse = self._upload(noise.columns), self._upload(noise.inverse)
        noisy = torch.empty_like(plain)
        kernels.add_noise[(height // side, depth // 64)](plain, own, columns, noisy, depth, SIDE=side)
        offsets = torch.empty((depth // 64, height), dtype=torch.int32, device=self._device)
        kernels.sum_steps[(height // side, depth // PANEL_BYTES)](noisy, offsets, height, depth, SIDE=side)
        return Block(plain, noisy, own, inverse, offsets, len(rows) // STRIP_ROWS)

    def multiply(
        self, x: Block, w: Block, seed_x: bytes, target: int, *, needs_rows: bool
    ) -> tuple[NDArray[np.int32] | None, Sequence[tuple[int, int, int]]]:
        """Return the exact product of two blocks if it is needed, and (i, j, p) of tickets whose first words win."""
        torch, kernels, side = self._torch, self._kernels, self._side
        (height, depth), width = x.noisy.shape, w.noisy.shape[0]
        product = self._make(height, width) if needs_rows else self._make(1)
        states = self._make(depth // PANEL_BYTES, height // STRIP_ROWS, width).view(torch.uint32)
        grid, sides = (height // side, width // side), {"SIDE_X": side, "SIDE_W": side}
        sizes = height, width, depth
        kernels.multiply[grid](
            x.noisy, w.noisy, w.offsets, states, product, *sizes, **sides, NEEDS_ROWS=needs_rows, num_warps=WARPS
        )
        heads = self._hash(states, seed_x).reshape(depth // PANEL_BYTES, -1, width // STRIP_ROWS)
        rows = self._peel(x, w, product) if needs_rows else None
        return rows, self._find_wins(heads, x, w, target)

    def _peel(self, x: Block, w: Block, product: Any) -> NDArray[np.int32]:
        """Remove the noise from a product, and read it back."""
        kernels, side, sides = self._kernels, self._side, {"SIDE_X": self._side, "SIDE_W": self._side}
        (height, depth), width = x.noisy.shape, w.noisy.shape[0]
        sums_x, sums_w = self._make(height, 64), self._make(width, 64)
        kernels.sum_columns[(height // side,)](x.plain, w.inverse, sums_x, depth, SIDE=side)
        kernels.sum_columns[(width // side,)](w.noisy, x.inverse, sums_w, depth, SIDE=side)
        grid = height // side, width // side
        kernels.peel[grid](sums_x, sums_w, x.rows, w.rows, product, width, **sides, num_warps=WARPS)
        rows: NDArray[np.int32] = product[: x.strips * STRIP_ROWS, : w.strips * STRIP_ROWS].cpu().numpy()
        return rows

    def _hash(self, states: Any, seed_x: bytes) -> Any:
        torch = self._torch
        count = states.numel() // STRIP_ROWS
        heads = self._make(count).view(torch.uint32)
        key = self._upload(np.frombuffer(seed_x, "<i4")).view(torch.uint32)
        self._kernels.hash_tickets[(-(-count // MANY),)](states, key, heads, count, MANY=MANY)
        return heads.view(torch.int32)

    def _find_wins(self, heads: Any, x: Block, w: Block, target: int) -> list[tuple[int, int, int]]:
        """Return (i, j, p) of the heads that are at most the target's, without the padding's."""
        unsigned = heads[:, : x.strips, : w.strips].to(self._torch.int64) & 0xFFFFFFFF
        found = self._torch.nonzero(unsigned <= target >> 224).cpu().tolist()
        return [(i, j, p) for p, i, j in found]

    def _make(self, *shape: int) -> Any:
        return self._torch.empty(shape, dtype=self._torch.int32, device=self._device)

    def _upload(self, array: NDArray[Any], height: int | None = None) -> Any:
        """Copy an array to the card, with rows of zeros up to `height`."""
        made = self._torch.from_numpy(np.array(array)).to(self._device)
        if height is None or height == len(array):
            return made
        padded = self._torch.zeros((height, *array.shape[1:]), dtype=made.dtype, device=self._device)
        padded[: len(array)] = made
        return padded


def _check_driver() -> None:
    """Refuse before torch is imported, which takes seconds and hundreds of megabytes."""
    if not any(Path(path).exists() for path in DRIVERS):
        raise CardFailed("no-card", "it needs an NVIDIA card, and there is no driver of one")
