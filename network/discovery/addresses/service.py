"""Discovery by addresses: it answers requests, works with each peer, and keeps the book and the outbound links."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from inos.core.bounded import ExpiringSet
from inos.network.discovery.addresses.book import AddressBook
from inos.network.discovery.addresses.bookfile import load_anchors, load_book, save_anchors, save_book
from inos.network.discovery.addresses.exchange import AddressExchange
from inos.network.discovery.addresses.reachability import Reach, Reachability
from inos.network.discovery.addresses.rotation import OutboundRotation
from inos.network.discovery.addresses.slots import OutboundSlots, PeerLinks, begin_attempt, end_attempt
from inos.network.endpoints import compute_group, is_acceptable
from inos.network.errors import LinkError, RequestFailed
from inos.network.identity import NodeIdentity, PeerAddress
from inos.network.peers.kinds import LinkKind
from inos.network.peers.peer import Peer
from inos.network.ports import Files
from inos.network.settings import NetworkSettings
from inos.network.wire.addresses import AnnounceAddresses, DialMe
from inos.network.wire.base import Notice
from inos.primitives.clock import Clock
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.randomness import Randomness
from inos.primitives.units import BlockId, NodeId

log = structlog.get_logger("inos.network")

MAX_DIAL_BACKS: Final = 4
"""This many peers are dialled back at the same time."""
DIAL_BACK_S: Final = 600.0
"""One node is dialled back at most once in this time."""
SAVE_CHECK_S: Final = 5.0
FEELER_PICKS: Final = 10


class AddressService:
    """Finds peers. Without `settings.discovery` it only answers other nodes and dials none.

    Args:
        files: keep the book and the anchors.
        get_tip: returns id and height of the best connected block.
        get_port: returns the port on which this node listens.
    """

    def __init__(
        self,
        identity: NodeIdentity,
        settings: NetworkSettings,
        links: PeerLinks,
        files: Files,
        clock: Clock,
        rng: Randomness,
        *,
        get_tip: Callable[[], tuple[BlockId, int]],
        get_port: Callable[[], int],
    ) -> None:
        key = compute_hash(Context.ADDRESS_BOOK, identity.secret)
        self._settings = settings
        self._links = links
        self._files = files
        self._clock = clock
        self._rng = rng
        self._get_port = get_port
        local = settings.local_addresses
        self.book = AddressBook(key, identity.node_id, rng, allow_local=local)
        self.reachability = Reachability(identity.node_id, settings.announce, allow_local=local)
        self._has_candidates = asyncio.Event()
        wake = self._has_candidates.set
        self.rotation = OutboundRotation(links, settings, clock, get_tip, wake)
        self.exchange = AddressExchange(
            key, self.book, self.reachability, settings, clock, rng, get_port=get_port, on_news=wake
        )
        self._slots = OutboundSlots(
            identity.node_id,
            self.book,
            links,
            settings,
            clock,
            rng,
            self.rotation.get_slot_count,
            self._has_candidates,
            self._ask,
        )
        self._dialled_back: ExpiringSet[NodeId] = ExpiringSet(1024)
        self._dial_backs = asyncio.Semaphore(MAX_DIAL_BACKS)
        self._anchors: tuple[PeerAddress, ...] = ()
        self._saved_changes = 0
        self._logged_reach = Reach.UNKNOWN
        self._is_loaded = False

    def on_arrival(self, host: str) -> None:
        """Note that a node at `host` dialled this one and proved its id."""
        self.reachability.on_arrival(host, self._clock.monotonic())

    @property
    def reach(self) -> Reach:
        """The property tells whether other nodes can dial this one."""
        return self.reachability.get_state(self._clock.monotonic())

    def get_own(self) -> PeerAddress | None:
        """Return the address that this node announces of itself."""
        return self.reachability.get_own(self._get_port())

    def handle_notice(self, peer: Peer, notice: Notice) -> bool:
        """Handle a notice of discovery; return False if the notice is of another kind."""
        if not isinstance(notice, AnnounceAddresses | DialMe):
            return False
        if peer.is_brief:
            return True  # A brief link carries requests only.
        if isinstance(notice, DialMe):
            self.exchange.on_dial_me(peer)
        else:
            self.exchange.handle_notice(peer, notice)
        return True

    async def run_peer(self, peer: Peer) -> None:
        """Do all work that belongs to one peer, until its link ends."""
        self.exchange.enter(peer)
        try:
            if peer.kind is LinkKind.INBOUND:
                self._slots.note_arrival(peer)
            else:
                await self._introduce(peer)
            while True:
                await self.exchange.wait_dial_me(peer)
                await self._dial_back(peer)
        finally:
            self.exchange.leave(peer)
            if peer.address is not None:
                self.book.seen(peer.address, self._clock.now_ms())

    async def _ask(self, peer: Peer) -> None:
        try:
            await self.exchange.ask(peer)
        except (RequestFailed, LinkError) as error:
            log.debug("no addresses from peer", peer=peer.name, code=error.code)

    async def _introduce(self, peer: Peer) -> None:
        await self._ask(peer)
        if self._settings.discovery:
            self.exchange.announce_own(peer)
            self.exchange.request_dial_back(peer)

    async def _dial_back(self, peer: Peer) -> None:
        """Dial a peer at the host from which it connected, and at no other."""
        now, address = self._clock.monotonic(), PeerAddress(peer.id, peer.host, peer.hello.listen_port)
        is_allowed = address.port and is_acceptable(address.host, allow_local=self._settings.local_addresses)
        if not is_allowed or self._dialled_back.has(peer.id, now):
            return
        self._dialled_back.add(peer.id, now + DIAL_BACK_S)
        async with self._dial_backs:
            try:
                await self._links.dial_feeler(address)
            except LinkError as error:
                log.debug("peer cannot be dialled", peer=peer.name, code=error.code)

    async def load(self) -> None:
        """Read what was saved, unless it was read before."""
        if not self._is_loaded:
            await load_book(self.book, self._files, self._clock.now_ms())
            self._anchors = await load_anchors(self._files)
            self._saved_changes, self._is_loaded = self.book.changes, True

    async def run(self) -> None:
        """Find peers and keep what is known, until cancelled."""
        await self.load()
        now_ms = self._clock.now_ms()
        for known in (*self._settings.seeds, *self._anchors):
            self.book.add(known, compute_group(known.host, known.port), now_ms, now_ms)
        works = [self.exchange.run(), self._keep_saved()]
        if self._settings.discovery:
            works += [self._slots.run(self._anchors), self._run_feelers(), self.rotation.run()]
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)

    async def _run_feelers(self) -> None:
        """Test addresses repeatedly: one whose position a reached address claims, or else one never reached."""
        while True:
            await asyncio.sleep(self._settings.feeler_interval_s * (0.5 + self._rng.random()))
            address = self._pick_for_feeler()
            if address is None:
                continue
            begin_attempt(self.book, self._links, address, self._clock)
            try:
                await self._links.dial_feeler(address)
            except LinkError as error:
                end_attempt(self.book, address, error, self._clock)
            else:
                end_attempt(self.book, address, None, self._clock)
                self._has_candidates.set()

    def _pick_for_feeler(self) -> PeerAddress | None:
        now_ms = self._clock.now_ms()
        for _ in range(FEELER_PICKS):
            entry = self.book.pick_collision(now_ms) or self.book.pick(now_ms, new_only=True)
            if entry is None:
                return None
            if entry.address.id not in self._links.peers and not self._links.is_refused(entry.address):
                return entry.address
        return None

    async def _keep_saved(self) -> None:
        saved_at = self._clock.monotonic()
        while True:
            await asyncio.sleep(SAVE_CHECK_S)
            self._log_reach()
            await self._save_anchors()
            if self._clock.monotonic() - saved_at >= self._settings.save_interval_s:
                await self._save_book()
                saved_at = self._clock.monotonic()

    def _log_reach(self) -> None:
        if self.reach is not self._logged_reach:
            self._logged_reach = self.reach
            log.info("reachability", state=self.reach.value, observed=self.reachability.observed_host or "unknown")

    async def save(self) -> None:
        """Write the book and the anchors; this is called before the links are closed."""
        if self._is_loaded:
            await self._save_anchors()
            await self._save_book()

    async def _save_anchors(self) -> None:
        anchors = self._slots.pick_anchors()
        # A node without outbound peers keeps its old anchors, because they are its way back.
        if anchors and anchors != self._anchors and await save_anchors(anchors, self._files):
            self._anchors = anchors

    async def _save_book(self) -> None:
        changes = self.book.changes
        if changes != self._saved_changes and await save_book(self.book, self._files):
            self._saved_changes = changes
