"""Opening a database: check that it belongs to this network and is complete, and read what it has."""

from pathlib import Path
from typing import Final

from inos.chain import schema
from inos.chain.connection import compute_new_root, make_genesis_batch, make_history_batch
from inos.chain.database import Database
from inos.chain.entry import Entry
from inos.chain.errors import ChainError
from inos.chain.headers import HeaderStore, iterate_headers
from inos.chain.index import BlockIndex
from inos.chain.schema import SCHEMA_VERSION, StoredHeader
from inos.consensus.execution import check_state_root
from inos.consensus.genesis_state import GenesisState
from inos.consensus.params import Params
from inos.primitives.blocks import Block, compute_block_id
from inos.primitives.codec import encode
from inos.primitives.errors import CodecError
from inos.primitives.units import BlockId, Height

PROTOCOL_1_LAYOUTS: Final = frozenset({b"1", b"2", b"3"})
"""Schema versions of chains under protocol 1, whose blocks no rule of this program takes."""
MOVE_ON: Final = "move it away and start with an empty --data-dir: protocol 2 is a new network, without the old credits"


def is_of_protocol_1(path: Path) -> bool:
    """Return True if there is a database of protocol 1 at `path`; nothing is created.

    Raises:
        ChainError: for the same reasons as Database.
    """
    if not (path / "CURRENT").exists():
        return False
    database = Database(path, is_durable=False)
    try:
        return database.get(schema.META_SCHEMA) in PROTOCOL_1_LAYOUTS
    finally:
        database.close()


def open_database(path: Path, genesis: GenesisState, *, is_durable: bool) -> Database:
    """Open the database of a genesis, or create it.

    Raises:
        ChainError: "database-in-use", "other-genesis", "old-protocol", "schema-version", "database-damaged".
    """
    database = Database(path, is_durable=is_durable)
    try:
        genesis_id = compute_block_id(genesis.header)
        if database.get(schema.META_SCHEMA) is None:
            if next(database.iterate_keys(b""), None) is not None:
                raise database.explain("it has records but does not name its network")
            begin_database(database, genesis)
        _check_schema(database, path)
        _check_genesis(database, path, genesis_id)
    except BaseException:
        database.close()
        raise
    return database


def load_index(database: Database, params: Params, genesis: GenesisState) -> BlockIndex:
    """Return the tree of headers, with the database's tip. The work grows with what is held in memory, and not with the
    chain's length.

    Raises:
        ChainError: "database-damaged" if headers and tip do not match.
    """
    records = HeaderStore(database)
    index = BlockIndex(params, compute_block_id(genesis.header), genesis.header, records)
    try:
        _load_root(database, index, records)
        _load_headers(database, index, records)
        index.restore_tip(_find_tip(database, index))
        index.set_final(_find_final(database, index))
    except (CodecError, LookupError) as error:
        raise database.explain(f"it contradicts itself: {error}") from error
    return index


def begin_database(database: Database, genesis: GenesisState) -> None:
    """Write everything in one batch, so that a database either has its genesis or is empty."""
    genesis_id = compute_block_id(genesis.header)
    root, batch = make_genesis_batch(genesis.records)
    check_state_root(genesis.header, root)
    batch |= make_history_batch(Height(0), genesis.list_entries(), ())
    batch |= {
        schema.META_SCHEMA: SCHEMA_VERSION,
        schema.META_GENESIS: genesis_id,
        schema.META_TIP: genesis_id,
        schema.active_key(Height(0)): genesis_id,
        schema.block_key(0, genesis_id): encode(Block(genesis.header, ())),
        schema.header_key(0, genesis_id): encode(StoredHeader(genesis.header, 0, b"")),
        schema.height_key(genesis_id): schema.encode_height(0),
    }
    database.write(batch)


def _check_schema(database: Database, path: Path) -> None:
    version = database.get(schema.META_SCHEMA)
    if version in PROTOCOL_1_LAYOUTS:
        raise ChainError(
            "old-protocol", f"the database {path} holds a chain of protocol 1, this program follows 2", hint=MOVE_ON
        )
    if version != SCHEMA_VERSION:
        raise ChainError(
            "schema-version",
            f"the database {path} has layout {version!r}, but this program reads {SCHEMA_VERSION!r}",
            hint="use the program version that made it, or begin with an empty folder",
        )


def _check_genesis(database: Database, path: Path, genesis_id: BlockId) -> None:
    stored = database.get(schema.META_GENESIS)
    if stored != genesis_id:
        raise ChainError(
            "other-genesis",
            f"the database {path} belongs to the network with genesis {(stored or b'').hex()}, not {genesis_id.hex()}",
            hint="name the network that it was made with, or use another --data-dir",
        )


def _load_root(database: Database, index: BlockIndex, records: HeaderStore) -> None:
    stored = database.get(schema.META_ROOT)
    height = Height(0) if stored is None else schema.decode_height(stored)
    if height == 0:
        return
    block = records.get_id(height)
    root = None if block is None else index.get(block)
    if root is None:
        raise LookupError(f"the connected chain has no header at height {height}")
    index.restore(root)


def _load_headers(database: Database, index: BlockIndex, records: HeaderStore) -> None:
    """Read the headers above the root, and the branches that fork off below it, in the order of arrival, so parents
    come first.

    A power failure may have lost headers that no block depended on yet; their descendants are left out and fetched
    again.
    """
    above = Height(index.root.height + 1)
    found = dict(iterate_headers(database.iterate(schema.HEADER, start=schema.header_floor(above))))
    for key in database.iterate_keys(schema.STRAY):
        record = records.get(BlockId(key[1:]))
        if record is not None and records.get_id(record.header.height) != key[1:]:
            found[BlockId(key[1:])] = record
    connected = {value for _, value in database.iterate(schema.ACTIVE, start=schema.active_key(above))}
    final = _find_final_height(database)
    loaded = [
        index.add(block_id, record.header, parent, record.arrival)
        for block_id, record in sorted(found.items(), key=lambda item: item[1].arrival)
        if (parent := index.get(BlockId(record.header.parent))) is not None
        and (index.holds(parent.id) or (parent.height >= final and records.get_id(parent.height) == parent.id))
    ]
    for entry in loaded:
        reason = records.get_invalid(entry.id) if entry.id not in connected else None
        if reason is not None:
            index.set_invalid(entry, *reason)
    for entry in loaded:
        if entry.id in connected or records.has_body(entry.id):
            index.set_body(entry)


def _find_final_height(database: Database) -> Height:
    stored = database.get(schema.META_FINAL)
    height = None if stored is None else database.get(schema.height_key(BlockId(stored)))
    return Height(0) if height is None else schema.decode_height(height)


def _find_final(database: Database, index: BlockIndex) -> Entry:
    stored = database.get(schema.META_FINAL)
    final = index.genesis if stored is None else index.get(BlockId(stored))
    if final is None or database.get(schema.active_key(final.height)) != final.id:
        raise LookupError("the last final block is not on the connected chain")
    return final


def _find_tip(database: Database, index: BlockIndex) -> Entry:
    tip = index.get(BlockId(database.get(schema.META_TIP) or b""))
    if tip is None or not tip.is_linked:
        raise LookupError("the tip is not among the stored blocks")
    if database.get(schema.active_key(tip.height)) != tip.id:
        raise LookupError("the tip is not the last block of the connected chain")
    if tip.id != database.get(schema.META_BASE) and database.get(schema.block_key(tip.height, tip.id)) is None:
        raise LookupError("the tip has no block")
    is_whole = database.get(schema.META_IMPORT) is None
    if is_whole and compute_new_root(database.get, {}) != tip.header.state_root:
        raise LookupError("the state tree is not that of the tip")
    return tip
