"""Tickets per second of late, by address and by connection, from the same shares that are paid."""

from collections import deque
from typing import Final, Generic, TypeVar

SLOT_S: Final = 30.0
SLOTS: Final = 20
"""Ten minutes."""
K = TypeVar("K")


class Rates(Generic[K]):
    """Counts what comes, in slots of 30 s."""

    def __init__(self, now_s: float) -> None:
        self._began = now_s
        self._slots: deque[tuple[int, dict[K, int]]] = deque()
        self._sums: dict[K, int] = {}

    def add(self, key: K, tickets: int, now_s: float) -> None:
        slot = int(now_s // SLOT_S)
        if not self._slots or self._slots[-1][0] != slot:
            self._slots.append((slot, {}))
            self._drop(slot)
        counts = self._slots[-1][1]
        counts[key] = counts.get(key, 0) + tickets
        self._sums[key] = self._sums.get(key, 0) + tickets

    def compute_all(self, now_s: float) -> dict[K, float]:
        """Return tickets per second of the last ten minutes, or since the pool began if that is less."""
        seconds = self._measure(now_s)
        return {key: tickets / seconds for key, tickets in self._sums.items()}

    def compute(self, key: K, now_s: float) -> float:
        """Return the same for one key."""
        seconds = self._measure(now_s)
        return self._sums.get(key, 0) / seconds

    def _measure(self, now_s: float) -> float:
        """Drop what is old; return the seconds of the slots that are left."""
        self._drop(int(now_s // SLOT_S))
        return max(1.0, min(SLOT_S * (SLOTS - 1) + now_s % SLOT_S, now_s - self._began))

    def _drop(self, slot: int) -> None:
        while self._slots and self._slots[0][0] <= slot - SLOTS:
            for key, tickets in self._slots.popleft()[1].items():
                self._sums[key] -= tickets
                if not self._sums[key]:
                    del self._sums[key]
