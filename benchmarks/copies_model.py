"""A model of nodes that come and go, to test the real policy for copies of matrices.

The policy is the code that nodes run: inos.mesh.copies (targets, ranks, who invites, who drops), inos.mesh.demand
(requests that fade) and inos.mesh.eviction (what is evicted). Only the nodes are modelled: whether they are online,
what they store, and how many holders a search misses. A step is one minute, and a run depends only on its seed.
"""

import random
from collections import Counter
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from inos.mesh.copies import MOST, SLACK, compute_target, decide, list_candidates
from inos.mesh.demand import Demand
from inos.mesh.eviction import Candidate, choose_victims
from inos.primitives.units import MatrixId

MINUTE_MS: Final = 60_000
CHECK_MINUTES: Final = 10
"""The same interval as NetworkSettings.copy_check_s."""
SESSION_MINUTES: Final = 720.0
AWAY_MINUTES: Final = 80.0
"""Mean times online and offline, both exponential: nine of ten nodes are online."""
GONE: Final = 0.05
"""The share of nodes going offline that never return; a node with another id and an empty disk replaces each
of them.
"""
MISSED: Final = 0.05
"""The share of online holders that a search misses."""
ROOM: Final = 40
"""The number of matrices that fit on one node."""
FETCH_MINUTES: Final = 2
"""The time until an invited node has its copy; it gets none if no holder is online then."""
NEAR: Final = 20
"""The number of nodes that one search returns: Kademlia's k."""


class Item(Struct):
    """One matrix and its demand as (first hour, requests per hour), each valid until the next."""

    name: str
    id: bytes
    promised_until_h: float = 0.0
    requests: tuple[tuple[float, float], ...] = ()


class Held(Struct):
    """One copy of a matrix on a node."""

    demand: Demand
    used_ms: int
    due: int
    short_rounds: int = 0


class Node:
    def __init__(self, id: bytes) -> None:
        self.id = id
        self.is_up = True
        self.changes_at = 0
        self.held: dict[bytes, Held] = {}


class Sample(Struct, frozen=True):
    """The state of one matrix at one minute."""

    minute: int
    up: int
    """The number of copies at online nodes."""
    all: int
    target: int
    """The target that follows from the demand in the whole network."""


class World:
    """The world of all nodes and matrices.

    Args:
        items: the matrices that are followed. `filler` more matrices, neither promised nor followed, fill the disks.
    """

    def __init__(self, nodes: int, items: Iterable[Item], seed: int, filler: int = 600) -> None:
        self.rng = random.Random(seed)
        self.minute = 0
        self.items = {item.id: item for item in items}
        self.nodes = [Node(self.rng.randbytes(32)) for _ in range(nodes)]
        self.series: dict[str, list[Sample]] = {item.name: [] for item in self.items.values()}
        self.counts: Counter[str] = Counter()
        self._coming: list[tuple[int, Node, bytes]] = []
        self._asked: dict[bytes, Demand] = {id: Demand() for id in self.items}
        for node in self.nodes:
            node.is_up = self.rng.random() < SESSION_MINUTES / (SESSION_MINUTES + AWAY_MINUTES)
            node.changes_at = self._draw(SESSION_MINUTES if node.is_up else AWAY_MINUTES)
        for _ in range(filler):
            self.place(Item("", self.rng.randbytes(32)), 15)

    def place(self, item: Item, copies: int) -> None:
        """Give copies of a matrix to randomly chosen nodes."""
        for node in self.rng.sample(self.nodes, copies):
            self._store(node, item.id)

    def list_holders(self, id: bytes, *, only_up: bool = True) -> list[Node]:
        return [node for node in self.nodes if id in node.held and (node.is_up or not only_up)]

    def lose(self, id: bytes, but: int) -> None:
        """Remove all holders of a matrix except `but` of them for good, with their disks."""
        holders = sorted(self.list_holders(id, only_up=False), key=lambda node: not node.is_up)
        for node in holders[but:]:
            self._replace(node)

    def run(self, hours: float) -> None:
        """Advance the time."""
        for _ in range(round(hours * 60)):
            self.minute += 1
            self._churn()
            self._deliver()
            for item in self.items.values():
                self._request(item)
            for node in self.nodes:
                if node.is_up:
                    self._look_after(node)
            self._sample()

    @property
    def now_ms(self) -> int:
        return self.minute * MINUTE_MS

    def _draw(self, mean: float) -> int:
        return self.minute + 1 + int(self.rng.expovariate(1 / mean))

    def _churn(self) -> None:
        for node in self.nodes:
            if node.changes_at > self.minute:
                continue
            if node.is_up and self.rng.random() < GONE:
                self._replace(node)
                continue
            node.is_up = not node.is_up
            node.changes_at = self._draw(SESSION_MINUTES if node.is_up else AWAY_MINUTES)

    def _replace(self, node: Node) -> None:
        node.id, node.held, node.is_up = self.rng.randbytes(32), {}, True
        node.changes_at = self._draw(SESSION_MINUTES)

    def _deliver(self) -> None:
        ready = [each for each in self._coming if each[0] <= self.minute]
        self._coming = [each for each in self._coming if each[0] > self.minute]
        for _, node, id in ready:
            if node.is_up and self.list_holders(id):
                self.counts["copied"] += self._store(node, id)

    def _request(self, item: Item) -> None:
        """Send this minute's requests, each to a random holder; the requesting node keeps nothing."""
        rate = next((rate for since, rate in reversed(item.requests) if since * 60 <= self.minute), 0.0) / 60
        holders = self.list_holders(item.id)
        while rate > 0:
            if self.rng.random() < rate:
                self._asked[item.id] = self._asked[item.id].add(self.now_ms)
                self.counts["asked"] += 1
                self.counts["served"] += bool(holders)
                if holders:
                    held = self.rng.choice(holders).held[item.id]
                    held.demand, held.used_ms = held.demand.add(self.now_ms), self.now_ms
            rate -= 1

    def _is_promised(self, id: bytes) -> bool:
        return id in self.items and self.minute < self.items[id].promised_until_h * 60

    def _look_after(self, node: Node) -> None:
        for id in [id for id, held in node.held.items() if held.due <= self.minute and id in self.items]:
            held = node.held[id]
            held.due = self.minute + round(CHECK_MINUTES * (0.75 + self.rng.random() / 2))
            others = [other.id for other in self.list_holders(id) if other is not node and self.rng.random() >= MISSED][
                : MOST + SLACK + 1
            ]
            demand = held.demand.get(self.now_ms)
            is_promised = self._is_promised(id)
            decision = decide(node.id, id, others, demand, is_promised=is_promised, short_rounds=held.short_rounds)
            held.short_rounds = held.short_rounds + 1 if decision.holders < decision.target else 0
            if decision.invite:
                self._invite(id, decision.invite, [*others, node.id])
            elif decision.is_surplus and len(node.held) > ROOM // 2:
                del node.held[id]
                self.counts["dropped"] += 1

    def _invite(self, id: bytes, count: int, holders: list[bytes]) -> None:
        by_id = {node.id: node for node in self.nodes if node.is_up}
        for candidate in list_candidates(id, by_id, holders)[:NEAR]:
            if not count:
                return
            node = by_id[candidate]
            if id in node.held or self._may_take(node, id):
                self.counts["invited"] += 1
                count -= 1
                self._coming.append((self.minute + FETCH_MINUTES, node, id))

    def _may_take(self, node: Node, id: bytes) -> bool:
        """Return True if a copy may be stored: a promised one may evict others, and any other needs free space."""
        return self._is_promised(id) or len(node.held) < ROOM

    def _store(self, node: Node, id: bytes) -> bool:
        """Store a copy, and return True if there was space, or space could be made."""
        if id in node.held:
            return True
        if len(node.held) >= ROOM:
            if not self._may_take(node, id):
                return False
            candidates = [
                Candidate(MatrixId(other), 1, held.demand.get(self.now_ms), held.used_ms, self._is_promised(other))
                for other, held in node.held.items()
            ]
            victims = choose_victims(candidates, len(node.held) + 1 - ROOM)
            if victims is None:
                return False
            for victim in victims:
                del node.held[victim]
                self.counts["evicted"] += 1
        node.held[id] = Held(
            Demand().add(self.now_ms), self.now_ms, self.minute + self.rng.randrange(CHECK_MINUTES) + 1
        )
        return True

    def _sample(self) -> None:
        for id, item in self.items.items():
            target = compute_target(self._asked[id].get(self.now_ms), self._is_promised(id))
            everyone = self.list_holders(id, only_up=False)
            up = sum(node.is_up for node in everyone)
            self.series[item.name].append(Sample(self.minute, up, len(everyone), target))
