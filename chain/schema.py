"""The database's layout: every key the ledger writes, in one place.

| prefix | key | value |
|---|---|---|
| m | name | schema version, genesis id, tip id, id of the last final block, what was or is imported |
| h | height u64, block id | header, arrival number, and weight of the chain up to it |
| l | block id | height u64 |
| o | block id | height u64: a block at or below META_ROOT that is off the connected chain and above the final block |
| b | height u64, block id | block |
| w | height u64, block id | witness |
| x | block id | code and reason why the block is invalid |
| a | height u64 | block id on the connected chain |
| f | block id | stats of a connected block |
| v | block id | running totals of the connected chain up to the block |
| u | height u64, block id | undo record: the state records the block replaced |
| s | state key | state record |
| n | depth u16, bits above (32 bytes) | node of the state tree |
| t | tx id | height u64, index u32 |
| y | address, height u64, place in the block u32 | the transaction there, and what moved on the account |
| g | checkpoint's block id | the aggregate that justified it, from a block that was connected |
| p | checkpoint's block id | the step that justified it, from a peer, if blocks were not executed here |
| k | checkpoint's block id | its committees and record of finality, with proofs |
| i | depth u16, bits above (32 bytes) | during an import: hash of a tree node below which all records have arrived |
| e | job id, height u64, number u32 | what happened to the job |
| r | address | its record as miner, worker and poster |
| q | ranking, u64 that falls as the value grows, address | nothing: accounts by what they have, mined or settled |
| j | dimension and value, posted at u64, job id | nothing: jobs by state, poster, worker, or all |

Integers in keys are big-endian, so that LevelDB sorts them by value. What is large and written once, which is blocks,
witnesses and undo records, is sorted by height: LevelDB then need not merge new ones with old ones.
"""

from collections.abc import Callable
from typing import Annotated, Final

from msgspec import Meta, Struct

from inos.consensus.jobevents import JobEvent
from inos.consensus.movements import Movement
from inos.consensus.records import StateKey
from inos.primitives.blocks import Header
from inos.primitives.matrices import U32, Hash32
from inos.primitives.transactions import U64, AddressBytes
from inos.primitives.units import Address, BlockId, Height, JobId, TxId

SCHEMA_VERSION: Final = b"7"

META_SCHEMA: Final = b"mschema"
META_GENESIS: Final = b"mgenesis"
META_TIP: Final = b"mtip"
META_IMPORT: Final = b"mimport"
"""Id of the block whose state is being imported. While it is there, the stored state is incomplete."""
META_BASE: Final = b"mbase"
"""Id of the block whose state came from peers: no bodies are stored up to it."""
META_FINAL: Final = b"mfinal"
"""Id of the last final block; missing if only genesis is final."""
META_PRUNED: Final = b"mpruned"
"""Height u64: up to it, what inos.chain.pruning removes of old blocks is not here."""
META_ROOT: Final = b"mroot"
"""Height u64 of a connected block. A start reads the headers above it, and those of the blocks under STRAY."""

HEADER: Final = b"h"
HEIGHT: Final = b"l"
STRAY: Final = b"o"
BLOCK: Final = b"b"
WITNESS: Final = b"w"
UNDO: Final = b"u"
STATE: Final = b"s"
STATE_KIND_BYTES: Final = 2
"""The length of the beginning of a key: the prefix of state records and the byte of kind that every state key begins
with.
"""
NODE: Final = b"n"
RANGE: Final = b"i"
JOB_INDEX: Final = b"j"
ACTIVE: Final = b"a"
HISTORY: Final = b"y"
INVALID: Final = b"x"
JOB_EVENT: Final = b"e"
TRANSACTION: Final = b"t"
RANK: Final = b"q"

MAX_STORED_BYTES: Final = 1 << 30
"""The size limit for what this node wrote itself and reads back."""


class StoredHeader(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A header and its number in the order of arrival, which decides between equal weights after a restart."""

    header: Header
    arrival: U64
    weight: Annotated[bytes, Meta(max_length=32)]
    """The weight of the chain up to this block, big-endian without leading zeros."""


class StoredInvalid(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    code: str
    message: str


class Undo(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """State records as they were before a block; None if there was no record."""

    records: tuple[tuple[bytes, bytes | None], ...]
    histories: tuple[tuple[AddressBytes, U32], ...]
    """The accounts whose histories mention the block, with the places."""
    job_events: tuple[JobEvent, ...]


class HistoryRecord(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """What happened to one account at one place of a block."""

    tx_id: Hash32 | None
    """This is None if the block itself moved the amount, before or after its transactions."""
    movements: tuple[Movement, ...]


class Position(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The place of a transaction on the connected chain."""

    height: U64
    index: U64


def header_key(height: int, block: BlockId) -> bytes:
    return HEADER + encode_height(height) + block


def header_floor(height: int) -> bytes:
    """Return a key at or before those of all headers at `height`, and after those of lower ones."""
    return HEADER + encode_height(height)


def get_header_id(key: bytes) -> BlockId:
    """Return the block id in a header's key."""
    return BlockId(key[9:])


def get_header_height(key: bytes) -> Height:
    """Return the height in a header's key."""
    return decode_height(key[1:9])


def height_key(block: BlockId) -> bytes:
    return HEIGHT + block


def stray_key(block: BlockId) -> bytes:
    return STRAY + block


def encode_height(height: int) -> bytes:
    return height.to_bytes(8, "big")


def decode_height(data: bytes) -> Height:
    return Height(int.from_bytes(data, "big"))


def block_key(height: int, block: BlockId) -> bytes:
    return BLOCK + encode_height(height) + block


def witness_key(height: int, block: BlockId) -> bytes:
    return WITNESS + encode_height(height) + block


def invalid_key(block: BlockId) -> bytes:
    return INVALID + block


def active_key(height: Height) -> bytes:
    return ACTIVE + height.to_bytes(8, "big")


def block_stats_key(block: BlockId) -> bytes:
    return b"f" + block


def totals_key(block: BlockId) -> bytes:
    return b"v" + block


def undo_key(height: int, block: BlockId) -> bytes:
    return UNDO + encode_height(height) + block


def read_by_id(read: Callable[[bytes], bytes | None], prefix: bytes, block: BlockId) -> bytes | None:
    """Return the block, witness or undo record of a block whose height is looked up first, or None."""
    height = read(HEIGHT + block)
    return None if height is None else read(prefix + height + block)


def state_key(key: StateKey) -> bytes:
    return STATE + key


def node_key(key: bytes) -> bytes:
    return NODE + key


def aggregate_key(target: BlockId) -> bytes:
    return b"g" + target


def step_key(target: BlockId) -> bytes:
    return b"p" + target


def note_key(checkpoint: BlockId) -> bytes:
    return b"k" + checkpoint


def range_key(key: bytes) -> bytes:
    return RANGE + key


def transaction_key(tx: TxId) -> bytes:
    return TRANSACTION + tx


def history_key(address: Address, height: Height, place: int) -> bytes:
    """Return the key of one entry of an account's history. `place` is explained in inos.consensus.movements."""
    return HISTORY + address + height.to_bytes(8, "big") + place.to_bytes(4, "big")


def job_event_key(job: JobId, height: Height, number: int) -> bytes:
    """Return the key of an event. `number` counts all events of the block, of which there are fewer than its bytes."""
    return JOB_EVENT + job + height.to_bytes(8, "big") + number.to_bytes(4, "big")


def record_key(address: Address) -> bytes:
    return b"r" + address
