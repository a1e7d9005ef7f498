"""Makes a chain of any length fast: the first blocks are real, and the records of the last of them are repeated.

The database then has the same records as that of a node which synced as many empty blocks: headers, bodies, undo
records, stats, histories. Only the seals of the repeated blocks prove nothing, and their witness is the real block's.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from inos.bench.chains import GENESIS_NAME, Chain, make_chain, make_network
from inos.chain import schema
from inos.chain.blocks import encode_weight
from inos.chain.database import Database
from inos.chain.schema import StoredHeader
from inos.chain.totals import Totals, add_block
from inos.chain.trimming import DEPTH, STEP
from inos.consensus.execution import BlockStats
from inos.consensus.movements import PLACE_END
from inos.node.datadir import DataDir
from inos.primitives.blocks import Block, Header, compute_block_id, compute_weight
from inos.primitives.codec import decode, encode
from inos.primitives.units import Address, BlockId, Height

REAL: Final = 64
"""The number of real blocks at the beginning."""
AT_ONCE: Final = 500
"""The number of blocks in one batch."""


class Template(Struct, frozen=True):
    """The records of one real block, as they are repeated."""

    header: Header
    weight: int
    arrival: int
    records: dict[bytes, bytes]
    """What is stored under the block's id, by the letter of the key."""
    history: bytes


def make_long_chain(folder: Path, blocks: int, witnesses: int) -> Chain:
    """Fill the data directory `folder` with `blocks` empty blocks; the last `witnesses` of them have a witness."""
    started = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    genesis = folder / GENESIS_NAME
    network = make_network(genesis, blocks)
    chain = make_chain(folder, min(blocks, REAL), network=genesis)
    if blocks > REAL:
        with DataDir(folder, network.genesis_id) as data, Database(data.ledger, is_durable=False) as database:
            tip = _repeat(database, chain.tip, blocks, witnesses, network.params.spacing_ms)
        chain = msgspec.structs.replace(chain, tip=tip, blocks=blocks)
    return msgspec.structs.replace(chain, seconds=time.monotonic() - started)


def _read_template(database: Database, block: BlockId) -> Template:
    def read(key: bytes) -> bytes:
        value = database.get(key)
        assert value is not None, f"the real block has the record {key[:1]!r}"
        return value

    height = schema.decode_height(read(schema.height_key(block)))
    stored = decode(StoredHeader, read(schema.header_key(height, block)), limit=schema.MAX_STORED_BYTES)
    header = stored.header
    keys = (
        *(make_key(height, block) for make_key in (schema.block_key, schema.witness_key, schema.undo_key)),
        *(make_key(block) for make_key in (schema.block_stats_key, schema.totals_key)),
    )
    records = {key[:1]: read(key) for key in keys}
    history = read(schema.history_key(Address(header.beneficiary), height, PLACE_END))
    weight = int.from_bytes(stored.weight, "big")
    return Template(header, weight, stored.arrival, records, history)


def _repeat(database: Database, tip: BlockId, blocks: int, witnesses: int, spacing_ms: int) -> BlockId:
    """Append copies of the tip up to height `blocks`, and return the new tip."""
    template = _read_template(database, tip)
    batch: dict[bytes, bytes | None] = {}
    parent = tip
    stats = decode(BlockStats, template.records[b"f"], limit=schema.MAX_STORED_BYTES)
    totals = decode(Totals, template.records[b"v"], limit=schema.MAX_STORED_BYTES)
    for header in _iterate_headers(template.header, tip, blocks, spacing_ms):
        parent = compute_block_id(header)
        batch |= _make_records(template, header, parent, has_witness=header.height > blocks - witnesses)
        totals = add_block(totals, 0, stats, ())
        batch[schema.totals_key(parent)] = encode(totals)
        if header.height % AT_ONCE == 0:
            database.write(batch, is_synced=False)
            batch = {}
    batch[schema.META_TIP] = parent
    batch[schema.META_ROOT] = schema.encode_height(max(0, blocks - DEPTH - STEP))
    database.write(batch)
    return parent


def _iterate_headers(last: Header, last_id: BlockId, blocks: int, spacing_ms: int) -> Iterator[Header]:
    """Yield headers above `last`, each the child of the one before."""
    while last.height < blocks:
        last = msgspec.structs.replace(
            last, height=last.height + 1, parent=last_id, time_ms=last.time_ms + spacing_ms, nonce=last.height
        )
        last_id = compute_block_id(last)
        yield last


def _make_records(
    template: Template, header: Header, block: BlockId, *, has_witness: bool
) -> dict[bytes, bytes | None]:
    """Return the records of a synced block."""
    above = header.height - template.header.height
    weight = encode_weight(template.weight + above * compute_weight(header))
    height = schema.encode_height(header.height)
    records: dict[bytes, bytes | None] = {
        schema.header_key(header.height, block): encode(StoredHeader(header, template.arrival + above, weight)),
        schema.height_key(block): height,
        schema.active_key(Height(header.height)): block,
        schema.block_key(header.height, block): encode(Block(header, ())),
        schema.undo_key(header.height, block): template.records[b"u"],
        schema.block_stats_key(block): template.records[b"f"],
        schema.history_key(Address(header.beneficiary), Height(header.height), PLACE_END): template.history,
    }
    if has_witness:
        records[schema.witness_key(header.height, block)] = template.records[b"w"]
    return records
