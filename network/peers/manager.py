"""The manager admits links from either side, one per node, counts them by kind, and runs them until they end."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

import structlog

from inos.core.bounded import Score
from inos.network.endpoints import compute_group, split_endpoint
from inos.network.errors import LinkError, Misbehaviour
from inos.network.identity import PeerAddress
from inos.network.link import Link, Transport
from inos.network.peers.bans import BanList
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
from inos.primitives.errors import InosError
from inos.primitives.randomness import Randomness
from inos.primitives.units import NodeId

log = structlog.get_logger("inos.network")

MAX_SCORES: Final = 4096

MakeHello = Callable[[bool], bytes]
"""Makes this node's handshake payload; the argument says whether the link serves a few requests only."""
CheckHello = Callable[[Hello], str]
"""Returns why a hello belongs to another network, or ""."""


class PeerManager:
    """Holds all connected peers by id. Links are dialled only while `run` runs."""

    def __init__(
        self,
        own_id: NodeId,
        settings: NetworkSettings,
        transport: Transport,
        make_hello: MakeHello,
        check_hello: CheckHello,
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
        """Disconnected nodes with penalty points keep these scores, which decay here as they do while connected."""
        self._probing: set[NodeId] = set()
        self._group: asyncio.TaskGroup | None = None
        self._is_stopped = False
        self.peers: dict[NodeId, Peer] = {}
        self._short = ShortLinks(self.peers, self.connect, settings, clock)
        self._inbound = InboundSlots(self.peers, settings.max_inbound, [peer.id for peer in settings.peers], key)

    def is_refused(self, address: PeerAddress) -> bool:
        """Return True if the node is banned, for itself or for its network group."""
        return self._bans.is_banned(address.id, compute_group(address.host, address.port))

    @property
    def is_running(self) -> bool:
        """The property is True if links can be dialled."""
        return self._group is not None and not self._is_stopped

    def list_full(self) -> tuple[Peer, ...]:
        """Return the peers that receive notices and take part in sync, whose links serve more than a few requests."""
        return tuple(peer for peer in self.peers.values() if not peer.is_brief)

    def count(self, kind: LinkKind) -> int:
        """Return the number of links of one kind; inbound links for a few requests do not count."""
        found = [peer for peer in self.peers.values() if peer.kind is kind and not peer.is_closing]
        return sum(not peer.is_brief for peer in found) if kind is LinkKind.INBOUND else len(found)

    async def run(self, *works: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run the sessions of dialled links, and `works` beside them, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for work in (self._short.run, *works):
                    group.create_task(work())
        finally:
            self._group = None

    async def get_or_dial(self, address: PeerAddress, limit_s: float) -> Peer:
        """Return the peer at `address` for a few requests: a connected peer, or one dialled by a link of its own.

        Such a link takes no slot and is shared by all callers that want the same node. It is closed when it was idle
        for `short_idle_s`. At most `max_short` are open; the one that was idle the longest is closed for a new one.

        Args:
            limit_s: the seconds to wait for the link.

        Raises:
            LinkError: the node cannot be reached in time, is banned or on another network; "too-many-links" if all are
                busy.
        """
        return await self._short.get_or_dial(address, limit_s)

    async def verify_address(self, address: PeerAddress) -> None:
        """Check that `address.id` lives there, without making a link.

        Raises:
            LinkError: the node cannot be reached, or not in time.
            HandshakeFailed: "wrong-peer".
        """
        if not self.is_running or address.id == self._own_id or self.is_refused(address):
            raise LinkError("not-dialled", f"{address} is this node itself or banned, or the network is not running")
        await self._transport.verify_address(address)

    async def connect(self, address: PeerAddress, kind: LinkKind) -> Peer:
        """Dial a node and start the session of the link.

        Raises:
            LinkError: the node cannot be reached, or not in time; "self", "banned", "duplicate" and others if not
                admitted.
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
        """Check by a link that is closed at once that a node is there and on this network.

        Raises:
            LinkError: no node of this network is there, or another one answers ("wrong-peer").
        """
        if not self.is_running or address.id == self._own_id or self.is_refused(address):
            raise LinkError("not-dialled", f"{address} is this node itself or banned, or the network is not running")
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
        """Accept links from other nodes until `stop`; `handler` does the work of every session from now on.

        Raises:
            NetworkError: "port-in-use", "cannot-listen".
        """
        self._handler = handler
        await self._transport.listen(lambda: self._make_hello(False), partial(self._accept, handler))

    async def _accept(self, handler: SessionHandler, link: Link) -> None:
        """Run a link that the other side dialled until it ends; never raise on what the other side does."""
        handler.on_arrival(split_endpoint(link.remote_address)[0])
        try:
            peer, replaced = await self._admit(link, LinkKind.INBOUND)
        except LinkError:
            return
        await self._run(handler, peer, replaced)

    async def _admit(self, link: Link, kind: LinkKind, address: PeerAddress | None = None) -> tuple[Peer, Peer | None]:
        """Admit a link; return its peer and the peer whose link it replaces. A refused link is closed.

        Raises:
            LinkError: the reason of the refusal.
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
        # There is no await between the last check and this, so that a third link cannot come between.
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
        if self._needs_room(peer) and not await self._has_room(peer):
            return "full"
        if not await self._make_way(peer):
            return "duplicate"
        return "stopping" if self._is_stopped else ""

    def _needs_room(self, peer: Peer) -> bool:
        """Return True if an inbound link takes a place that the present link of its node, if there is one, does not
        have: a link for a few requests has no slot to pass on."""
        old = self.peers.get(peer.id)
        is_first = old is None or old.is_closing or (old.is_brief and not peer.is_brief)
        return peer.kind is LinkKind.INBOUND and is_first

    async def _has_room(self, peer: Peer) -> bool:
        if peer.is_brief:
            return await self._short.admit_inbound()
        return await self._inbound.admit(peer)

    async def _make_way(self, peer: Peer) -> bool:
        """Return True if `peer` becomes the only link to its node.

        Both sides keep the link that the smaller id dialled, so that they agree without a message. A link for more than
        a few requests is preferred to one for a few. If the same side dials again, it has lost the old link, even if
        this side has not noticed. An old link that would win must first answer a ping, so that a dead link shuts no
        node out.
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
        """Return True if the present link of a node answers, or if another link replaced it during the ping."""
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
            log.debug("bye not delivered", peer=link.remote_id.hex()[:12])
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
        except InosError as error:  # such as a damaged database, which has a hint and needs no traceback
            log.error("peer session failed", peer=peer.name, code=error.code, reason=error.message, hint=error.hint)
        except Exception:
            # A fault of this node in one peer's session must not end the sessions of others.
            log.exception("peer session failed", peer=peer.name)
        finally:
            if self.peers.get(peer.id) is peer:
                del self.peers[peer.id]
                self._remember(peer)
            peer.ended.set()
            peer.drop_memory()
            log.info("peer disconnected", peer=peer.name, reason=peer.end_reason)

    def _judge(self, peer: Peer, fault: Misbehaviour) -> None:
        """Ban the peer if the fault that ended its session, or its points, suffice; count a lesser fault only."""
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
        """Count a fault found outside the peer's session; ban and disconnect the peer if its points suffice."""
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
