"""Who may be connected: static peers redialled, an inbound limit, one link per node, bans."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from network.errors import LinkError, Misbehaviour
from network.identity import PeerAddress
from network.link import HelloMaker, Link, Transport
from network.peers.bounded import ExpiringSet
from network.peers.peer import Peer
from network.peers.session import Session, SessionHandler, ping
from network.ports import Clock, Randomness
from network.settings import PROTOCOL_VERSION, NetworkSettings
from network.wire.control import Bye, Hello
from network.wire.framing import split
from network.wire.limits import get_limit
from network.wire.messages import decode_hello, encode_message
from primitives.units import NodeId

log = structlog.get_logger("inos.network")

MAX_BANS: Final = 4096
STEADY_S: Final = 30.0
"""A link that held so long starts the redial waits from the first again."""

HelloCheck = Callable[[Hello], str]
"""Why a hello is not of our network, or ""."""


class PeerManager:
    """All connected peers by id."""

    def __init__(
        self,
        own_id: NodeId,
        settings: NetworkSettings,
        transport: Transport,
        handler: SessionHandler,
        make_hello: HelloMaker,
        check_hello: HelloCheck,
        clock: Clock,
        rng: Randomness,
    ) -> None:
        self._own_id = own_id
        self._settings = settings
        self._transport = transport
        self._handler = handler
        self._make_hello = make_hello
        self._check_hello = check_hello
        self._clock = clock
        self._rng = rng
        self._bans: ExpiringSet[NodeId] = ExpiringSet(MAX_BANS)
        self._probing: set[NodeId] = set()
        self._is_stopped = False
        self.peers: dict[NodeId, Peer] = {}

    def is_banned(self, id: NodeId) -> bool:
        return self._bans.has(id, self._clock.monotonic())

    def ban(self, id: NodeId) -> None:
        """Refuse a node for the time the settings say."""
        self._bans.add(id, self._clock.monotonic() + self._settings.ban_s)

    async def keep(self, address: PeerAddress) -> None:
        """Stay connected to one static peer until `stop`."""
        if address.id == self._own_id:
            log.warning("a static peer is this node itself", address=str(address))
            return
        wait = self._settings.redial_first_s
        while not self._is_stopped:
            present = self.peers.get(address.id)
            if present is not None:
                await present.ended.wait()
                continue
            if not self.is_banned(address.id):
                started = self._clock.monotonic()
                await self._dial(address)
                if self._clock.monotonic() - started > STEADY_S:
                    wait = self._settings.redial_first_s
            await asyncio.sleep(wait * (0.5 + self._rng.random()))
            wait = min(wait * 2, self._settings.redial_most_s)

    async def _dial(self, address: PeerAddress) -> None:
        try:
            link = await self._transport.dial(address, self._make_hello)
        except LinkError as error:
            log.info("cannot connect", address=str(address), code=error.code, reason=error.message)
            return
        await self.accept(link)

    async def accept(self, link: Link) -> None:
        """Run a proven link from either side until it ends. Never raises on what the other side does."""
        try:
            hello = decode_hello(link.remote_hello)
            reason = self._find_refusal(link, hello)
        except Misbehaviour as fault:
            self.ban(link.remote_id)
            hello, reason = None, fault.code
        if hello is None or reason:
            await self._refuse(link, reason)
            return
        if not await self._make_way(link):
            await self._refuse(link, "duplicate")
            return
        await self._run(Peer(link, hello, self._clock))

    def _find_refusal(self, link: Link, hello: Hello) -> str:
        if self._is_stopped:
            return "stopping"
        if link.remote_id == self._own_id:
            return "self"
        if self.is_banned(link.remote_id):
            return "banned"
        if hello.version != PROTOCOL_VERSION:
            return "other-version"
        if reason := self._check_hello(hello):
            return reason
        inbound = sum(not peer.link.is_outbound for peer in self.peers.values())
        if not link.is_outbound and link.remote_id not in self.peers and inbound >= self._settings.max_inbound:
            return "full"
        return ""

    async def _make_way(self, link: Link) -> bool:
        """Whether `link` becomes the one link to its node.

        Both sides keep the link dialled by the smaller id, so they agree without a word. The same side
        dialling again means that it has lost the old link, whatever this side still believes. And an old
        link that would win must first show that it lives, so that a dead one shuts nobody out.
        """
        old = self.peers.get(link.remote_id)
        if old is None:
            return True
        if link.remote_id in self._probing:
            return False
        is_by_smaller = (self._own_id < link.remote_id) == link.is_outbound
        if old.link.is_outbound != link.is_outbound and not is_by_smaller:
            self._probing.add(link.remote_id)
            try:
                is_alive = await ping(old, self._handler, self._settings.limits.probe, self._clock, self._rng)
            finally:
                self._probing.discard(link.remote_id)
            if is_alive or self.peers.get(link.remote_id) not in (old, None):
                return False
        return not self._is_stopped

    async def _refuse(self, link: Link, reason: str) -> None:
        log.info("link refused", peer=link.remote_id.hex()[:12], address=link.remote_address, reason=reason)
        data = encode_message(Bye(reason))
        try:
            async with asyncio.timeout(self._settings.limits.close):
                for frame in split(data, get_limit(Bye).lane):
                    await link.send(frame)
        except (TimeoutError, LinkError):
            log.debug("goodbye not delivered", peer=link.remote_id.hex()[:12])
        await link.close()

    async def _run(self, peer: Peer) -> None:
        # No await between the decision in _make_way and this, so that no third link comes between.
        replaced = self.peers.get(peer.id)
        self.peers[peer.id] = peer
        log.info("peer connected", peer=peer.name, address=peer.link.remote_address, outbound=peer.link.is_outbound)
        session = Session(peer, self._handler, self._settings.limits, self._clock, self._rng)
        try:
            if replaced is not None:
                await replaced.close("replaced")
            fault = await session.run()
            if fault is not None and fault.penalty > 0:
                self.ban(peer.id)
                log.warning("peer banned", peer=peer.name, code=fault.code, reason=fault.message)
        except Exception:
            # A fault of our own in one peer's session must not end the others'.
            log.exception("peer session failed", peer=peer.name)
        finally:
            if self.peers.get(peer.id) is peer:
                del self.peers[peer.id]
            peer.ended.set()
            log.info("peer gone", peer=peer.name, reason=peer.end_reason)

    async def punish(self, peer: Peer, fault: Misbehaviour) -> None:
        """Count a fault found outside the peer's session; ban and disconnect where it suffices."""
        try:
            peer.penalise(fault)
        except Misbehaviour:
            self.ban(peer.id)
            log.warning("peer banned", peer=peer.name, code=fault.code, reason=fault.message)
            await peer.close(fault.code)

    async def stop(self) -> None:
        """Close every link and accept no more."""
        self._is_stopped = True
        for peer in tuple(self.peers.values()):
            await peer.close("stopping")
