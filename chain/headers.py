"""Headers on disk, by height and by id, with a bounded cache of those read last."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from threading import Lock
from typing import Final, Protocol

from inos.chain import schema
from inos.chain.blocks import Records
from inos.chain.schema import MAX_STORED_BYTES, StoredHeader, StoredInvalid
from inos.primitives.codec import decode
from inos.primitives.errors import CodecError
from inos.primitives.units import BlockId, Weight

CACHED: Final = 2048
"""The largest number of cached headers, of some 2 KB each."""


class HeaderRecords(Protocol):
    """What is recorded of blocks that the index does not hold in memory."""

    def get(self, block: BlockId) -> StoredHeader | None: ...

    def get_id(self, height: int) -> BlockId | None:
        """Return the id of the connected block at a height."""

    def get_invalid(self, block: BlockId) -> tuple[str, str] | None:
        """Return the code and the reason for which a block was condemned."""

    def has_body(self, block: BlockId) -> bool: ...


class HeaderStore:
    """The `HeaderRecords` of a database. Any thread may call its methods."""

    def __init__(self, database: Records) -> None:
        self._db = database
        self._cache: OrderedDict[BlockId, StoredHeader] = OrderedDict()
        self._lock = Lock()

    def get(self, block: BlockId) -> StoredHeader | None:
        with self._lock:
            cached = self._cache.get(block)
            if cached is not None:
                self._cache.move_to_end(block)
                return cached
        height = self._db.get(schema.height_key(block))
        data = None if height is None else self._db.get(schema.header_key(schema.decode_height(height), block))
        if data is None:
            return None
        try:
            found = decode(StoredHeader, data, limit=MAX_STORED_BYTES)
        except CodecError as error:
            raise self._db.explain(f"the header of block {block.hex()}: {error}") from error
        with self._lock:
            self._cache[block] = found
            if len(self._cache) > CACHED:
                self._cache.popitem(last=False)
        return found

    def get_id(self, height: int) -> BlockId | None:
        found = self._db.get(schema.ACTIVE + schema.encode_height(height))
        return None if found is None else BlockId(found)

    def get_invalid(self, block: BlockId) -> tuple[str, str] | None:
        data = self._db.get(schema.invalid_key(block))
        if data is None:
            return None
        found = decode(StoredInvalid, data, limit=MAX_STORED_BYTES)
        return found.code, found.message

    def has_body(self, block: BlockId) -> bool:
        return schema.read_by_id(self._db.get, schema.BLOCK, block) is not None

    def evict(self, blocks: Iterable[BlockId]) -> None:
        """Remove headers from the cache, because they were removed from the database."""
        with self._lock:
            for block in blocks:
                self._cache.pop(block, None)


def get_weight(record: StoredHeader) -> Weight:
    return Weight(int.from_bytes(record.weight, "big"))


def iterate_headers(records: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[BlockId, StoredHeader]]:
    """Yield id and record of each header in a run of the database's keys and values.

    Raises:
        CodecError: a record cannot be read.
    """
    for key, value in records:
        yield schema.get_header_id(key), decode(StoredHeader, value, limit=MAX_STORED_BYTES)
