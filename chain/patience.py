"""How long the chain waits for a block's body before it stops preferring the branch.

A header alone proves nothing. Its seal's digest is only claimed, so a branch of headers that looks heavy costs nothing.
The first body proves it, with its witness. A branch whose first missing body does not arrive in time is stalled: it no
longer counts as the best header chain until that body arrives. After a longer time it is forgotten, so that such
headers cannot fill the memory.
"""

from collections.abc import Collection, Iterator
from itertools import islice
from typing import Final

from inos.chain.entry import Entry, iterate_subtree
from inos.primitives.units import DurationMs, TimeMs

STALL_MS: Final = DurationMs(20_000)
FORGET_MS: Final = DurationMs(600_000)
"""The time from stalling until the branch is forgotten."""


class Patience:
    """The bodies that are waited for: the lowest missing one of each branch. The time is the one last given to the
    ledger.
    """

    def __init__(self) -> None:
        self._now: TimeMs | None = None
        self._wanted: dict[Entry, TimeMs | None] = {}
        """The wait of each began before this time, the longest wait first; None until the time is known."""
        self._stalled: dict[Entry, TimeMs] = {}

    def list_wanted(self) -> list[Entry]:
        return [*self._wanted, *self._stalled]

    def on_header(self, entry: Entry) -> None:
        """Add a new header without its body."""
        if entry.parent is not None and entry.parent.is_linked:
            self._wanted[entry] = self._now

    def on_body(self, entry: Entry) -> list[Entry]:
        """Wait for the next bodies of a branch whose first missing body arrived, and let the branch count again.

        Returns:
            The blocks that are no longer stalled.
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
        """Stop waiting for this block."""
        self._wanted.pop(entry, None)
        self._stalled.pop(entry, None)

    def tick(self, now_ms: TimeMs) -> list[Entry]:
        """Mark the branches that stall now, and return the blocks to forget with their descendants, none of which has a
        body.
        """
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
            # A later body of the branch cost work, so the branch is worth its memory.
            if any(entry.has_body for entry in iterate_subtree(root)):
                self._stalled[root] = now
            else:
                forgotten.append(root)
        return forgotten

    def give_up(self, count: int) -> list[Entry]:
        """Return `count` or more headers with the longest wait, to be forgotten early because memory is short.

        Stalled branches go first. A branch with a later body cost work and is kept; if only such branches are left,
        fewer headers are returned.
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

    def check_invariants(self, open_: Collection[Entry]) -> None:
        """Check the bodies waited for against `open_`, all entries that are valid and above the last final block.

        Raises:
            AssertionError: names what does not fit.
        """
        assert not self._wanted.keys() & self._stalled.keys(), "a body is waited for twice"
        first_missing = {
            entry for entry in open_ if not entry.has_body and entry.parent is not None and entry.parent.is_linked
        }
        waited_for = {entry for entry in self.list_wanted() if entry in open_}
        assert waited_for == first_missing, "bodies waited for"
        stalled = {entry for root in self._stalled for entry in iterate_subtree(root) if entry in open_}
        assert stalled == {entry for entry in open_ if entry.is_stalled}, "stalled"


def _take_due(waits: dict[Entry, TimeMs | None] | dict[Entry, TimeMs], until: int) -> list[Entry]:
    """Remove and return those whose wait began at `until` or before; they are in order."""
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
    """Return the lowest blocks without bodies above a linked one."""
    waiting = [entry]
    while waiting:
        for child in waiting.pop().children:
            if child.is_linked:
                waiting.append(child)
            elif not child.has_body:
                yield child
