"""The records say which node provides which matrix, as the providers themselves announced it. This module does
no I/O."""

from collections import Counter, OrderedDict
from collections.abc import Hashable
from typing import TypeVar

from msgspec import Struct

from inos.network.discovery.routing.settings import RoutingSettings
from inos.network.discovery.routing.table import GroupOf
from inos.network.identity import PeerAddress
from inos.primitives.units import MatrixId, NodeId

C = TypeVar("C", bound=Hashable)


class Record(Struct, frozen=True):
    """A node has announced that it has a matrix."""

    provider: PeerAddress
    group: Hashable
    until: float
    """The record expires at this time, in monotonic seconds."""


class ProviderRecords:
    """Keeps records by matrix, bounded per provider, per network group, per matrix and in total.

    A full table takes no record until one expires, so that a group of many nodes displaces no record of others.
    """

    def __init__(self, settings: RoutingSettings, compute_group: GroupOf) -> None:
        self._settings = settings
        self._compute_group = compute_group
        self._by_key: dict[MatrixId, dict[NodeId, Record]] = {}
        self._by_provider: Counter[NodeId] = Counter()
        self._by_group: Counter[Hashable] = Counter()
        self._by_time: OrderedDict[tuple[MatrixId, NodeId], None] = OrderedDict()
        """The keys of all records stand in the order in which they were taken, which is also the order of their
        expiry."""

    def __len__(self) -> int:
        return len(self._by_time)

    def add(self, key: MatrixId, provider: PeerAddress, now: float) -> bool:
        """Store or renew a record; return False if there is no room for it.

        The caller has received `provider` over the provider's own proven connection.
        """
        self.expire(now)
        group = self._compute_group(provider)
        old = self._by_key.get(key, {}).get(provider.id)
        if old is not None:
            self._remove(key, provider.id)
        if not self._has_room(key, provider.id, group):
            return False
        self._by_key.setdefault(key, {})[provider.id] = Record(provider, group, now + self._settings.record_ttl_s)
        self._by_provider[provider.id] += 1
        self._by_group[group] += 1
        self._by_time[key, provider.id] = None
        return True

    def get(self, key: MatrixId, now: float) -> list[PeerAddress]:
        """Return the providers of a matrix; the one that announced it last comes first."""
        self.expire(now)
        return [record.provider for record in reversed(self._by_key.get(key, {}).values())]

    def drop(self, key: MatrixId, provider: NodeId) -> None:
        """Remove the record of a provider that was asked and does not have the matrix."""
        if provider in self._by_key.get(key, {}):
            self._remove(key, provider)

    def expire(self, now: float) -> None:
        """Remove the records that have expired."""
        while self._by_time:
            key, provider = next(iter(self._by_time))
            if self._by_key[key][provider].until > now:
                return
            self._remove(key, provider)

    def _has_room(self, key: MatrixId, provider: NodeId, group: Hashable) -> bool:
        limits, of_key = self._settings, self._by_key.get(key, {})
        return (
            len(self) < limits.max_records
            and self._by_provider[provider] < limits.records_per_provider
            and self._by_group[group] < limits.records_per_group
            and len(of_key) < limits.records_per_key
            and sum(record.group == group for record in of_key.values()) < limits.records_per_key_group
        )

    def _remove(self, key: MatrixId, provider: NodeId) -> None:
        record = self._by_key[key].pop(provider)
        if not self._by_key[key]:
            del self._by_key[key]
        del self._by_time[key, provider]
        _count_down(self._by_provider, provider)
        _count_down(self._by_group, record.group)


def _count_down(counter: Counter[C], name: C) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]
