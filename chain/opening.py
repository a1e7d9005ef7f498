"""Opening a database: check that it belongs to this network and is complete, and read what it has."""

from pathlib import Path
from typing import Final

from inos.chain import schema
from inos.chain.connection import compute_new_root, make_genesis_batch, make_history_batch
from inos.chain.database import Database
from inos.chain.entry import Entry
from inos.chain.errors import ChainError
from inos.chain.index import BlockIndex
from inos.chain.schema import MAX_STORED_BYTES, SCHEMA_VERSION, StoredHeader, StoredInvalid
from inos.consensus.execution import check_state_root
from inos.consensus.genesis_state import GenesisState
from inos.consensus.params import Params
from inos.primitives.blocks import Block, compute_block_id
from inos.primitives.codec import decode, encode
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
    """Return the tree of headers, with the database's tip.

    Raises:
        ChainError: "database-damaged" if headers and tip do not match.
    """
    index = BlockIndex(params, compute_block_id(genesis.header), genesis.header)
    try:
        _load_headers(database, index)
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
        schema.block_key(genesis_id): encode(Block(genesis.header, ())),
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


def _load_headers(database: Database, index: BlockIndex) -> None:
    """Read the headers in the order of arrival, so parents come first. A power failure may have lost headers that no
    block depended on yet; their descendants are left out and fetched again.
    """
    stored = [
        (BlockId(key[1:]), decode(StoredHeader, value, limit=MAX_STORED_BYTES))
        for key, value in database.iterate(schema.HEADER)
    ]
    stored.sort(key=lambda item: item[1].arrival)
    for block_id, record in stored:
        parent = index.get(BlockId(record.header.parent))
        if parent is not None:
            index.add(block_id, record.header, parent, record.arrival)
    base = database.get(schema.META_BASE)
    if base is not None:
        found = index.get(BlockId(base))
        if found is None:
            raise LookupError("the block whose state came from others is not among the headers")
        index.adopt(found)
    for key, value in database.iterate(schema.INVALID):
        reason = decode(StoredInvalid, value, limit=MAX_STORED_BYTES)
        entry = index.get(BlockId(key[1:]))
        if entry is not None:
            index.set_invalid(entry, reason.code, reason.message)
    bodies = {BlockId(key[1:]) for key in database.iterate_keys(schema.BLOCK)}
    for block_id, _ in stored:
        entry = index.get(block_id)
        if entry is not None and block_id in bodies:
            index.set_body(entry)


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
    is_whole = database.get(schema.META_IMPORT) is None
    if is_whole and compute_new_root(database.get, {}) != tip.header.state_root:
        raise LookupError("the state tree is not that of the tip")
    return tip
