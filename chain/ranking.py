"""Rankings of accounts, whose keys are sorted by value and follow the records when blocks are connected or undone.

What an account has is in the state. The blocks that it mined and the tickets that it settled are in its record, which
counts what was connected here: see inos.chain.jobrecords.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Final

import msgspec

from inos.chain import schema
from inos.chain.blocks import Batch
from inos.chain.database import Snapshot
from inos.consensus.records import Account, Kind, StateKey
from inos.primitives.units import U64_MAX, Address

_VALUE_BYTES: Final = 8
_DECODER: Final = msgspec.msgpack.Decoder(Account)
"""Records of accounts were encoded here, so it is not checked again that their bytes are canonical."""


class Ranking(Enum):
    """What accounts are ranked by; accounts with 0 are not ranked."""

    HOLDINGS = b"h"
    """The balance and the bonds, in nano."""
    MINED = b"m"
    """The blocks that the account mined."""
    SETTLED = b"w"
    """The tickets of the jobs that it computed and was paid for."""


_PREFIXES: Final = {ranking: schema.RANK + ranking.value for ranking in Ranking}


def make_rank_changes(ranking: Ranking, address: Address, before: int, after: int) -> Batch:
    """Return the keys to write and delete when an account's value changes."""
    if before == after:
        return {}
    batch: Batch = {}
    if before:
        batch[_make_key(ranking, address, before)] = None
    if after:
        batch[_make_key(ranking, address, after)] = b""
    return batch


def compute_holdings_changes(read: Callable[[bytes], bytes | None], changes: Mapping[StateKey, bytes | None]) -> Batch:
    """Return the keys to write and delete for the accounts among the changed state records."""
    batch: Batch = {}
    for key, value in changes.items():
        if key[0] == Kind.ACCOUNT:
            before, after = _get_holdings(read(schema.state_key(key))), _get_holdings(value)
            if before != after:
                batch.update(make_rank_changes(Ranking.HOLDINGS, Address(key[1:]), before, after))
    return batch


def iterate_ranking(
    snapshot: Snapshot, ranking: Ranking, after: tuple[int, Address] | None
) -> Iterator[tuple[Address, int]]:
    """Yield accounts and their values, the largest first, from beyond the value and address `after`.

    Accounts with equal values come in the order of their addresses.
    """
    above = None if after is None else _make_key(ranking, after[1], after[0])
    for key, _ in snapshot.iterate(schema.RANK + ranking.value, above=above):
        place = len(schema.RANK) + len(ranking.value)
        value = U64_MAX - int.from_bytes(key[place : place + _VALUE_BYTES], "big")
        yield Address(key[place + _VALUE_BYTES :]), value


def _get_holdings(record: bytes | None) -> int:
    if record is None:
        return 0
    account = _DECODER.decode(record)
    return account.balance + account.bonded


def _make_key(ranking: Ranking, address: Address, value: int) -> bytes:
    return _PREFIXES[ranking] + (U64_MAX - value).to_bytes(_VALUE_BYTES, "big") + address
