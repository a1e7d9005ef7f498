"""A card that is numpy, for the tests of what all cards have in common."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from inos.work.backends.card import CardBackend, Noise


class NumpyCard:
    """Multiplies without noise, and calls every ticket a possible winner."""

    name = "numpy's card"
    failures: tuple[type[Exception], ...] = (RuntimeError,)

    def __init__(self) -> None:
        self.loads: list[tuple[int, ...]] = []
        self.calls = 0

    def load(self, rows: NDArray[np.int8], noise: Noise) -> NDArray[np.int8]:
        assert noise.rows.shape == (len(rows), 64)
        assert len(noise.columns) == len(noise.inverse) == rows.shape[1]
        self.loads.append(rows.shape)
        return rows

    def multiply(
        self, x: NDArray[np.int8], w: NDArray[np.int8], seed_x: bytes, target: int, *, needs_rows: bool
    ) -> tuple[NDArray[np.int32] | None, Sequence[tuple[int, int, int]]]:
        self.calls += 1
        product = (x.astype(np.int64) @ w.T.astype(np.int64)).astype(np.int32)
        return product if needs_rows else None, list(np.ndindex(len(x) // 16, len(w) // 16, x.shape[1] // 1024))


def make_backend() -> tuple[CardBackend, NumpyCard]:
    card = NumpyCard()
    return CardBackend("fake", lambda: card), card


def use_cards(monkeypatch: pytest.MonkeyPatch, *cards: CardBackend) -> None:
    """Let this process have these cards and no others."""
    for module in ("work.backends", "work.backends.choice", "bench.work.contenders", "bench.work.report"):
        monkeypatch.setattr(f"inos.{module}.CARDS", cards)
