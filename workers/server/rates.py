"""Amounts over a sliding window of time."""

from collections import deque
from typing import Final

MAX_ENTRIES: Final = 4096


class Window:
    """Sums amounts of the last `seconds`; of very many only the newest are kept."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._entries: deque[tuple[float, int]] = deque()
        self._sum = 0

    def add(self, now: float, amount: int) -> None:
        self._entries.append((now, amount))
        self._sum += amount
        if len(self._entries) > MAX_ENTRIES:
            self._sum -= self._entries.popleft()[1]

    def get_sum(self, now: float) -> int:
        """Return the sum over the window that ends at monotonic `now`."""
        while self._entries and self._entries[0][0] < now - self._seconds:
            self._sum -= self._entries.popleft()[1]
        return self._sum

    def get_rate(self, now: float, since: float) -> float:
        """Return the amount per second, if counting began at monotonic `since`."""
        return self.get_sum(now) / max(1.0, min(self._seconds, now - since))
