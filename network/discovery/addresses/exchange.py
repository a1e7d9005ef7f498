"""Nodes exchange addresses with peers: they request and answer them, and relay fresh ones, all in bounded amounts."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

import structlog
from msgspec import Struct

from inos.core.bounded import BoundedSet, TokenBucket
from inos.network.discovery.addresses.book import AddressBook, bound_seen
from inos.network.discovery.addresses.reachability import Reach, Reachability
from inos.network.endpoints import is_acceptable
from inos.network.errors import RequestFailed
from inos.network.identity import PeerAddress
from inos.network.peers.kinds import LinkKind
from inos.network.peers.peer import Peer
from inos.network.settings import NetworkSettings
from inos.network.wire.addresses import (
    MAX_ADDRESSES,
    MAX_ANNOUNCED,
    Addresses,
    AnnounceAddresses,
    DialMe,
    GetAddresses,
    KnownAddress,
)
from inos.primitives.clock import Clock
from inos.primitives.randomness import Randomness
from inos.primitives.units import NodeId

log = structlog.get_logger("inos.network")

SHARE: Final = 0.23
"""One answer holds this part of the book, as in Bitcoin Core."""
SMALL_BOOK: Final = 64
"""A book of at most this many addresses is answered whole and relayed to every peer: a network this small has nothing
to hide, and it cannot afford a node that an address never reaches."""
ANSWER_S: Final = 86_400.0
"""All peers get the same answer for this long, +-1/8, so that a repeated request reveals nothing more."""
GROWTH: Final = 1.5
"""A book that has grown by this factor gets a new answer."""
FRESH_MS: Final = 600_000
"""Only addresses seen within this time are relayed."""
RELAYS: Final = 2
"""A fresh address is relayed to this many peers once the book is no longer small; as in Bitcoin Core."""
TAKEN_PER_S: Final = 0.1
"""Announced addresses are taken from one peer at this sustained rate; the excess is ignored."""
TAKEN_BURST: Final = 10.0
OWN_S: Final = 86_400.0
"""This node announces its own address to a peer again after this time."""
MAX_WAITING: Final = 64
DAY_MS: Final = 86_400_000


class _PeerState:
    """Holds the addresses that one peer knows, and those that wait to be sent to it."""

    def __init__(self, now: float) -> None:
        self.known: BoundedSet[PeerAddress] = BoundedSet(1024)
        self.budget = TokenBucket(TAKEN_PER_S, TAKEN_BURST, now)
        self.waiting: OrderedDict[PeerAddress, int] = OrderedDict()
        self.own_at: float | None = None
        self.seen_at_host = ""
        self.wants_dial = asyncio.Event()


class _Answer(Struct, frozen=True):
    addresses: tuple[KnownAddress, ...]
    until: float
    size: int


class AddressExchange:
    """Exchanges addresses with all peers.

    Args:
        get_port: returns the port on which this node listens.
        on_news: called when unknown addresses arrived.
    """

    def __init__(
        self,
        key: bytes,
        book: AddressBook,
        reach: Reachability,
        settings: NetworkSettings,
        clock: Clock,
        rng: Randomness,
        *,
        get_port: Callable[[], int],
        on_news: Callable[[], None],
    ) -> None:
        self._key = key
        self._book = book
        self._reach = reach
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._get_port = get_port
        self._on_news = on_news
        self._answer = _Answer((), 0.0, 0)
        self._peers: dict[Peer, _PeerState] = {}

    def enter(self, peer: Peer) -> _PeerState:
        """Return the state of a peer, creating it if needed; a notice may arrive before the peer's task starts."""
        return self._peers.setdefault(peer, _PeerState(self._clock.monotonic()))

    def leave(self, peer: Peer) -> None:
        self._peers.pop(peer, None)

    async def answer(self, peer: Peer, request: GetAddresses) -> None:
        """Answer a request with the host at which the peer is seen and a part of the book.

        Raises:
            LinkError: the link has ended.
        """
        observed = peer.host if is_acceptable(peer.host, allow_local=True) else ""
        await peer.out.put(Addresses(request.request, observed, self._get_answer()))

    def _get_answer(self) -> tuple[KnownAddress, ...]:
        now, size = self._clock.monotonic(), len(self._book)
        is_stale = now >= self._answer.until or size >= self._answer.size * GROWTH
        if is_stale or (size <= SMALL_BOOK and size != self._answer.size):
            share = 1.0 if size <= SMALL_BOOK else SHARE
            found = self._book.sample(MAX_ADDRESSES, share, self._clock.now_ms())
            addresses = tuple(
                KnownAddress(e.address.id, e.address.host, e.address.port, max(0, e.seen_ms) // 1000) for e in found
            )
            self._answer = _Answer(addresses, now + ANSWER_S * (0.875 + 0.25 * self._rng.random()), size)
        return self._answer.addresses

    async def ask(self, peer: Peer) -> None:
        """Request addresses from a dialled peer, with the host at which the peer sees this node.

        Raises:
            RequestFailed: the peer does not answer.
            LinkError: the link has ended.
        """
        limit_s = self._settings.limits.addresses
        with peer.requests.open(Addresses) as pending:
            await peer.send_request(pending, GetAddresses(pending.request), limit_s)
            reply = await pending.next(limit_s)
        if not isinstance(reply, Addresses):
            raise RequestFailed("not-found", "the peer gives no addresses")
        self._reach.on_observed(peer.group, reply.observed)
        here = self._peers.get(peer)
        if here is not None:
            here.seen_at_host = reply.observed
        new_count = 0
        for claim in reply.addresses:
            address = PeerAddress(NodeId(claim.id), claim.host, claim.port)
            new_count += self._take(peer, address, claim.seen_s * 1000)
        log.debug("addresses learned", peer=peer.name, received=len(reply.addresses), new=new_count)
        if new_count:
            self._on_news()

    def _take(self, peer: Peer, address: PeerAddress, seen_ms: int) -> bool:
        if peer in self._peers:
            self._peers[peer].known.add(address)
        now_ms = self._clock.now_ms()
        return self._book.add(address, peer.group, bound_seen(seen_ms, now_ms), now_ms)

    def handle_notice(self, peer: Peer, message: AnnounceAddresses) -> None:
        """Store the addresses that a peer announces, and relay the fresh ones."""
        here, now, now_ms, new_count = self.enter(peer), self._clock.monotonic(), self._clock.now_ms(), 0
        for claim in message.addresses:
            if not here.budget.take(now):
                break
            address = PeerAddress(NodeId(claim.id), claim.host, claim.port)
            if not self._book.is_acceptable(address):
                continue
            new_count += self._take(peer, address, claim.seen_s * 1000)
            if abs(now_ms - claim.seen_s * 1000) <= FRESH_MS:
                self._relay(peer, address, claim.seen_s)
        if new_count:
            self._on_news()

    def _relay(self, source: Peer, address: PeerAddress, seen_s: int) -> None:
        """Queue an address for every other peer while the book is small, and for a few of them afterwards.

        A choice of a few peers can leave out a node of a small network for as long as the choice stands. In a large
        network the same few peers are chosen for a whole day, no matter which peer announces the address, so that an
        address announced often does not multiply.
        """
        chosen = [peer for peer in self._peers if peer is not source and peer.id != address.id]
        if len(self._book) > SMALL_BOOK:
            day = self._clock.now_ms() // DAY_MS
            about = address.id + address.host.encode() + day.to_bytes(4, "big")
            chosen.sort(key=lambda peer: blake2b(about + peer.id, key=self._key, digest_size=8).digest())
            del chosen[RELAYS:]
        for peer in chosen:
            here = self._peers[peer]
            if address not in here.known and len(here.waiting) < MAX_WAITING:
                here.waiting[address] = seen_s

    async def run(self) -> None:
        """Send waiting addresses, and this node's own address once a day, until cancelled."""
        while True:
            await asyncio.sleep(self._settings.address_interval_s * (0.5 + self._rng.random()))
            self.flush()
            now = self._clock.monotonic()
            for peer, here in self._peers.items():
                if here.own_at is None or now - here.own_at > OWN_S:
                    self.announce_own(peer)

    def flush(self) -> None:
        """Send each peer the addresses that wait for it, at most `MAX_ANNOUNCED` of them."""
        for peer, here in self._peers.items():
            self._send_waiting(peer, here)

    def _send_waiting(self, peer: Peer, here: _PeerState) -> None:
        batch: dict[PeerAddress, int] = {}
        while here.waiting and len(batch) < MAX_ANNOUNCED:
            address, seen_s = here.waiting.popitem(last=False)
            if address not in here.known:
                batch[address] = seen_s
        if not batch:
            return
        told = tuple(KnownAddress(each.id, each.host, each.port, seen_s) for each, seen_s in batch.items())
        if peer.send(AnnounceAddresses(told)):
            for address in batch:
                here.known.add(address)
        else:
            # The link is busy, so they wait for the next turn.
            here.waiting.update(batch)

    def announce_own(self, peer: Peer) -> None:
        """Announce this node's address to a dialled peer, unless other nodes cannot reach it there."""
        here, now = self._peers.get(peer), self._clock.monotonic()
        if here is None or self._reach.get_state(now) is Reach.PRIVATE:
            return
        own = self._reach.get_own(self._get_port(), here.seen_at_host)
        if own is not None and peer.kind is not LinkKind.INBOUND:
            claim = KnownAddress(own.id, own.host, own.port, self._clock.now_ms() // 1000)
            if peer.send(AnnounceAddresses((claim,))):
                here.own_at = now

    def request_dial_back(self, peer: Peer) -> None:
        """Ask a dialled peer to dial back if no node has reached this one yet."""
        now = self._clock.monotonic()
        if self._reach.get_state(now) is not Reach.PUBLIC and self._get_port() and peer.send(DialMe()):
            self._reach.on_asked(now)

    def on_dial_me(self, peer: Peer) -> None:
        """Note that a peer asks to be dialled."""
        self.enter(peer).wants_dial.set()

    async def wait_dial_me(self, peer: Peer) -> None:
        """Return when the peer asks to be dialled."""
        here = self._peers[peer]
        await here.wants_dial.wait()
        here.wants_dial.clear()
