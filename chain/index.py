"""The tree of headers, which parts of each block are stored, and which branch is best.

In memory are all blocks that a choice between branches may concern: the connected ones from `root` on, and all branches
that no final block excludes. `trim` moves `root` up as the chain grows. The connected blocks below are on disk, from
where `inos.chain.loader` reads those that are needed; so memory does not grow with the chain.
"""

from collections.abc import Iterator

from inos.chain.entry import Entry, get_ancestor, iterate_subtree
from inos.chain.headers import HeaderRecords
from inos.chain.invariants import check_index
from inos.chain.loader import EntryLoader
from inos.chain.missing import list_missing
from inos.chain.patience import Patience
from inos.chain.trimming import Trim, plan_trim, sever
from inos.chain.vouching import VouchedWork
from inos.consensus.forkchoice import NEVER, compute_chain_weight, is_late
from inos.consensus.params import Params
from inos.primitives.blocks import Header
from inos.primitives.units import BlockId, TimeMs, Weight


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

    def __init__(self, params: Params, genesis_id: BlockId, genesis: Header, records: HeaderRecords) -> None:
        self._params = params
        self._entries: dict[BlockId, Entry] = {}
        self.loader = EntryLoader(records, self._entries)
        self.genesis = Entry(genesis_id, genesis, None, Weight(0), 0, has_body=True, is_linked=True)
        self._entries[genesis_id] = self.genesis
        self._arrivals = 0
        self._connections = 0
        self.genesis.connected = 0
        self.tip = self.genesis
        """The last connected block; the ledger moves it."""
        self.root = self.genesis
        """The lowest connected block in memory."""
        self.recorded_root = self.genesis.height
        """The height of the root that a restart begins with: see META_ROOT in inos.chain.schema."""
        self.strays: set[Entry] = set()
        """The first blocks of the branches in memory that fork off below the root."""
        self.best_header = self.genesis
        """The best of the headers that are not stalled and not known to be invalid."""
        self.vouched = VouchedWork(params)
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
        return self._entries.get(block) or self.loader.find(block)

    def find_child(self, block: BlockId, parent: Entry) -> Entry | None:
        """Return a known block whose parent is known. All children of a block in memory are in memory too, except those
        of genesis, so nothing is read from disk for them.
        """
        found = self._entries.get(block)
        has_all_children = parent.id in self._entries and parent is not self.genesis
        return found if found is not None or has_all_children else self.loader.find(block)

    def holds(self, block: BlockId) -> bool:
        return block in self._entries

    def __len__(self) -> int:
        """Return the number of blocks in memory."""
        return len(self._entries)

    def restore(self, root: Entry) -> None:
        """Begin an empty index with a connected block read from disk, as root and tip."""
        self.root = self.tip = self.best_header = self.heaviest = root
        self.recorded_root = root.height
        self._entries[root.id] = root

    def add(self, block: BlockId, header: Header, parent: Entry, arrival: int | None = None) -> Entry:
        """Index a header whose parent is known and which passed its checks."""
        if arrival is None:  # the parent's may be higher after a restart that did not read the parent
            arrival = max(self._arrivals, parent.arrival) + 1
        self._arrivals = max(self._arrivals, arrival)
        entry = Entry(block, header, parent, compute_chain_weight(parent.weight, header), arrival)
        entry.invalid, entry.is_stalled, entry.late = parent.invalid, parent.is_stalled, parent.late
        parent.children.append(entry)
        self._entries[block] = entry
        if parent.height < self.root.height and (parent is self.genesis or parent.id not in self._entries):
            self.strays.add(entry)
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
        """Note that `entry`, the tip, was disconnected. If it was the root, its parent becomes the root."""
        parent = entry.parent or self.genesis
        if entry is self.root:
            entry.link = parent
            self.root = parent
            self._entries[parent.id] = parent
            self.strays.difference_update(parent.children)
            parent.children.append(entry)
        self.tip = parent
        self._consider(entry)

    def plan_trim(self) -> Trim | None:
        """Return what `trim` would drop, or None if it is not worth while or the last final block is not connected."""
        if not self.is_connected(self.final):
            return None
        return plan_trim(self.root, self.tip, self.final, self.strays)

    def trim(self, plan: Trim) -> None:
        """Move the root up, and drop what is below it and what the last final block excludes.

        Everything dropped must be on disk, with what `make_trim_batch` returns.
        """
        self.loader.remember([*plan.buried, *plan.excluded])
        sever(plan, self.tip, self.loader)
        for entry in plan.buried:
            if entry is not self.genesis:
                del self._entries[entry.id]
        for entry in plan.excluded:
            del self._entries[entry.id]
            self.unproven -= not entry.has_body and entry.invalid is None
            self._patience.drop(entry)
        self.root, self.recorded_root, self.strays = plan.root, plan.root.height, plan.strays
        self.loader.late = plan.root.late
        self.side.difference_update(plan.excluded)
        self._held.difference_update(plan.excluded)

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
        self.side = {entry for entry in self.side if not self.is_connected(entry)}
        self.prune_side()
        self._choose_best()

    def is_after_final(self, entry: Entry) -> bool:
        """Return True if the block is the last final one or descends from it."""
        if self.final is self.genesis:
            return True
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
        for each in self._entries.values():
            if each.is_held:
                self._hold(each)
            self._consider(each)
        self.side = {each for each in self.side if not self.is_connected(each)}
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

    def tick(self, now_ms: TimeMs) -> list[Entry]:
        """Mark the branches whose bodies are overdue, and return the headers that were forgotten for that reason."""
        return self._forget(self._patience.tick(now_ms))

    def make_room(self, limit: int) -> list[Entry]:
        """Forget the headers that were waited for longest, a sixteenth of `limit` or more, if `limit` headers are
        unproven.

        Old headers give way to new ones: otherwise a peer that fills the room would keep the next block out.

        Returns:
            The forgotten headers.
        """
        if self.unproven < limit:
            return []
        return self._forget(self._patience.give_up(self.unproven - limit + max(1, limit // 16)))

    def _forget(self, roots: list[Entry]) -> list[Entry]:
        lost = [entry for root in roots for entry in iterate_subtree(root)]
        for entry in lost:
            del self._entries[entry.id]
            self.unproven -= entry.invalid is None
            self._held.discard(entry)
            self.strays.discard(entry)
        if self.pledged is not None and self.pledged.id not in self._entries:
            self.pledged = None
        for parent in {root.parent for root in roots if root.parent is not None}:
            parent.children = [child for child in parent.children if child.id in self._entries]
        if self.best_header.is_stalled or not {self.best_header.id, self.heaviest.id} <= self._entries.keys():
            self._choose_best()
        return lost

    def list_missing(self, limit: int) -> list[BlockId]:
        """Return at most `limit` ids of wanted bodies: the pledged chain's, the best header's, the heaviest one's."""
        ends = dict.fromkeys(end for end in (self.pledged, self.best_header, self.heaviest) if end is not None)
        return list_missing(ends, self.root, limit)

    def check_invariants(self) -> None:
        """Check that all fields follow from the entries. Only tests call this, as it reads every entry.

        Raises:
            AssertionError: names the field that does not.
        """
        self._patience.check_invariants(check_index(self, self._entries, self._held))

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
