"""All known blocks in memory: the tree of headers, which parts of each block are stored, and which branch is best."""

from collections.abc import Iterator
from itertools import islice

from inos.chain.entry import (
    Entry,
    Tip,
    check_entries,
    find_fork,
    get_ancestor,
    iterate_back,
    iterate_subtree,
    list_missing,
)
from inos.chain.patience import Patience
from inos.consensus.context import AsertAnchor, HeaderContext
from inos.consensus.forkchoice import NEVER, compute_chain_weight, is_late
from inos.consensus.params import Params
from inos.primitives.blocks import Header, get_target
from inos.primitives.randomness import Randomness
from inos.primitives.units import BlockId, TimeMs, Weight

__all__ = ["BlockIndex", "Entry", "Tip"]


class BlockIndex:
    """The tree of headers under genesis.

    `inos.consensus.forkchoice` defines the order of branches.
    A header only claims its seal's digest: the witness that proves it comes with the body. So a branch whose next body
    does not come gives way to others (see `patience`).

    | an entry is | has_body | is_linked | is_held | is_stalled | invalid | it leaves this state |
    |---|---|---|---|---|---|---|
    | wanted: a header | no | no | any | no | no | its body comes, or does not in time, or it is condemned |
    | stalled | no | no | any | yes | no | the first missing body of its branch comes, or it is forgotten |
    | waiting: a body without its parent's | yes | no | any | any | no | the bodies below it come |
    | candidate | yes | yes | no | no | no | it is connected, held, condemned, or a final block excludes it |
    | held for matrices | yes | yes | yes | no | no | `release_held` makes it a candidate |
    | connected: the tip and its ancestors | yes | yes | no | no | no | a better branch takes its place |
    | condemned | any | any | any | any | yes | never |

    If a block is condemned or held, so are its descendants. `side` contains every candidate that outweighs the tip, and
    possibly lighter ones. `check_invariants` checks what else always holds.
    """

    def __init__(self, params: Params, genesis_id: BlockId, genesis: Header) -> None:
        self._params = params
        self._entries: dict[BlockId, Entry] = {}
        self.genesis = Entry(genesis_id, genesis, None, Weight(0), 0, has_body=True, is_linked=True)
        self._entries[genesis_id] = self.genesis
        self._arrivals = 0
        self._connections = 0
        self.genesis.connected = 0
        self.tip = self.genesis
        """The last connected block; the ledger moves it."""
        self.best_header = self.genesis
        """The best of the headers that are not stalled and not known to be invalid."""
        self._vouched: Entry | None = None
        """A header whose work was checked by a sample; a restart forgets it."""
        self.heaviest = self.genesis
        """The best of all headers that are not known to be invalid."""
        self.side: set[Entry] = set()
        """Blocks to which a reorganisation may move: linked, valid, not held, and not on the connected chain."""
        self.final = self.genesis
        """The last final block. A block that does not descend from it is no candidate, however heavy it is."""
        self.pledged: Entry | None = None
        """A block that received votes show to be final and that is not connected yet: its missing bodies are requested
        first.
        """
        self._held: set[Entry] = set()
        self._patience = Patience()
        self.unproven = 0
        """The number of headers that are not condemned and have no body: nothing shows yet that they were mined."""

    def get(self, block: BlockId) -> Entry | None:
        return self._entries.get(block)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, block: BlockId, header: Header, parent: Entry, arrival: int | None = None) -> Entry:
        """Index a header whose parent is known and which passed its checks."""
        self._arrivals = self._arrivals + 1 if arrival is None else max(self._arrivals, arrival)
        weight = compute_chain_weight(parent.weight, header)
        entry = Entry(block, header, parent, weight, self._arrivals if arrival is None else arrival)
        entry.invalid, entry.is_stalled, entry.late = parent.invalid, parent.is_stalled, parent.late
        parent.children.append(entry)
        self._entries[block] = entry
        if entry.invalid is None:
            self.unproven += 1
            self._patience.on_header(entry)
            self._compare(entry)
        return entry

    def set_body(self, entry: Entry, now_ms: TimeMs | None = None) -> None:
        """Note that the body is stored, and make the blocks that are now linked to genesis candidates."""
        entry.body_ms = now_ms
        self.unproven -= not entry.has_body and entry.invalid is None
        entry.has_body = True
        if entry.parent is None or not entry.parent.is_linked:
            return
        waiting = [entry]
        while waiting:
            linked = waiting.pop()
            linked.is_linked = True
            if linked.parent is not None and linked.parent.is_held:
                self._hold(linked)
            self._consider(linked)
            waiting += [child for child in linked.children if child.has_body and not child.is_linked]
        for revived in self._patience.on_body(entry):
            self._compare(revived)

    def set_invalid(self, entry: Entry, code: str, reason: str) -> None:
        """Condemn a block and all its descendants."""
        for condemned in iterate_subtree(entry):
            self.unproven -= not condemned.has_body and condemned.invalid is None
            condemned.invalid = condemned.invalid or (code, reason)
            self.side.discard(condemned)
            self._held.discard(condemned)
            self._patience.drop(condemned)
        if self.pledged is not None and self.pledged.invalid is not None:
            self.pledged = None
        if self.best_header.invalid is not None or self.heaviest.invalid is not None:
            self._choose_best()

    def vouch(self, entry: Entry) -> None:
        """Count the work up to `entry` as checked."""
        self._vouched = entry

    def is_vouched(self, entry: Entry) -> bool:
        """Return True if the results of a block lie so deep below checked work that they count as checked."""
        top = self._vouched
        if top is None or top.invalid is not None or entry.height >= top.height - self._params.result_depth:
            return False
        return get_ancestor(top, entry.height) is entry

    def draw_by_weight(self, count: int, rng: Randomness) -> tuple[Entry, ...]:
        """Draw headers between the tip's branch and the best header, each with a chance by its weight."""
        best, base = self.best_header, find_fork(self.best_header, self.tip)
        drawn = []
        for _ in range(count):
            # weights fit 64 bits a block; 128 random bits leave no bias that matters
            goal = base.weight + rng.getrandbits(128) % (best.weight - base.weight)
            low, high = int(base.height), int(best.height)
            while low + 1 < high:
                middle = (low + high) // 2
                if get_ancestor(best, middle).weight > goal:
                    high = middle
                else:
                    low = middle
            drawn.append(get_ancestor(best, high))
        return tuple(drawn)

    def set_held(self, entry: Entry, *, lacks_matrices: bool) -> None:
        """Hold a block that cannot be checked yet, and its descendants, so that they are no candidates for now."""
        entry.lacks_matrices = lacks_matrices
        for held in iterate_subtree(entry):
            self._hold(held)
            self.side.discard(held)

    def _hold(self, entry: Entry) -> None:
        entry.is_held = True
        if entry.invalid is None and self.is_after_final(entry):
            self._held.add(entry)

    def release_held(self, now_ms: TimeMs | None = None) -> None:
        """Make held blocks candidates again, and mark those that waited too long for matrices as late."""
        released, self._held = self._held, set()
        for entry in released:
            waited_ms = now_ms - entry.body_ms if now_ms is not None and entry.body_ms is not None else 0
            if entry.lacks_matrices and is_late(self._params, waited_ms):
                self._set_late(entry)
            entry.is_held = entry.lacks_matrices = False
            self._consider(entry)

    def _set_late(self, entry: Entry) -> None:
        if entry.is_late:
            return
        entry.is_late = True
        marked = list(iterate_subtree(entry))
        for each in marked:
            each.late += 1
        if self.best_header in marked or self.heaviest in marked:
            self._choose_best()

    def set_active(self, entry: Entry) -> None:
        """Note that `entry` was connected on top of the tip."""
        self._note_connected(entry)
        self.tip = entry
        self.side.discard(entry)

    def set_inactive(self, entry: Entry) -> None:
        """Note that `entry`, the tip, was disconnected."""
        self.tip = entry.parent or self.genesis
        self._consider(entry)

    def adopt(self, base: Entry) -> None:
        """Count the chain up to `base` as linked: the state of `base` is stored, and the missing bodies up to it are
        not needed.
        """
        entry: Entry | None = base
        while entry is not None and not entry.is_linked:
            self.unproven -= not entry.has_body and entry.invalid is None
            entry.has_body = entry.is_linked = True
            entry.is_stalled = entry.is_stalled and entry is base
            self._patience.drop(entry)
            entry = entry.parent
        for revived in self._patience.on_body(base):
            self._compare(revived)

    def restore_tip(self, tip: Entry) -> None:
        """Make the chain up to `tip`, as read from the database, the connected one."""
        self._note_connected(tip)
        self.tip = tip
        self.side.difference_update(iterate_back(tip))
        self.prune_side()
        self._choose_best()

    def is_after_final(self, entry: Entry) -> bool:
        """Return True if the block is the last final one or descends from it."""
        return entry.height >= self.final.height and get_ancestor(entry, self.final.height) is self.final

    def set_final(self, entry: Entry) -> None:
        """Make `entry` the last final block: branches that leave the chain below it are no candidates any more."""
        self.final = entry
        if self.pledged is not None and not self.is_after_final(self.pledged):
            self.pledged = None
        self.side = {each for each in self.side if self.is_after_final(each)}
        self._held = {each for each in self._held if self.is_after_final(each)}
        if not (self.is_after_final(self.best_header) and self.is_after_final(self.heaviest)):
            self._choose_best()

    def pledge(self, entry: Entry) -> bool:
        """Note that votes show `entry` to be final, so that its bodies are wanted however light the branch is.

        Returns:
            False if nothing changes: the block is pledged or connected already, invalid, or off the final chain.
        """
        is_known = entry is self.pledged or entry.invalid is not None or not self.is_after_final(entry)
        if is_known or self.is_connected(entry):
            return False
        self.pledged = entry
        return True

    def redeem(self) -> bool:
        """Make the pledged block final once all bodies up to it are stored; the tip must then move to its chain.

        `reopen` takes this back if that chain turns out not to be connectable.
        """
        pledged = self.pledged
        if pledged is None or not pledged.is_linked or pledged.is_held:
            return False
        self.pledged = None
        if pledged.invalid is not None or self.is_connected(pledged):
            return False
        self._open(pledged)
        return True

    def reopen(self, final: Entry) -> None:
        """Return to an earlier final block, because the later one cannot be connected."""
        self._open(final)

    def _open(self, final: Entry) -> None:
        """Set the last final block, and make every block above it that could be connected a candidate, however light it
        is.
        """
        self.set_final(final)
        for each in iterate_subtree(final):
            if each.is_held:
                self._hold(each)
            self._consider(each)
        self.side.difference_update(iterate_back(self.tip))
        self._choose_best()

    def is_connected(self, entry: Entry) -> bool:
        """Return True if the block is on the connected chain."""
        return entry.height <= self.tip.height and get_ancestor(self.tip, entry.height) is entry

    def find_best_side(self) -> Entry | None:
        """Return the best candidate if it is better than the tip or if the tip is off the final chain, else None."""
        best = max(self.side, key=lambda entry: entry.preference, default=None)
        if best is None or not self.is_after_final(self.tip):
            return best
        return best if best.preference > self.tip.preference else None

    def prune_side(self) -> None:
        """Drop the candidates that are not better than the tip: its preference never falls, so only new blocks can
        bring them back.
        """
        if self.is_after_final(self.tip):
            self.side = {entry for entry in self.side if entry.preference > self.tip.preference}

    def tick(self, now_ms: TimeMs) -> list[BlockId]:
        """Mark the branches whose bodies are overdue, and return the ids of headers that were forgotten for that
        reason.
        """
        return self._forget(self._patience.tick(now_ms))

    def make_room(self, limit: int) -> list[BlockId]:
        """Forget the headers that were waited for longest, a sixteenth of `limit` or more, if `limit` headers are
        unproven.

        Old headers give way to new ones: otherwise a peer that fills the room would keep the next block out.

        Returns:
            The ids of the forgotten headers.
        """
        if self.unproven < limit:
            return []
        return self._forget(self._patience.give_up(self.unproven - limit + max(1, limit // 16)))

    def _forget(self, roots: list[Entry]) -> list[BlockId]:
        lost = [entry for root in roots for entry in iterate_subtree(root)]
        gone = [entry.id for entry in lost]
        for entry in lost:
            del self._entries[entry.id]
            self.unproven -= entry.invalid is None
            self._held.discard(entry)
        if self.pledged is not None and self.pledged.id not in self._entries:
            self.pledged = None
        for parent in {root.parent for root in roots if root.parent is not None}:
            parent.children = [child for child in parent.children if child.id in self._entries]
        if self.best_header.is_stalled or not {self.best_header.id, self.heaviest.id} <= self._entries.keys():
            self._choose_best()
        return gone

    def list_missing(self, limit: int) -> list[BlockId]:
        """Return at most `limit` ids whose bodies are wanted, each chain from its lowest block: the pledged chain, then
        the best header's, then the heaviest one if it differs.
        """
        missing = [] if self.pledged is None else list_missing(self.pledged, limit)
        if len(missing) < limit:
            missing += [block for block in list_missing(self.best_header, limit) if block not in missing]
            missing = missing[:limit]
        if self.heaviest is not self.best_header and len(missing) < limit:
            seen = set(missing)
            others = [block for block in list_missing(self.heaviest, limit) if block not in seen]
            missing += others[: limit - len(missing)]
        return missing

    def make_context(self, parent: Entry) -> HeaderContext:
        """Return what the rules need to know about the ancestors of a new header on `parent`."""
        times = [TimeMs(e.header.time_ms) for e in islice(iterate_back(parent), self._params.median_time_blocks)]
        first = parent.first
        anchor = None
        if first is not None:
            anchor = AsertAnchor(first.height, TimeMs(first.header.time_ms), get_target(first.header))
        return HeaderContext(parent.header, parent.id, tuple(reversed(times)), anchor)

    def check_invariants(self) -> None:
        """Check that all fields follow from the entries. Only tests call this, as it reads every entry.

        Raises:
            AssertionError: names the field that does not.
        """
        check_entries(self._entries, self.genesis)
        entries = set(self._entries.values())
        valid = {entry for entry in entries if entry.invalid is None}
        open_ = {entry for entry in valid if self.is_after_final(entry)}
        assert self.unproven == sum(not entry.has_body for entry in valid), "unproven"
        assert self._held == {entry for entry in open_ if entry.is_held}, "held"
        candidates = {
            entry for entry in open_ if entry.is_linked and not entry.is_held and not self.is_connected(entry)
        }
        assert self.side <= candidates, "side has a block that is no candidate"
        assert self.side >= {entry for entry in candidates if entry.weight > self.tip.weight}, "side lacks a candidate"
        assert {self.tip, self.final, self.best_header, self.heaviest} <= entries, "a block is not indexed"
        assert self.tip.is_linked, "the tip is not linked"
        assert self.heaviest.weight == max(entry.weight for entry in open_), "heaviest"
        assert self.best_header.weight == max(entry.weight for entry in open_ if not entry.is_stalled), "best header"
        assert self.pledged is None or (self.pledged in open_ and not self.is_connected(self.pledged)), "pledged"
        self._patience.check_invariants(open_)

    def _consider(self, entry: Entry) -> None:
        if entry.is_linked and entry.invalid is None and not entry.is_held and self.is_after_final(entry):
            self.side.add(entry)

    def _compare(self, entry: Entry) -> None:
        if entry.invalid is not None or not self.is_after_final(entry):
            return
        if entry.preference > self.heaviest.preference:
            self.heaviest = entry
        if not entry.is_stalled and entry.preference > self.best_header.preference:
            self.best_header = entry

    def _note_connected(self, entry: Entry) -> None:
        if entry.connected == NEVER:
            self._connections += 1
            entry.connected = self._connections

    def _choose_best(self) -> None:
        """Compute the best header and the heaviest one again. Only the tip, candidates, held blocks, and branches with
        missing bodies are compared, since all other blocks are lighter.
        """
        self.best_header = self.heaviest = self.tip if self.is_after_final(self.tip) else self.final
        for entry in self._list_hopefuls():
            self._compare(entry)

    def _list_hopefuls(self) -> Iterator[Entry]:
        yield from self.side
        yield from self._held
        for root in self._patience.list_wanted():
            yield from (entry for entry in iterate_subtree(root) if entry.invalid is None)
