"""This module keeps the outbound links: anchors first, then the book, then nodes that dialled this one, then seeds;
each network group has at most one."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Final, Protocol

import structlog

from inos.network.discovery.addresses.book import AddressBook
from inos.network.endpoints import compute_group
from inos.network.errors import LinkError
from inos.network.identity import PeerAddress
from inos.network.peers.kinds import LinkKind
from inos.network.peers.peer import Peer
from inos.network.settings import NetworkSettings
from inos.primitives.clock import Clock
from inos.primitives.randomness import Randomness
from inos.primitives.units import NodeId

log = structlog.get_logger("inos.network")

MAX_DIALS: Final = 4
"""This many dials are in progress at the same time."""
PICKS: Final = 40
PATIENT_PICKS: Final = 30
"""After this many picks, an address that was dialled recently is taken as well."""
ANCHORS: Final = 2
MAX_ARRIVALS: Final = 32
"""The addresses of this many nodes are kept that dialled this node last."""


class PeerLinks(Protocol):
    """Discovery needs this part of the peer manager."""

    @property
    def peers(self) -> Mapping[NodeId, Peer]: ...

    def list_full(self) -> Iterable[Peer]: ...

    def count(self, kind: LinkKind, /) -> int: ...

    def is_refused(self, address: PeerAddress, /) -> bool:
        """Return True if the node or its network group is banned."""

    async def connect(self, address: PeerAddress, kind: LinkKind, /) -> Peer:
        """Dial and return the connected peer. It raises LinkError."""

    async def dial_feeler(self, address: PeerAddress, /) -> None:
        """Check by a link that is closed at once that the node is there and on this network. It raises LinkError."""


class OutboundSlots:
    """Keeps `max_outbound` slots filled while it runs.

    Args:
        get_most: returns the number of slots, which is one more than usual while the chain does not grow.
        changed: set when there may be a slot or a candidate more.
        ask: requests addresses from a peer.
    """

    def __init__(
        self,
        own_id: NodeId,
        book: AddressBook,
        links: PeerLinks,
        settings: NetworkSettings,
        clock: Clock,
        rng: Randomness,
        get_slot_count: Callable[[], int],
        changed: asyncio.Event,
        ask: Callable[[Peer], Coroutine[None, None, None]],
    ) -> None:
        self._own_id = own_id
        self._book = book
        self._links = links
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._get_slot_count = get_slot_count
        self._dialling: dict[NodeId, PeerAddress] = {}
        self._arrivals: OrderedDict[NodeId, PeerAddress] = OrderedDict()
        self._seeded_at: float | None = None
        self._asked_at: float | None = None
        self._ask = ask
        self._changed = changed

    def pick_anchors(self) -> tuple[PeerAddress, ...]:
        """Return the outbound peers that have been connected the longest."""
        peers = [peer for peer in self._list_outbound() if not peer.is_closing]
        oldest = sorted(peers, key=lambda peer: peer.connected_at)[:ANCHORS]
        return tuple(peer.address for peer in oldest if peer.address is not None)

    def note_arrival(self, peer: Peer) -> None:
        """Remember where a node lives that dialled this one, in case that no other is known.

        Its port is not proven, and it may not want to be dialled, so the address does not go into the book.
        """
        address = PeerAddress(peer.id, peer.host, peer.hello.listen_port)
        if not address.port or not self._book.is_acceptable(address):
            return
        self._arrivals[peer.id] = address
        self._arrivals.move_to_end(peer.id)
        if len(self._arrivals) > MAX_ARRIVALS:
            self._arrivals.popitem(last=False)

    def _list_outbound(self) -> list[Peer]:
        return [peer for peer in self._links.peers.values() if peer.kind is LinkKind.OUTBOUND]

    async def run(self, anchors: Iterable[PeerAddress]) -> None:
        """Dial until the slots are full, anchors of the last run first, and again whenever one is free, until
        cancelled."""
        async with asyncio.TaskGroup() as group:
            for anchor in anchors:
                if self._is_free(anchor) and self._count() < self._get_slot_count():
                    self._begin(group, anchor)
            while True:
                self._changed.clear()
                while len(self._dialling) < MAX_DIALS and self._count() < self._get_slot_count():
                    address = self._choose()
                    if address is None:
                        self._ask_around(group)
                        break
                    self._begin(group, address)
                try:
                    async with asyncio.timeout(self._settings.slot_interval_s * (0.5 + self._rng.random())):
                        await self._changed.wait()
                except TimeoutError:
                    continue

    def _count(self) -> int:
        return self._links.count(LinkKind.OUTBOUND) + len(self._dialling)

    def _begin(self, group: asyncio.TaskGroup, address: PeerAddress) -> None:
        self._dialling[address.id] = address
        group.create_task(self._hold(address))

    async def _hold(self, address: PeerAddress) -> None:
        try:
            peer = await dial(self._book, self._links, address, self._clock)
        except LinkError as error:
            log.debug("slot not filled", address=str(address), code=error.code, reason=error.message)
            return
        finally:
            del self._dialling[address.id]
        self._changed.set()
        await peer.ended.wait()
        self._changed.set()

    def _choose(self) -> PeerAddress | None:
        """Return an address from a group that has no slot yet: of the book, or else of a node that dialled this one.
        Failing both, return a seed if one is due.
        """
        groups = {peer.group for peer in self._links.list_full() if peer.kind is not LinkKind.INBOUND}
        groups |= {compute_group(address.host, address.port) for address in self._dialling.values()}
        now_ms = self._clock.now_ms()
        for turn in range(PICKS):
            entry = self._book.pick(now_ms)
            if entry is None:
                break
            address = entry.address
            wait_s = self._settings.retry_s if turn < PATIENT_PICKS else self._settings.retry_s / 10
            is_early = entry.was_tried_within(wait_s * 1000, now_ms)
            if not is_early and self._is_free(address) and compute_group(address.host, address.port) not in groups:
                return address
        for address in reversed(self._arrivals.values()):
            if self._is_free(address) and compute_group(address.host, address.port) not in groups:
                return self._arrivals.pop(address.id)
        return self._choose_seed()

    def _is_free(self, address: PeerAddress) -> bool:
        present = self._links.peers.get(address.id)
        is_taken = (present is not None and not present.is_brief) or address.id in self._dialling
        return not is_taken and address.id != self._own_id and not self._links.is_refused(address)

    def _choose_seed(self) -> PeerAddress | None:
        """Return a seed if this node has no peer to talk to and did not try one recently."""
        is_alone = not self._count() and not self._links.count(LinkKind.STATIC)
        now = self._clock.monotonic()
        is_due = self._is_due(self._seeded_at)
        seeds = [seed for seed in self._settings.seeds if self._is_free(seed)]
        if not (is_alone and is_due and seeds):
            return None
        self._seeded_at = now
        return seeds[int(self._rng.random() * len(seeds))]

    def _ask_around(self, group: asyncio.TaskGroup) -> None:
        """Ask a peer that dialled this node for addresses, if there is no outbound peer and no address to dial.

        Otherwise such peers are not asked: anybody can dial, and would fill the book with addresses of its own.
        """
        peers = [peer for peer in self._links.list_full() if peer.kind is LinkKind.INBOUND and not peer.is_closing]
        if self._count() or not peers or not self._is_due(self._asked_at):
            return
        self._asked_at = self._clock.monotonic()
        group.create_task(self._ask(peers[int(self._rng.random() * len(peers))]))

    def _is_due(self, last: float | None) -> bool:
        return last is None or self._clock.monotonic() - last >= self._settings.seed_interval_s


async def dial(book: AddressBook, links: PeerLinks, address: PeerAddress, clock: Clock) -> Peer:
    """Dial one outbound peer and record the result in the book.

    Raises:
        LinkError: the link could not be made.
    """
    begin_attempt(book, links, address, clock)
    try:
        peer = await links.connect(address, LinkKind.OUTBOUND)
    except LinkError as error:
        end_attempt(book, address, error, clock)
        raise
    now_ms = clock.now_ms()
    book.add(address, peer.group, now_ms, now_ms)
    end_attempt(book, address, None, clock)
    return peer


def begin_attempt(book: AddressBook, links: PeerLinks, address: PeerAddress, clock: Clock) -> None:
    """Record that an address is dialled; a failure does not count while no peer is connected, for this node may be
    offline."""
    book.attempt(address, clock.now_ms(), is_counted=any(True for _ in links.list_full()))


def end_attempt(book: AddressBook, address: PeerAddress, error: LinkError | None, clock: Clock) -> None:
    """Record the result of an attempt: the node proved its id, another node did, or nothing is known."""
    if error is None:
        book.good(address, clock.now_ms())
    elif error.code == "wrong-peer":
        book.remove(address)
