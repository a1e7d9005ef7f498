"""Counts one worker's shares: each is recomputed, and none counts twice."""

import asyncio
from typing import Final

from msgspec import Struct

from inos.core.bounded import TokenBucket
from inos.primitives.blocks import compute_difficulty
from inos.primitives.units import Target, Tickets
from inos.workers.errors import Offence
from inos.workers.limits import SHARES_BURST, SHARES_PER_S, STRANGER_WINDOW_S
from inos.workers.messages import Share, Totals
from inos.workers.ports import WorkerInfo
from inos.workers.server.rates import Window
from inos.workers.server.shared import Shared
from inos.workers.server.shares import Drawing, check_digests, check_places, open_win
from inos.workers.server.templates import IssuedTemplate

INLINE_SHARES: Final = 2
"""So many shares are recomputed at once on the event loop; handing them to a thread takes as long."""

SHARES_IN_ROW: Final = 8
"""After so many shares of one worker, about a millisecond, others run: the messages of a burst are there at once."""


class SentTemplate(Struct, eq=False):
    """A template as one worker has it."""

    target: Target
    """Shares of this template count under this target, whatever assignment they are of."""
    seen: set[tuple[int, int, int, int]]
    """The places of the tickets that were told."""


class ShareCounter:
    """Keeps what a connection has shown so far.

    Args:
        info: the worker; an address in it is paid by the pool.
    """

    def __init__(self, shared: Shared, info: WorkerInfo) -> None:
        self._shared = shared
        self._info = info
        self._clock = shared.node.clock
        self._bucket = TokenBucket(SHARES_PER_S, SHARES_BURST, self._clock.monotonic())
        self._sent: dict[int, SentTemplate] = {}
        self._in_row = 0
        """Shares since this worker last let others run."""
        self.totals = Totals(0, 0, 0, 0)
        self.proven: Final = Window(STRANGER_WINDOW_S)
        """The tickets that its shares stand for."""

    def begin(self, template: int, target: Target) -> None:
        """Count shares of a template that the worker is sent now, and forget those that do not count any more.

        The target is chosen before the worker can draw the first ticket of the template. So no worker chooses under
        which of several targets a ticket that it has drawn already is counted.
        """
        oldest = self._shared.templates.get_oldest()
        self._sent = {number: sent for number, sent in self._sent.items() if number >= oldest}
        self._sent[template] = SentTemplate(target, set())

    async def count(self, shares: tuple[Share, ...], drawing: Drawing, issued: IssuedTemplate) -> int:
        """Check shares of a template that counts, and return how many of them meet the template's share target."""
        sent = self._sent.get(issued.number)
        if not shares or sent is None:
            return 0
        now, shared = self._clock.monotonic(), self._shared
        if not self._bucket.take(now, len(shares)):
            raise Offence("too-fast", f"more than {SHARES_PER_S:g} shares came per second")
        win_target = issued.template.allowed_target
        check_places(shares, drawing, self._info.connection, win_target)
        for share in shares:
            place = share.nonce, share.i, share.j, share.p
            if place in sent.seen:
                raise Offence("duplicate-share", f"ticket {place[1:]} of nonce {share.nonce} came before")
            sent.seen.add(place)
        if self._info.address is not None:
            await self._wait_for_turn(shared.stranger_shares.spend(now, len(shares)), len(shares))
        if len(shares) <= INLINE_SHARES and not drawing.is_piece:  # A piece's operands may have to be read from disk.
            check_digests(shares, drawing, issued)
        else:
            await asyncio.to_thread(check_digests, shares, drawing, issued)
        digests = [int.from_bytes(share.digest, "big") for share in shares]
        counted = sum(digest <= sent.target for digest in digests)
        self._add_shares(counted, int(compute_difficulty(sent.target)), of_piece=drawing.is_piece)
        for share, digest in zip(shares, digests, strict=True):
            if digest <= win_target:
                win = await asyncio.to_thread(open_win, share, drawing)
                shared.submit(shared.templates.submit(issued, share.nonce, win))
        return counted

    async def _wait_for_turn(self, seconds: float, count: int) -> None:
        """Let others run if strangers sent too many shares, or this worker some in a row."""
        self._in_row += count
        if seconds > 0 or self._in_row >= SHARES_IN_ROW:
            self._in_row = 0
            await asyncio.sleep(seconds)

    def _add_shares(self, count: int, weight: int, *, of_piece: bool) -> None:
        if not count:
            return
        self.proven.add(self._clock.monotonic(), count * weight)
        old = self.totals
        self.totals = Totals(old.shares + count, old.tickets + count * weight, 0, 0)
        if self._shared.pool is not None:
            self._shared.pool.add_shares(self._info, Tickets(weight), count, self._clock.now_ms(), of_piece=of_piece)

    def get_totals(self) -> Totals:
        """Return what the worker has here, for an acknowledgement."""
        pool = self._shared.pool
        return self.totals if pool is None or self._info.address is None else pool.get_totals(self._info)
