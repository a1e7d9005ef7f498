"""The address book follows Bitcoin Core's addrman: one table holds announced addresses, one holds those reached.

A keyed hash of an address's network group and of the group that announced it selects its position. An outsider cannot
predict the position, and the addresses of one group, or announced by one group, share few buckets:

- new: 256 buckets of 64. Addresses announced by one group fall into at most 16 of them (1,024 of 16,384 positions).
- tried: 64 buckets of 64. Addresses of one group fall into at most 2 of them (128 of 4,096 positions).

An occupied position of the new table is given away only if its address is terrible or has another position. In the
tried table its address is tested first. The book does no I/O and reads no clock: callers pass times in milliseconds.
"""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Final

from msgspec import Struct

from inos.network.discovery.addresses.buckets import BucketTable, Position
from inos.network.discovery.addresses.entry import AddressEntry
from inos.network.endpoints import compute_group, is_acceptable
from inos.network.identity import PeerAddress
from inos.primitives.randomness import Randomness

NEW_POSITIONS_PER_ADDRESS: Final = 4
MAX_COLLISIONS: Final = 16

_MINUTE: Final = 60_000
FUTURE_MS: Final = 10 * _MINUTE
"""A later "last seen" time is a lie or comes from a wrong clock."""
UNKNOWN_AGE_MS: Final = 5 * 24 * 60 * _MINUTE
"""Such an address counts as five days old, as in Bitcoin Core."""
ANNOUNCED_PENALTY_MS: Final = 2 * 60 * _MINUTE
"""An address that another node announces counts as this much older than announced."""
REPLACE_MS: Final = 4 * 60 * _MINUTE
"""An address reached within this time keeps its position in the tried table."""
TEST_MS: Final = 40 * _MINUTE
"""If the address in the tried table was not tested for this long, the newcomer takes its position."""


class Shape(Struct, frozen=True, kw_only=True):
    """The two tables have this size, in buckets and positions of a bucket."""

    new_buckets: int = 256
    new_buckets_per_source: int = 16
    tried_buckets: int = 64
    tried_buckets_per_group: int = 2
    bucket_size: int = 64


SHAPE: Final = Shape()


def bound_seen(seen_ms: int, now_ms: int) -> int:
    """Return a usable "last seen" time for one that a peer announced: never in the future, at best two hours ago."""
    if not 0 < seen_ms <= now_ms + FUTURE_MS:
        return now_ms - UNKNOWN_AGE_MS
    return min(seen_ms, now_ms) - ANNOUNCED_PENALTY_MS


class AddressBook:
    """Holds all known addresses of other nodes.

    Args:
        key: a secret of this node that decides the positions of addresses.
        own_id: the id of this node, which is never stored.
        allow_local: whether loopback and private addresses are stored.
    """

    def __init__(self, key: bytes, own_id: bytes, rng: Randomness, *, allow_local: bool, shape: Shape = SHAPE) -> None:
        self._shape = shape
        self._key = key
        self._own_id = own_id
        self._rng = rng
        self._allow_local = allow_local
        self._entries: dict[PeerAddress, AddressEntry] = {}
        self._new: BucketTable[AddressEntry] = BucketTable()
        self._tried: BucketTable[AddressEntry] = BucketTable()
        self._collisions: dict[PeerAddress, int] = {}
        """For each reached address whose position in the tried table is occupied, this is the time since when."""
        self.changes = 0
        """This counter grows with every change worth saving."""

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[AddressEntry]:
        return iter(self._entries.values())

    @property
    def new_count(self) -> int:
        """This many addresses were never reached."""
        return len(self._entries) - len(self._tried)

    @property
    def tried_count(self) -> int:
        return len(self._tried)

    def get(self, address: PeerAddress) -> AddressEntry | None:
        return self._entries.get(address)

    def is_acceptable(self, address: PeerAddress) -> bool:
        """Return True if the address may be stored at all."""
        is_place = 1 <= address.port <= 65_535 and is_acceptable(address.host, allow_local=self._allow_local)
        return is_place and address.id != self._own_id

    def add(self, address: PeerAddress, source: bytes, seen_ms: int, now_ms: int) -> bool:
        """Store an address that a peer announced; return True if it is new and is stored now.

        Args:
            source: the network group of the peer that announced it.
            seen_ms: when it was last seen, as `bound_seen` returns it.
        """
        if not self.is_acceptable(address):
            return False
        entry = self._entries.get(address)
        is_fresh = entry is None
        if entry is None:
            entry = AddressEntry(address, source, seen_ms)
        else:
            entry.seen_ms = max(entry.seen_ms, seen_ms)
            # An address announced repeatedly gets more positions, each half as likely as the one before.
            if entry.is_tried or len(entry.positions) >= NEW_POSITIONS_PER_ADDRESS:
                return False
            if self._rng.random() >= 0.5 ** len(entry.positions):
                return False
        self._put_new(entry, source, now_ms)
        return is_fresh and entry.address in self._entries

    def _put_new(self, entry: AddressEntry, source: bytes, now_ms: int, *, is_proven: bool = False) -> None:
        position = self._find_new(entry.address, source)
        other = self._new.get(position)
        if other is entry:
            return
        if other is not None:
            is_spare = len(other.positions) > 1 and not entry.positions
            if not (is_proven or is_spare or other.is_terrible(now_ms)):
                return
            self._leave_new(other, position)
        self._new.put(position, entry)
        entry.positions[position] = source
        self._entries[entry.address] = entry
        self.changes += 1

    def _leave_new(self, entry: AddressEntry, position: Position) -> None:
        self._new.remove(position)
        del entry.positions[position]
        if not entry.positions:
            self._forget(entry)

    def _forget(self, entry: AddressEntry) -> None:
        del self._entries[entry.address]
        self._collisions.pop(entry.address, None)
        self.changes += 1

    def attempt(self, address: PeerAddress, now_ms: int, *, is_counted: bool = True) -> None:
        """Note that the address is dialled; if `is_counted`, this is a failure until `good` says otherwise."""
        entry = self._entries.get(address)
        if entry is not None:
            entry.attempt_ms = now_ms
            entry.attempts += is_counted
            self.changes += 1

    def seen(self, address: PeerAddress, now_ms: int) -> None:
        """Note that a link to the address existed until now."""
        entry = self._entries.get(address)
        if entry is not None:
            entry.seen_ms = max(entry.seen_ms, now_ms)
            self.changes += 1

    def good(self, address: PeerAddress, now_ms: int) -> None:
        """Note that the node was dialled and proved its id; move it to the tried table if its position is free."""
        entry = self._entries.get(address)
        if entry is None:
            return
        entry.reached_ms = entry.attempt_ms = now_ms
        entry.seen_ms = max(entry.seen_ms, now_ms)
        entry.attempts = 0
        self.changes += 1
        for other in [e for e in self._new_at(address) if e is not entry]:
            self.remove(other.address)  # Only one node lives at a host and port, so the other ids are not there.
        if entry.is_tried:
            return
        taken = self._tried.get(self._find_tried(address))
        if taken is None:
            self._make_tried(entry, now_ms)
        elif len(self._collisions) < MAX_COLLISIONS:
            self._collisions.setdefault(address, now_ms)

    def _new_at(self, address: PeerAddress) -> Iterator[AddressEntry]:
        return (e for e in self._entries.values() if (e.address.host, e.address.port) == (address.host, address.port))

    def _make_tried(self, entry: AddressEntry, now_ms: int) -> None:
        """Move the entry to the tried table; an entry that occupies its position returns to the new table."""
        position = self._find_tried(entry.address)
        taken = self._tried.get(position)
        for old in tuple(entry.positions):
            self._new.remove(old)
        entry.positions.clear()
        self._collisions.pop(entry.address, None)
        if taken is not None:
            self._tried.remove(position)
            taken.is_tried = False
            del self._entries[taken.address]
            self._put_new(taken, taken.source, now_ms, is_proven=True)
        entry.is_tried = True
        self._tried.put(position, entry)
        self._entries[entry.address] = entry
        self.changes += 1

    def remove(self, address: PeerAddress) -> None:
        """Remove the address, because another node proved its id at this host and port."""
        entry = self._entries.get(address)
        if entry is None:
            return
        if entry.is_tried:
            self._tried.remove(self._find_tried(address))
        for position in tuple(entry.positions):
            self._new.remove(position)
        entry.positions.clear()
        self._forget(entry)

    def pick(self, now_ms: int, *, new_only: bool = False) -> AddressEntry | None:
        """Return a random entry: each table is equally likely, then each bucket, then each entry in it.

        Entries that were dialled recently or in vain are less likely. Many addresses of one operator share few buckets,
        so they count no more than the few addresses of another operator.
        """
        tables = [table for table in ((self._new,) if new_only else (self._new, self._tried)) if len(table)]
        if not tables:
            return None
        table = tables[int(self._rng.random() * len(tables))]
        patience = 1.0
        while True:
            entry = table.pick(self._rng)
            if self._rng.random() < patience * entry.compute_chance(now_ms):
                return entry
            patience *= 1.2

    def pick_collision(self, now_ms: int) -> AddressEntry | None:
        """Return an entry of the tried table whose position a reached address claims, so that the caller tests it."""
        self.resolve_collisions(now_ms)
        taken = [self._tried.get(self._find_tried(address)) for address in self._collisions]
        found = [entry for entry in taken if entry is not None]
        return found[int(self._rng.random() * len(found))] if found else None

    def resolve_collisions(self, now_ms: int) -> None:
        """Give a position in the tried table to a newcomer if the present entry failed its test or had none."""
        for address, since_ms in tuple(self._collisions.items()):
            newcomer = self._entries[address]
            taken = self._tried.get(self._find_tried(address))
            if taken is None:
                self._make_tried(newcomer, now_ms)
            elif now_ms - taken.reached_ms < REPLACE_MS:
                del self._collisions[address]
            elif 0 < now_ms - taken.attempt_ms < REPLACE_MS:
                if now_ms - taken.attempt_ms > _MINUTE:
                    self._make_tried(newcomer, now_ms)
            elif now_ms - since_ms > TEST_MS:
                self._make_tried(newcomer, now_ms)

    def sample(self, most: int, share: float, now_ms: int) -> list[AddressEntry]:
        """Return random entries that are fit to be announced: at most `most`, and at most `share` of the book."""
        fit = [entry for entry in self._entries.values() if not entry.is_terrible(now_ms)]
        count = min(len(fit), most, max(1, int(len(self._entries) * share)) if fit else 0)
        for i in range(count):
            j = i + int(self._rng.random() * (len(fit) - i))
            fit[i], fit[j] = fit[j], fit[i]
        return fit[:count]

    def restore(self, entries: Iterable[tuple[AddressEntry, tuple[bytes, ...]]], now_ms: int) -> None:
        """Restore saved entries, each with the groups that announced it; the book must be empty."""
        for entry, sources in entries:
            if not self.is_acceptable(entry.address) or entry.address in self._entries:
                continue
            if entry.is_tried and self._tried.get(self._find_tried(entry.address)) is None:
                self._tried.put(self._find_tried(entry.address), entry)
                self._entries[entry.address] = entry
                continue
            entry.is_tried = False
            for source in (sources or (entry.source,))[:NEW_POSITIONS_PER_ADDRESS]:
                self._put_new(entry, source, now_ms)

    def _find_new(self, address: PeerAddress, source: bytes) -> Position:
        group = compute_group(address.host, address.port)
        share = self._hash(b"new", group, source) % self._shape.new_buckets_per_source
        bucket = self._hash(b"new source", source, bytes([share])) % self._shape.new_buckets
        return bucket, self._hash(b"new place", bytes([bucket]), _name(address)) % self._shape.bucket_size

    def _find_tried(self, address: PeerAddress) -> Position:
        group = compute_group(address.host, address.port)
        share = self._hash(b"tried", _name(address)) % self._shape.tried_buckets_per_group
        bucket = self._hash(b"tried group", group, bytes([share])) % self._shape.tried_buckets
        return bucket, self._hash(b"tried place", bytes([bucket]), _name(address)) % self._shape.bucket_size

    def _hash(self, purpose: bytes, *parts: bytes) -> int:
        hasher = blake2b(key=self._key, digest_size=8, person=purpose.ljust(16, b"\0"))
        for part in parts:
            hasher.update(len(part).to_bytes(2, "big") + part)
        return int.from_bytes(hasher.digest(), "big")


def _name(address: PeerAddress) -> bytes:
    return address.id + address.port.to_bytes(2, "big") + address.host.encode()
