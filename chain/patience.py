"""How long a body is waited for before its branch gives way.

A header alone proves nothing: its seal's digest is only claimed, so a branch of headers that looks heavy costs
nobody anything. What proves it is the first body, with its witness. A branch whose first missing body does not
come in time is stalled: it no longer counts as the best header chain until that body is here, and after a
longer time it is forgotten, so that such headers cannot fill the memory.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from inos.chain.entry import Entry, iterate_subtree
from inos.primitives.units import DurationMs, TimeMs

STALL_MS: Final = DurationMs(20_000)
FORGET_MS: Final = DurationMs(600_000)
"""After it stalled."""


class Patience:
    """The bodies waited for: each the lowest missing one of its branch. Time is what the ledger was told last."""

    def __init__(self) -> None:
        self._now: TimeMs | None = None
        self._wanted: dict[Entry, TimeMs | None] = {}
        """By when the wait began, the longest first; None until the time is known."""
        self._stalled: dict[Entry, TimeMs] = {}

    def list_wanted(self) -> list[Entry]:
        return [*self._wanted, *self._stalled]

    def on_header(self, entry: Entry) -> None:
        """A new header without its body."""
        if entry.parent is not None and entry.parent.is_linked:
            self._wanted[entry] = self._now

    def on_body(self, entry: Entry) -> list[Entry]:
        """The first missing body of a branch came: the next ones are waited for, and the branch counts again.

        Returns:
            All that was stalled and is not any more.
        """
        revived = []
        if entry.is_stalled:
            revived = list(iterate_subtree(entry))
            for each in revived:
                each.is_stalled = False
        self.drop(entry)
        for frontier in _iterate_frontier(entry):
            if frontier.invalid is None:
                self._wanted[frontier] = self._now
        return revived

    def drop(self, entry: Entry) -> None:
        """Nobody waits for this one any more."""
        self._wanted.pop(entry, None)
        self._stalled.pop(entry, None)

    def tick(self, now_ms: TimeMs) -> list[Entry]:
        """Mark what stalls now; what is to be forgotten with all its descendants, none of which has a body."""
        if self._now is None:
            self._wanted = dict.fromkeys(self._wanted, now_ms)
        self._now = now = TimeMs(max(now_ms, self._now or 0))
        for root in _take_due(self._wanted, now - STALL_MS):
            self._stalled[root] = now
            for entry in iterate_subtree(root):
                entry.is_stalled = True
        due = _take_due(self._stalled, now - FORGET_MS)
        forgotten: list[Entry] = []
        for root in due:
            # A body further up cost work: such a branch is worth its memory.
            if any(entry.has_body for entry in iterate_subtree(root)):
                self._stalled[root] = now
            else:
                forgotten.append(root)
        return forgotten

    def give_up(self, count: int) -> list[Entry]:
        """What has been waited for longest, `count` headers or more: forgotten before its time, as memory is short.

        What stalls goes first. A branch with a body further up cost work, and is kept; with nothing else it is fewer.
        """
        given_up: list[Entry] = []
        for waits in (self._stalled, self._wanted):
            for root in list(waits):
                if count <= 0:
                    return given_up
                branch = list(iterate_subtree(root))
                if not any(entry.has_body for entry in branch):
                    del waits[root]
                    given_up.append(root)
                    count -= len(branch)
        return given_up


def _take_due(waits: dict[Entry, TimeMs | None] | dict[Entry, TimeMs], until: int) -> list[Entry]:
    """Remove and return those that began at `until` or before; they are in order."""
    count = 0
    for since in waits.values():
        if since is None or since > until:
            break
        count += 1
    due = list(islice(waits, count))
    for entry in due:
        del waits[entry]
    return due


def _iterate_frontier(entry: Entry) -> Iterator[Entry]:
    """The lowest blocks without bodies above a linked one."""
    waiting = [entry]
    while waiting:
        for child in waiting.pop().children:
            if child.is_linked:
                waiting.append(child)
            elif not child.has_body:
                yield child
