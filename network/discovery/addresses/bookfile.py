"""This module stores the address book and the anchors."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from inos.network.discovery.addresses.book import NEW_POSITIONS_PER_ADDRESS, AddressBook
from inos.network.discovery.addresses.entry import AddressEntry
from inos.network.files import load, save
from inos.network.identity import PeerAddress
from inos.network.ports import Files
from inos.primitives.matrices import U32, Hash32
from inos.primitives.transactions import U64
from inos.primitives.units import NodeId

BOOK_FILE: Final = "addresses"
ANCHORS_FILE: Final = "anchors"
MAX_BOOK_BYTES: Final = 16 << 20
"""A full book of 20,480 addresses at their longest needs less than this."""
MAX_ENTRIES: Final = 1 << 15
MAX_ANCHORS: Final = 8
MAX_ANCHORS_BYTES: Final = 4096
MAX_GROUP: Final = 300

_Host = Annotated[str, Meta(min_length=1, max_length=253)]
_Port = Annotated[int, Meta(ge=1, le=65_535)]
_Group = Annotated[bytes, Meta(max_length=MAX_GROUP)]


class StoredAddress(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A node is dialled at this address."""

    id: Hash32
    host: _Host
    port: _Port


class StoredEntry(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An entry of the book is stored in this form. Its positions follow from its sources and the book's key."""

    address: StoredAddress
    source: _Group
    sources: Annotated[tuple[_Group, ...], Meta(max_length=NEW_POSITIONS_PER_ADDRESS)]
    seen_ms: U64
    attempt_ms: U64
    reached_ms: U64
    attempts: U32
    is_tried: bool


class StoredBook(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: Annotated[int, Meta(ge=1, le=1)]
    entries: Annotated[tuple[StoredEntry, ...], Meta(max_length=MAX_ENTRIES)]


class StoredAnchors(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    anchors: Annotated[tuple[StoredAddress, ...], Meta(max_length=MAX_ANCHORS)]


def store_book(book: AddressBook) -> StoredBook:
    """Return the book in the form in which it is saved."""
    return StoredBook(1, tuple(_store_entry(entry) for entry in book))


def _store_entry(entry: AddressEntry) -> StoredEntry:
    return StoredEntry(
        address=_store(entry.address),
        source=entry.source,
        sources=tuple(entry.positions.values()),
        seen_ms=max(0, entry.seen_ms),
        attempt_ms=entry.attempt_ms,
        reached_ms=entry.reached_ms,
        attempts=min(entry.attempts, 2**32 - 1),
        is_tried=entry.is_tried,
    )


def restore_book(book: AddressBook, stored: StoredBook, now_ms: int) -> None:
    """Fill an empty book with saved entries."""
    book.restore(((_restore_entry(one, now_ms), one.sources) for one in stored.entries), now_ms)


def _restore_entry(stored: StoredEntry, now_ms: int) -> AddressEntry:
    entry = AddressEntry(_restore(stored.address), stored.source, min(stored.seen_ms, now_ms))
    entry.attempt_ms, entry.reached_ms = stored.attempt_ms, stored.reached_ms
    entry.attempts, entry.is_tried = stored.attempts, stored.is_tried
    return entry


async def load_book(book: AddressBook, files: Files, now_ms: int) -> None:
    """Fill an empty book from its file; the book stays empty if the file is missing or damaged."""
    stored = await load(files, BOOK_FILE, StoredBook, MAX_BOOK_BYTES)
    if stored is not None:
        restore_book(book, stored, now_ms)


async def save_book(book: AddressBook, files: Files) -> bool:
    """Write the book; return True if it was written."""
    return await save(files, BOOK_FILE, store_book(book))


async def load_anchors(files: Files) -> tuple[PeerAddress, ...]:
    """Return the outbound peers of the last run."""
    stored = await load(files, ANCHORS_FILE, StoredAnchors, MAX_ANCHORS_BYTES)
    return () if stored is None else tuple(_restore(one) for one in stored.anchors)


async def save_anchors(anchors: tuple[PeerAddress, ...], files: Files) -> bool:
    """Write the outbound peers that the next run dials first; return True if they were written."""
    return await save(files, ANCHORS_FILE, StoredAnchors(tuple(_store(one) for one in anchors[:MAX_ANCHORS])))


def _store(address: PeerAddress) -> StoredAddress:
    return StoredAddress(address.id, address.host, address.port)


def _restore(stored: StoredAddress) -> PeerAddress:
    return PeerAddress(NodeId(stored.id), stored.host, stored.port)
