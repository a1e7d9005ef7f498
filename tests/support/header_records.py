"""What a database would hold of the blocks of an index, in memory."""

from inos.chain.blocks import encode_weight
from inos.chain.entry import Entry, iterate_back
from inos.chain.schema import StoredHeader
from inos.primitives.units import BlockId


class MemoryRecords:
    """The `HeaderRecords` of an index without a database. `save` records a block, `connect` the connected chain."""

    def __init__(self) -> None:
        self.headers: dict[BlockId, StoredHeader] = {}
        self.bodies: set[BlockId] = set()
        self.invalid: dict[BlockId, tuple[str, str]] = {}
        self.active: dict[int, BlockId] = {}

    def save(self, entry: Entry) -> None:
        self.headers[entry.id] = StoredHeader(entry.header, entry.arrival, encode_weight(entry.weight))

    def connect(self, tip: Entry) -> None:
        """Make the chain up to `tip` the connected one."""
        for height in [height for height in self.active if height > tip.height]:
            del self.active[height]
        for entry in iterate_back(tip):
            if self.active.get(entry.height) == entry.id:
                break
            self.active[entry.height] = entry.id

    def get(self, block: BlockId) -> StoredHeader | None:
        return self.headers.get(block)

    def get_id(self, height: int) -> BlockId | None:
        return self.active.get(height)

    def get_invalid(self, block: BlockId) -> tuple[str, str] | None:
        return self.invalid.get(block)

    def has_body(self, block: BlockId) -> bool:
        return block in self.bodies
