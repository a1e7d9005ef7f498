"""The routing table holds contacts in buckets by distance. This module does no I/O; its callers ping and dial."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Final

from inos.network.discovery.routing.metric import ID_BITS, compute_distance, count_common_bits
from inos.network.discovery.routing.settings import GROUP_IN_BUCKET, GROUP_IN_TABLE, K
from inos.network.identity import PeerAddress
from inos.primitives.units import NodeId

GroupOf = Callable[[PeerAddress], Hashable]
MAX_SPARES: Final = K
"""In each bucket at most this many nodes wait to replace a contact."""


class Bucket:
    """Holds contacts at similar distances, and nodes that wait to become contacts."""

    def __init__(self, now: float) -> None:
        self.contacts: OrderedDict[NodeId, PeerAddress] = OrderedDict()
        """The bucket has at most K contacts; the one seen least recently comes first."""
        self.seen_at: dict[NodeId, float] = {}
        self.spares: OrderedDict[NodeId, PeerAddress] = OrderedDict()
        """The bucket has at most MAX_SPARES spares; the newest comes last."""
        self.refreshed_at = now
        """An id in the range of this bucket was last looked up at this time."""

    def put(self, address: PeerAddress, now: float) -> None:
        self.spares.pop(address.id, None)
        self.contacts[address.id] = address
        self.contacts.move_to_end(address.id)
        self.seen_at[address.id] = now

    def drop(self, id: NodeId) -> bool:
        """Remove a node; return True if it was a contact."""
        self.spares.pop(id, None)
        self.seen_at.pop(id, None)
        return self.contacts.pop(id, None) is not None


class RoutingTable:
    """Holds contacts whose ids are proven and whose addresses were dialled.

    Bucket `i` holds nodes that share exactly the first `i` bits with this node's id. The last bucket holds all nodes
    that share at least that many, and is split in two when it is full (Kademlia, section 2.4).

    Args:
        compute_group: returns the network group of an address; the table takes a limited number of each group.
    """

    def __init__(self, own_id: NodeId, compute_group: GroupOf, now: float) -> None:
        self._own_id = own_id
        self._compute_group = compute_group
        self._buckets = [Bucket(now)]
        self._groups: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        return sum(len(bucket.contacts) for bucket in self._buckets)

    def __iter__(self) -> Iterator[PeerAddress]:
        for bucket in self._buckets:
            yield from bucket.contacts.values()

    def get(self, id: NodeId) -> PeerAddress | None:
        return self._find_bucket(id).contacts.get(id)

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        """The buckets come farthest first; callers must not change them."""
        return tuple(self._buckets)

    def see(self, address: PeerAddress, now: float) -> PeerAddress | None:
        """Note that a node has just proven its id at an address dialled from here.

        Return the contact seen least recently if the bucket is full of others: the caller pings it, and calls `see` or
        `fail` for it. Until that contact fails, the new node waits among the spares.
        """
        if address.id == self._own_id:
            return None
        bucket = self._find_bucket(address.id)
        old = bucket.contacts.get(address.id)
        if old == address:
            bucket.put(address, now)
            return None
        if old is not None:
            self._drop(bucket, address.id)
        if len(bucket.contacts) >= K:
            bucket = self._split_for(address.id, bucket)
        if len(bucket.contacts) < K:
            if self._has_group_room(bucket, address):
                self._add(bucket, address, now)
            return None
        return next(iter(bucket.contacts.values())) if self._add_spare(bucket, address) else None

    def fail(self, id: NodeId) -> PeerAddress | None:
        """Remove a contact that did not answer; the newest spare whose group has room takes its position.

        Return that spare. It was proven when it came, but it may not be alive any more.
        """
        bucket = self._find_bucket(id)
        if not self._drop(bucket, id):
            return None
        return self._fill(bucket)

    def find_closest(self, target: bytes, count: int = K) -> list[PeerAddress]:
        """Return at most `count` contacts, the one nearest to `target` first."""
        return sorted(self, key=lambda address: compute_distance(address.id, target))[:count]

    def count_closer(self, target: bytes) -> int:
        """Return how many contacts are nearer to `target` than this node."""
        own = compute_distance(self._own_id, target)
        return sum(compute_distance(address.id, target) < own for address in self)

    def get_seen_at(self, id: NodeId) -> float | None:
        """Return the time when a contact last proved itself."""
        return self._find_bucket(id).seen_at.get(id)

    def set_refreshed(self, target: bytes, now: float) -> None:
        """Note that an id in the range of this bucket was looked up."""
        self._find_bucket(target).refreshed_at = now

    def list_stale(self, before: float) -> list[tuple[int, bool]]:
        """Return the buckets in whose range nothing was looked up since `before`; the one longest ago comes first.

        Each is given as the number of bits its ids share with this node's id, and whether they share exactly that many.
        """
        last = len(self._buckets) - 1
        found = [i for i, bucket in enumerate(self._buckets) if bucket.refreshed_at <= before]
        return [(i, i < last) for i in sorted(found, key=lambda i: self._buckets[i].refreshed_at)]

    def _find_bucket(self, id: bytes) -> Bucket:
        return self._buckets[min(count_common_bits(self._own_id, id), len(self._buckets) - 1)]

    def _split_for(self, id: NodeId, bucket: Bucket) -> Bucket:
        """Split the last bucket for as long as that makes room for `id`, and return the bucket of `id`."""
        while bucket is self._buckets[-1] and len(bucket.contacts) >= K and len(self._buckets) < ID_BITS:
            self._split()
            bucket = self._find_bucket(id)
        return bucket

    def _split(self) -> None:
        old, depth = self._buckets[-1], len(self._buckets)
        new = Bucket(old.refreshed_at)
        self._buckets.append(new)
        for id, address in tuple(old.contacts.items()):
            if count_common_bits(self._own_id, id) >= depth:
                new.put(address, old.seen_at[id])
                del old.contacts[id], old.seen_at[id]
        for id in tuple(old.spares):
            if count_common_bits(self._own_id, id) >= depth:
                new.spares[id] = old.spares.pop(id)
        for each in (old, new):
            while each.spares and self._fill(each) is not None:
                continue

    def _fill(self, bucket: Bucket) -> PeerAddress | None:
        for address in reversed(tuple(bucket.spares.values())):
            if len(bucket.contacts) < K and self._has_group_room(bucket, address):
                # A spare may be dead by now, so it is the first to be pinged.
                self._add(bucket, address, float("-inf"))
                bucket.contacts.move_to_end(address.id, last=False)
                return address
        return None

    def _add(self, bucket: Bucket, address: PeerAddress, now: float) -> None:
        bucket.put(address, now)
        self._groups[self._compute_group(address)] += 1

    def _drop(self, bucket: Bucket, id: NodeId) -> bool:
        address = bucket.contacts.get(id)
        if not bucket.drop(id) or address is None:
            return False
        group = self._compute_group(address)
        self._groups[group] -= 1
        if not self._groups[group]:
            del self._groups[group]
        return True

    def _has_group_room(self, bucket: Bucket, address: PeerAddress) -> bool:
        group = self._compute_group(address)
        if self._groups[group] >= GROUP_IN_TABLE:
            return False
        return sum(self._compute_group(each) == group for each in bucket.contacts.values()) < GROUP_IN_BUCKET

    def _add_spare(self, bucket: Bucket, address: PeerAddress) -> bool:
        bucket.spares.pop(address.id, None)
        group = self._compute_group(address)
        if sum(self._compute_group(each) == group for each in bucket.spares.values()) >= GROUP_IN_BUCKET:
            return False
        bucket.spares[address.id] = address
        if len(bucket.spares) > MAX_SPARES:
            bucket.spares.popitem(last=False)
        return True
