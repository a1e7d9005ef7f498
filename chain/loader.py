"""Entries of blocks that the index does not hold in memory: they are made from their records when they are needed.

Two kinds of blocks are not held: connected ones below the index's root, and ones on branches that a final block
excludes. While anything refers to such an entry, every look-up returns the same object.
"""

from collections.abc import Iterable, Mapping
from threading import RLock
from weakref import WeakValueDictionary

from inos.chain.entry import Entry
from inos.chain.headers import HeaderRecords, get_weight
from inos.chain.schema import StoredHeader
from inos.primitives.units import BlockId


class EntryLoader:
    """Makes entries from `records`. Any thread may call its methods.

    Args:
        live: the entries that the index holds. A header is in `live` before it is recorded.
    """

    def __init__(self, records: HeaderRecords, live: Mapping[BlockId, Entry]) -> None:
        self._records = records
        self._live = live
        self._loaded: WeakValueDictionary[BlockId, Entry] = WeakValueDictionary()
        self._lock = RLock()
        self.late = 0
        """The number of late blocks that is assumed for the connected blocks below the root: it is the root's own, so
        that a branch from below is never preferred for it.
        """

    def find(self, block: BlockId) -> Entry | None:
        """Return a block's entry, or None if the block is unknown: see the module's text for which are known."""
        with self._lock:
            path: list[tuple[BlockId, StoredHeader]] = []
            while (entry := self._live.get(block) or self._loaded.get(block)) is None:
                record = self._records.get(block)
                if record is None:
                    return None
                if block in self._live:
                    continue
                if self._records.get_id(record.header.height) == block:
                    entry = self._make_connected(block, record)
                    break
                if not self._records.has_body(block):
                    return None
                path.append((block, record))
                block = BlockId(record.header.parent)
            for each, record in reversed(path):
                entry = self._make_excluded(each, record, entry)
            return entry

    def find_parent(self, entry: Entry) -> Entry | None:
        """Return the parent of an entry that does not refer to it."""
        return self.find(BlockId(entry.header.parent))

    def find_ancestor(self, entry: Entry, height: int) -> Entry | None:
        """Return the ancestor at `height` if the entry is connected, and its parent otherwise; None if it is not
        recorded.
        """
        is_connected = self._records.get_id(entry.height) == entry.id
        block = self._records.get_id(height) if is_connected else None
        return self.find_parent(entry) if block is None else self.find(block)

    def remember(self, entries: Iterable[Entry]) -> None:
        """Return these entries, which the index is about to drop, as long as anything refers to them."""
        with self._lock:
            for entry in entries:
                self._loaded[entry.id] = entry

    def _make_connected(self, block: BlockId, record: StoredHeader) -> Entry:
        first = self._records.get_id(1)
        entry = Entry(
            block,
            record.header,
            None,
            get_weight(record),
            record.arrival,
            below=self,
            first=None if first is None or first == block else self.find(first),
            has_body=True,
            is_linked=True,
            late=self.late,
        )
        entry.first = entry.first or entry
        self._loaded[block] = entry
        return entry

    def _make_excluded(self, block: BlockId, record: StoredHeader, parent: Entry) -> Entry:
        entry = Entry(block, record.header, parent, get_weight(record), record.arrival, has_body=True)
        entry.is_linked = parent.is_linked
        entry.invalid = parent.invalid or self._records.get_invalid(block)
        self._loaded[block] = entry
        return entry
