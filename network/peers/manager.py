"""Who is connected: links admitted from either side, one per node, counted by kind, run until they end."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

import structlog

from inos.network.endpoints import compute_group, split_endpoint
from inos.network.errors import LinkError, Misbehaviour
from inos.network.identity import PeerAddress
from inos.network.link import Link, Transport
from inos.network.peers.bans import BanList
from inos.network.peers.bounded import Score
from inos.network.peers.inbound import InboundSlots
from inos.network.peers.kinds import LinkKind
from inos.network.peers.peer import Peer
from inos.network.peers.session import GetTip, Session, SessionHandler, ping
from inos.network.peers.short_links import ShortLinks
from inos.network.peers.work_budget import make_shared_budget
from inos.network.settings import PROTOCOL_VERSION, NetworkSettings
from inos.network.wire.control import Bye, Hello
from inos.network.wire.framing import split
from inos.network.wire.limits import BAN, get_limit
from inos.network.wire.messages import decode_hello, encode_message
from inos.primitives.clock import Clock
from inos.primitives.randomness import Randomness
from inos.primitives.units import NodeId

log = structlog.get_logger("inos.network")

MAX_SCORES: Final = 4096

HelloMaker = Callable[[bool], bytes]
"""Makes this node's handshake payload; the argument says whether the link is for a few questions only."""
HelloCheck = Callable[[Hello], str]
"""Why a hello is not of our network, or ""."""


class PeerManager:
    """All connected peers by id. Links are dialled only while `run` runs."""

    def __init__(
        self,
        own_id: NodeId,
        settings: NetworkSettings,
        transport: Transport,
        make_hello: HelloMaker,
        check_hello: HelloCheck,
        get_tip: GetTip,
        clock: Clock,
        rng: Randomness,
        bans: BanList,
        key: bytes,
    ) -> None:
        self._own_id = own_id
        self._settings = settings
        self._transport = transport
        self._handler: SessionHandler | None = None
        self._make_hello = make_hello
        self._check_hello = check_hello
        self._get_tip = get_tip
        self._clock = clock
        self._rng = rng
        self._bans = bans
        self._shared_work = make_shared_budget(clock.monotonic())
        self._scores: OrderedDict[NodeId, Score] = OrderedDict()
        """Of nodes that are gone with points; they decay here as they do while connected."""
        self._probing: set[NodeId] = set()
        self._group: asyncio.TaskGroup | None = None
        self._is_stopped = False
        self.peers: dict[NodeId, Peer] = {}
        self._short = ShortLinks(self.peers, self.connect, settings, clock)
        self._inbound = InboundSlots(self.peers, settings.max_inbound, [peer.id for peer in settings.peers], key)

    def is_refused(self, address: PeerAddress) -> bool:
        """Whether the node there is banned, for itself or for its network group."""
        return self._bans.is_banned(address.id, compute_group(address.host, address.port))

    @property
    def is_running(self) -> bool:
        """Whether links can be dialled."""
        return self._group is not None and not self._is_stopped

    def list_full(self) -> tuple[Peer, ...]:
        """Peers that are there for more than a few questions: those that news go to and sync works with."""
        return tuple(peer for peer in self.peers.values() if not peer.is_brief)

    def count(self, kind: LinkKind) -> int:
        """Links of one kind; inbound ones only where they are for more than a few questions."""
        found = [peer for peer in self.peers.values() if peer.kind is kind and not peer.is_closing]
        return sum(not peer.is_brief for peer in found) if kind is LinkKind.INBOUND else len(found)

    async def run(self, *works: Coroutine[Any, Any, None]) -> None:
        """Carry the sessions of dialled links, and `works` beside them, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for work in (self._short.run(), *works):
                    group.create_task(work)
        finally:
            self._group = None

    async def get_or_dial(self, address: PeerAddress, limit_s: float) -> Peer:
        """The peer at `address`, for a few questions: one that is connected already, else by a link of its own.

        Such a link takes no slot, is shared by whoever asks for the same node, and closes when nothing went over
        it for `short_idle_s`; at most `max_short` are open, the one idle the longest goes for a new one.

        Args:
            limit_s: seconds to wait for the link.

        Raises:
            LinkError: nobody there, not in time, banned, on another network, "too-many-links" where all are busy.
        """
        return await self._short.get_or_dial(address, limit_s)

    async def verify_address(self, address: PeerAddress) -> None:
        """See that `address.id` lives there, without a link.

        Raises:
            LinkError: nobody there, or not in time. HandshakeFailed: "wrong-peer".
        """
        if not self.is_running or address.id == self._own_id or self.is_refused(address):
            raise LinkError("not-dialled", f"{address} is not dialled")
        await self._transport.verify_address(address)

    async def connect(self, address: PeerAddress, kind: LinkKind) -> Peer:
        """Dial, and begin the session of the link.

        Raises:
            LinkError: nobody there, or not in time; "self", "banned", "duplicate", ... where it was not admitted.
        """
        group, handler = self._group, self._handler
        if group is None or handler is None or self._is_stopped:
            raise LinkError("not-running", "the network is not running")
        if address.id == self._own_id:
            raise LinkError("self", f"{address} is this node itself")
        if self.is_refused(address):
            raise LinkError("banned", f"{address} is banned")
        link = await self._transport.dial(address, partial(self._make_hello, kind.is_brief))
        peer, replaced = await self._admit(link, kind, address)
        group.create_task(self._run(handler, peer, replaced))
        return peer

    async def dial_feeler(self, address: PeerAddress) -> None:
        """See that a node is there and on this network, by a link that is closed at once.

        Raises:
            LinkError: it is not, or another one is there ("wrong-peer").
        """
        if not self.is_running or address.id == self._own_id or self.is_refused(address):
            raise LinkError("not-dialled", f"{address} is not dialled")
        link = await self._transport.dial(address, partial(self._make_hello, True))
        try:
            reason = self._check_hello(decode_hello(link.remote_hello))
        except Misbehaviour as fault:
            reason = fault.code
        finally:
            await self._say_bye(link, "feeler")
        if reason:
            raise LinkError(reason, f"{address} is not on this network: {reason}")

    async def listen(self, handler: SessionHandler) -> None:
        """Accept links from others until `stop`, and let `handler` do the work of every session from now on.

        Raises:
            NetworkError: "port-in-use", "cannot-listen".
        """
        self._handler = handler
        await self._transport.listen(lambda: self._make_hello(False), partial(self._accept, handler))

    async def _accept(self, handler: SessionHandler, link: Link) -> None:
        """Run a proven link that the other side dialled until it ends; never raise on what the other side does."""
        handler.on_arrival(split_endpoint(link.remote_address)[0])
        try:
            peer, replaced = await self._admit(link, LinkKind.INBOUND)
        except LinkError:
            return
        await self._run(handler, peer, replaced)

    async def _admit(self, link: Link, kind: LinkKind, address: PeerAddress | None = None) -> tuple[Peer, Peer | None]:
        """A peer entered among the others and the one whose place it takes; a refused link is closed.

        Raises:
            LinkError: why it was refused.
        """
        try:
            peer = Peer(link, decode_hello(link.remote_hello), self._clock, kind, address, self._shared_work)
            reason = await self._find_refusal(peer)
        except Misbehaviour as fault:
            host, port = split_endpoint(link.remote_address)
            self._bans.ban(link.remote_id, compute_group(host, port), fault.code)
            peer, reason = None, fault.code
        except BaseException:
            await link.close()
            raise
        if peer is None or reason:
            await self._refuse(link, reason)
            raise LinkError(reason, f"the link to {link.remote_address} was refused: {reason}")
        # No await between the last check and this, so that no third link comes between.
        replaced = self.peers.get(peer.id)
        peer.score = replaced.score if replaced is not None else self._scores.pop(peer.id, peer.score)
        self.peers[peer.id] = peer
        return peer, replaced

    async def _find_refusal(self, peer: Peer) -> str:
        hello = peer.hello
        if peer.id == self._own_id:
            return "self"
        if self._bans.is_banned(peer.id, peer.group):
            return "banned"
        if hello.version != PROTOCOL_VERSION:
            return "other-version"
        if reason := self._check_hello(hello):
            return reason
        if peer.kind is LinkKind.INBOUND and peer.id not in self.peers and not await self._has_room(peer):
            return "full"
        if not await self._make_way(peer):
            return "duplicate"
        return "stopping" if self._is_stopped else ""

    async def _has_room(self, peer: Peer) -> bool:
        if peer.is_brief:
            return await self._short.admit_inbound()
        return await self._inbound.admit(peer)

    async def _make_way(self, peer: Peer) -> bool:
        """Whether `peer` becomes the one link to its node.

        Both sides keep the link dialled by the smaller id, so they agree without a word; a link for more than a
        few questions goes before one for a few. The same side dialling again means that it has lost the old
        link, whatever this side still believes. And an old link that would win must first show that it lives,
        so that a dead one shuts nobody out.
        """
        old = self.peers.get(peer.id)
        if old is None or old.is_closing or (old.is_brief and not peer.is_brief):
            return True
        if peer.id in self._probing:
            return False
        is_outbound = peer.link.is_outbound
        is_by_smaller = (self._own_id < peer.id) == is_outbound
        is_same_side = old.link.is_outbound == is_outbound
        is_less = peer.is_brief and not old.is_brief
        if is_less or (not is_same_side and not is_by_smaller):
            return not await self._is_alive(old)
        return True

    async def _is_alive(self, old: Peer) -> bool:
        """Whether the present link of a node answers, or gave way to another one while we asked."""
        self._probing.add(old.id)
        try:
            is_alive = await ping(old, self._get_tip, self._settings.limits.probe, self._clock, self._rng)
        finally:
            self._probing.discard(old.id)
        return is_alive or self.peers.get(old.id) not in (old, None)

    async def _refuse(self, link: Link, reason: str) -> None:
        log.info("link refused", peer=link.remote_id.hex()[:12], address=link.remote_address, reason=reason)
        await self._say_bye(link, reason)

    async def _say_bye(self, link: Link, reason: str) -> None:
        data = encode_message(Bye(reason))
        try:
            async with asyncio.timeout(self._settings.limits.close):
                for frame in split(data, get_limit(Bye).lane):
                    await link.send(frame)
        except (TimeoutError, LinkError):
            log.debug("goodbye not delivered", peer=link.remote_id.hex()[:12])
        finally:
            await link.close()

    async def _run(self, handler: SessionHandler, peer: Peer, replaced: Peer | None) -> None:
        log.info("peer connected", peer=peer.name, address=peer.link.remote_address, kind=peer.kind.value)
        session = Session(peer, handler, self._get_tip, self._settings.limits, self._clock, self._rng)
        try:
            if replaced is not None:
                await replaced.close("replaced")
            fault = await session.run()
            if fault is not None:
                self._judge(peer, fault)
        except Exception:
            # A fault of our own in one peer's session must not end the others'.
            log.exception("peer session failed", peer=peer.name)
        finally:
            if self.peers.get(peer.id) is peer:
                del self.peers[peer.id]
                self._remember(peer)
            peer.ended.set()
            log.info("peer gone", peer=peer.name, reason=peer.end_reason)

    def _judge(self, peer: Peer, fault: Misbehaviour) -> None:
        """Ban for the fault that ended a session, where it or the points suffice; a lesser one only counts."""
        if fault.penalty >= BAN or peer.is_condemned:
            log.warning("peer misbehaved", peer=peer.name, code=fault.code, reason=fault.message)
            self._bans.ban(peer.id, peer.group, fault.code)
        else:
            peer.score.add(fault.penalty, self._clock.monotonic())

    def _remember(self, peer: Peer) -> None:
        if peer.score.get(self._clock.monotonic()) >= 1.0:
            self._scores[peer.id] = peer.score
            if len(self._scores) > MAX_SCORES:
                self._scores.popitem(last=False)

    async def penalise(self, peer: Peer, fault: Misbehaviour) -> None:
        """Count a fault found outside the peer's session; ban and disconnect where it suffices."""
        try:
            peer.penalise(fault)
        except Misbehaviour:
            self._judge(peer, fault)
            await peer.close(fault.code)

    async def stop(self) -> None:
        """Close every link and accept no more."""
        self._is_stopped = True
        for peer in tuple(self.peers.values()):
            await peer.close("stopping")
