"""All known blocks in memory: the tree of headers, what is here of each block, and which branch is best."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from msgspec import Struct

from consensus.context import AsertAnchor, HeaderContext
from consensus.forkchoice import compute_chain_weight
from consensus.params import Params
from primitives.blocks import Header, get_target
from primitives.units import BlockId, Height, TimeMs, Weight


class Tip(Struct, frozen=True):
    """A block and the weight of the chain up to it."""

    id: BlockId
    header: Header
    weight: Weight


@dataclass(eq=False, slots=True)
class Entry:
    """One known block. `invalid` is (code, reason) of the rule it or an ancestor breaks."""

    id: BlockId
    header: Header
    parent: "Entry | None"
    weight: Weight
    arrival: int
    first: "Entry | None"
    """Block 1 of this branch, None for genesis."""
    has_body: bool = False
    is_linked: bool = False
    """The bodies of this block and of all its ancestors are here."""
    is_held: bool = False
    """It waits for matrices, or descends from a block that does."""
    invalid: tuple[str, str] | None = None
    children: list["Entry"] = field(default_factory=list)

    @property
    def height(self) -> Height:
        return Height(self.header.height)

    def to_tip(self) -> Tip:
        return Tip(self.id, self.header, self.weight)


class BlockIndex:
    """The tree of headers under genesis.

    Of equal weights the branch that arrived first is better, so every entry keeps its arrival.
    """

    def __init__(self, params: Params, genesis_id: BlockId, genesis: Header) -> None:
        self._params = params
        self._entries: dict[BlockId, Entry] = {}
        self.genesis = Entry(genesis_id, genesis, None, Weight(0), 0, None, has_body=True, is_linked=True)
        self._entries[genesis_id] = self.genesis
        self.best_header = self.genesis
        self.side: set[Entry] = set()
        """Linked, valid, not held, not on the connected chain: what a reorganisation may go to."""
        self._held: set[Entry] = set()

    def get(self, block: BlockId) -> Entry | None:
        return self._entries.get(block)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, block: BlockId, header: Header, parent: Entry, arrival: int | None = None) -> Entry:
        """Index a header whose parent is known and which passed its checks."""
        weight = compute_chain_weight(self._params, parent.weight, header)
        number = len(self._entries) if arrival is None else arrival
        entry = Entry(block, header, parent, weight, number, None, invalid=parent.invalid)
        entry.first = entry if parent.parent is None else parent.first
        parent.children.append(entry)
        self._entries[block] = entry
        if entry.invalid is None and entry.weight > self.best_header.weight:
            self.best_header = entry
        return entry

    def set_body(self, entry: Entry) -> None:
        """The body is here; whatever now hangs on genesis without a gap becomes a candidate."""
        entry.has_body = True
        if entry.parent is None or not entry.parent.is_linked:
            return
        waiting = [entry]
        while waiting:
            linked = waiting.pop()
            linked.is_linked = True
            if linked.parent is not None and linked.parent.is_held:
                linked.is_held = True
                self._held.add(linked)
            self._consider(linked)
            waiting += [child for child in linked.children if child.has_body and not child.is_linked]

    def set_invalid(self, entry: Entry, code: str, reason: str) -> None:
        """Condemn a block and all its descendants."""
        for condemned in _walk(entry):
            condemned.invalid = condemned.invalid or (code, reason)
            self.side.discard(condemned)
        if self.best_header.invalid is not None:
            valid = (e for e in self._entries.values() if e.invalid is None)
            self.best_header = max(valid, key=_preference)

    def set_held(self, entry: Entry) -> None:
        """A block that cannot be checked yet, and its descendants, are no candidates for now."""
        for held in _walk(entry):
            held.is_held = True
            self._held.add(held)
            self.side.discard(held)

    def release_held(self) -> None:
        """Whatever was held may be tried again."""
        released, self._held = self._held, set()
        for entry in released:
            entry.is_held = False
            self._consider(entry)

    def set_active(self, entry: Entry) -> None:
        self.side.discard(entry)

    def set_inactive(self, entry: Entry) -> None:
        self._consider(entry)

    def find_best_side(self) -> Entry | None:
        """The best block a reorganisation could go to."""
        return max(self.side, key=_preference, default=None)

    def make_context(self, parent: Entry) -> HeaderContext:
        """What the rules need to know of a new header's ancestors."""
        times = [TimeMs(e.header.time_ms) for e in _take(iterate_back(parent), self._params.median_time_blocks)]
        first = parent.first
        anchor = None
        if first is not None:
            anchor = AsertAnchor(first.height, TimeMs(first.header.time_ms), get_target(first.header))
        return HeaderContext(parent.header, parent.id, tuple(reversed(times)), anchor)

    def _consider(self, entry: Entry) -> None:
        if entry.is_linked and entry.invalid is None and not entry.is_held:
            self.side.add(entry)


def iterate_back(entry: Entry) -> Iterator[Entry]:
    """The entry, its parent, and so on to genesis."""
    current: Entry | None = entry
    while current is not None:
        yield current
        current = current.parent


def find_fork(a: Entry, b: Entry) -> Entry:
    """The last common ancestor."""
    while a is not b:
        if a.height >= b.height and a.parent is not None:
            a = a.parent
        elif b.parent is not None:
            b = b.parent
    return a


def _walk(entry: Entry) -> Iterator[Entry]:
    waiting = [entry]
    while waiting:
        current = waiting.pop()
        yield current
        waiting += current.children


def _take(entries: Iterable[Entry], count: int) -> Iterator[Entry]:
    for _, entry in zip(range(count), entries, strict=False):
        yield entry


def _preference(entry: Entry) -> tuple[int, int]:
    return entry.weight, -entry.arrival
