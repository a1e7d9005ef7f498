"""Finds what an id begins with: the first digits of a block, a transaction or a job."""

from collections.abc import Iterator
from itertools import islice
from typing import Final, Literal, TypeAlias

from inos.chain import schema
from inos.chain.database import Snapshot
from inos.consensus.records import Kind
from inos.primitives.units import HASH_BYTES

FoundKind: TypeAlias = Literal["block", "transaction", "job"]
TABLES: Final[tuple[tuple[FoundKind, bytes], ...]] = (
    ("job", schema.STATE + bytes([Kind.JOB])),
    ("block", schema.HEIGHT),
    ("transaction", schema.TRANSACTION),
)
"""A job has the id of the transaction that posted it; it counts as a job."""


def find_ids(snapshot: Snapshot, digits: str, limit: int) -> list[tuple[FoundKind, bytes]]:
    """Return at most `limit` ids that begin with these hex digits, each once, with what it names."""
    found: dict[bytes, FoundKind] = {}
    for kind, table in TABLES:
        for one in islice(_iterate(snapshot, table, digits), limit):
            found.setdefault(one, kind)
    return [(kind, one) for one, kind in sorted(found.items())][:limit]


def _iterate(snapshot: Snapshot, table: bytes, digits: str) -> Iterator[bytes]:
    """Yield the ids in one table; an odd last digit is half a byte, which the keys cannot be sought by."""
    whole = bytes.fromhex(digits[: len(digits) // 2 * 2])
    for key, _ in snapshot.iterate(table + whole):
        one = key[len(table) :]
        if len(one) == HASH_BYTES and one.hex().startswith(digits):
            yield one
