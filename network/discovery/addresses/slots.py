"""The outbound links: anchors first, then the book, then seeds; each network group at most once."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
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
"""Dials under way at one time."""
PICKS: Final = 40
PATIENT_PICKS: Final = 30
"""Picks before one that was dialled lately is taken all the same."""
ANCHORS: Final = 2


class PeerLinks(Protocol):
    """What discovery needs of the peer manager."""

    @property
    def peers(self) -> Mapping[NodeId, Peer]: ...

    def list_full(self) -> Iterable[Peer]: ...

    def count(self, kind: LinkKind, /) -> int: ...

    def is_refused(self, address: PeerAddress, /) -> bool:
        """Whether the node or its network group is banned."""

    async def connect(self, address: PeerAddress, kind: LinkKind, /) -> Peer:
        """Raises LinkError."""

    async def dial_feeler(self, address: PeerAddress, /) -> None:
        """See that the node is there and on this network, by a link that is closed at once. Raises LinkError."""


class OutboundSlots:
    """Fills `max_outbound` slots for as long as it runs.

    Args:
        anchors: outbound peers of the last run, dialled first.
        get_most: how many slots there are now; one more than usual while the chain stands still.
    """

    def __init__(
        self,
        own_id: NodeId,
        book: AddressBook,
        links: PeerLinks,
        settings: NetworkSettings,
        clock: Clock,
        rng: Randomness,
        get_most: Callable[[], int],
        changed: asyncio.Event,
    ) -> None:
        self._own_id = own_id
        self._book = book
        self._links = links
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._get_most = get_most
        self._dialling: dict[NodeId, PeerAddress] = {}
        self._seeded_at: float | None = None
        self._changed = changed

    def pick_anchors(self) -> tuple[PeerAddress, ...]:
        """The outbound peers connected the longest."""
        peers = [peer for peer in self._list_outbound() if not peer.is_closing]
        oldest = sorted(peers, key=lambda peer: peer.connected_at)[:ANCHORS]
        return tuple(peer.address for peer in oldest if peer.address is not None)

    def _list_outbound(self) -> list[Peer]:
        return [peer for peer in self._links.peers.values() if peer.kind is LinkKind.OUTBOUND]

    async def run(self, anchors: Iterable[PeerAddress]) -> None:
        """Dial until the slots are full, and again whenever one is free, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for anchor in anchors:
                if self._is_free(anchor) and self._count() < self._get_most():
                    self._begin(group, anchor)
            while True:
                self._changed.clear()
                while len(self._dialling) < MAX_DIALS and self._count() < self._get_most():
                    address = self._choose()
                    if address is None:
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
        """An address of the book from a group that has no slot yet; else a seed, where one is due."""
        groups = {peer.group for peer in self._links.list_full() if peer.kind is not LinkKind.INBOUND}
        groups |= {compute_group(address.host, address.port) for address in self._dialling.values()}
        now_ms = self._clock.now_ms()
        for turn in range(PICKS):
            entry = self._book.pick(now_ms)
            if entry is None:
                break
            address = entry.address
            wait_s = self._settings.retry_s if turn < PATIENT_PICKS else self._settings.retry_s / 10
            is_early = entry.attempt_ms > 0 and now_ms - entry.attempt_ms < wait_s * 1000
            if not is_early and self._is_free(address) and compute_group(address.host, address.port) not in groups:
                return address
        return self._choose_seed()

    def _is_free(self, address: PeerAddress) -> bool:
        present = self._links.peers.get(address.id)
        is_taken = (present is not None and not present.is_brief) or address.id in self._dialling
        return not is_taken and address.id != self._own_id and not self._links.is_refused(address)

    def _choose_seed(self) -> PeerAddress | None:
        """A seed where there is nobody else to talk to, at most one in a while."""
        is_alone = not self._count() and not self._links.count(LinkKind.STATIC)
        now = self._clock.monotonic()
        is_due = self._seeded_at is None or now - self._seeded_at >= self._settings.seed_interval_s
        seeds = [seed for seed in self._settings.seeds if self._is_free(seed)]
        if not (is_alone and is_due and seeds):
            return None
        self._seeded_at = now
        return seeds[int(self._rng.random() * len(seeds))]


async def dial(book: AddressBook, links: PeerLinks, address: PeerAddress, clock: Clock) -> Peer:
    """Dial one outbound peer and tell the book how it went.

    Raises:
        LinkError: no link came of it.
    """
    begin_attempt(book, links, address, clock)
    try:
        peer = await links.connect(address, LinkKind.OUTBOUND)
    except LinkError as error:
        end_attempt(book, address, error, clock)
        raise
    end_attempt(book, address, None, clock)
    return peer


def begin_attempt(book: AddressBook, links: PeerLinks, address: PeerAddress, clock: Clock) -> None:
    """Note that an address is dialled. Where nobody at all is connected, it may be this node's own trouble."""
    book.attempt(address, clock.now_ms(), is_counted=any(True for _ in links.list_full()))


def end_attempt(book: AddressBook, address: PeerAddress, error: LinkError | None, clock: Clock) -> None:
    """Note how it went: it proved its id, somebody else did, or nothing is known."""
    if error is None:
        book.good(address, clock.now_ms())
    elif error.code == "wrong-peer":
        book.remove(address)
