"""Turns what was drawn into Results: shares at once, counts every few seconds, and no ticket twice."""

from collections.abc import Callable, Iterable
from typing import Final

from inos.workers.messages import MAX_SHARES, Message, Result, Share

RESULT_S: Final = 5.0
"""Tickets without a share are told this often."""
SHARES_S: Final = 0.2
"""Shares are told together if they come closer to each other; a win is told at once."""


class Reporter:
    """Collects the shares of one template and assignment at a time.

    Args:
        send: sends a message to the node.
    """

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._place: tuple[int, int] | None = None
        self._drawn = 0
        self._shares: list[Share] = []
        self._sent_at = 0.0
        self._won = 0
        """The last template of which a win was told."""
        self.told = 0
        """Shares and wins told so far."""

    def add(
        self,
        assignment: int,
        template: int,
        drawn: int,
        found: Iterable[Share],
        targets: tuple[int, int],
        now: float,
    ) -> None:
        """Count tickets and what was found among them.

        Args:
            targets: of shares, and of wins.
        """
        if self._place != (assignment, template):
            self.flush(now)
            self._place = assignment, template
        self._drawn += drawn
        share_target, win_target = targets
        is_urgent = False
        for share in found:
            digest = int.from_bytes(share.digest, "big")
            is_first_win = digest <= win_target and self._won != template
            if is_first_win:
                self._won, is_urgent = template, True
            if digest <= share_target or is_first_win:
                self._shares.append(share)
        passed = now - self._sent_at
        if is_urgent or passed >= RESULT_S or (self._shares and passed >= SHARES_S):
            self.flush(now)

    def flush(self, now: float, *, is_last: bool = False) -> None:
        """Send what was collected; `is_last` ends a piece, whose assignment was added last."""
        if self._place is None or not (self._drawn or self._shares or is_last):
            return
        assignment, template = self._place
        shares, drawn = self._shares, self._drawn
        self._shares, self._drawn, self._sent_at = [], 0, now
        self.told += len(shares)
        while len(shares) > MAX_SHARES:
            self._send(Result(assignment, template, 0, tuple(shares[:MAX_SHARES]), False))
            shares = shares[MAX_SHARES:]
        self._send(Result(assignment, template, drawn, tuple(shares), is_last))
