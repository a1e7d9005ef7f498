"""A simulated network has latency, bandwidth, loss and cuts, on the time of the event loop.

Frames stay whole and in order, as on a socket: a lost packet is retransmitted later and delays what was sent after it.
A cut is not reported; frames wait until the cut heals or the link is given up. There is no encryption: ids are given
and believed. Everything above the link runs as it does on sockets.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from inos.network.errors import HandshakeFailed, LinkError, NetworkError
from inos.network.identity import PeerAddress
from inos.network.link import MAX_FRAME_BYTES, HelloMaker, Link, LinkHandler
from inos.primitives.randomness import Randomness
from inos.primitives.units import NodeId

WINDOW_BYTES: Final = 256 << 10
"""In each direction two sockets' buffers hold this many bytes that are sent and not read by the other side yet."""
PACKET_BYTES: Final = 1448
PACKET_OVERHEAD: Final = 66
"""Each packet has Ethernet, IP and TCP headers of this size; Noise's tag and the WebSocket's header are negligible."""
SETUP_TRIPS: Final = 3.5
"""The dialler has its link after this many round trips: TCP, the WebSocket's upgrade, Noise XX."""
RETRANSMIT_S: Final = 0.2
"""A lost packet is sent again after at least this time (Linux)."""
MIN_TIMER_S: Final = 0.0005
"""A shorter wait for the receiver's line gets no timer."""
DIAL_S: Final = 10.0
"""A dial to an unreachable node fails after this time."""
Tap = Callable[[float, NodeId, NodeId, bytes], None]
"""The function is called with each frame as it arrives: loop time, sender, receiver, frame."""


class Conditions(Protocol):
    """Describes the present conditions between two nodes."""

    def get_latency(self, a: NodeId, b: NodeId) -> float:
        """Return the seconds in one direction, without the delay from bandwidth."""

    def get_loss(self, a: NodeId, b: NodeId) -> float:
        """Return the share of packets that are lost."""

    def is_cut(self, a: NodeId, b: NodeId) -> bool:
        """Return True if nothing gets through now."""


class Line:
    """Models the access line of one node: bytes per second up and down, and until when each direction is occupied."""

    def __init__(self, up: float, down: float) -> None:
        self._up = up
        self._down = down
        self._up_free = 0.0
        self._down_free = 0.0

    def take_up(self, now: float, size: int) -> float:
        """Return the time when `size` bytes that wait now have left."""
        self._up_free = max(now, self._up_free) + _count_on_wire(size) / self._up
        return self._up_free

    def take_down(self, now: float, size: int) -> float:
        """Return the time when `size` bytes that arrive now have been received."""
        self._down_free = max(now, self._down_free) + _count_on_wire(size) / self._down
        return self._down_free


def count_packets(size: int) -> int:
    return 1 + size // PACKET_BYTES


def _count_on_wire(size: int) -> int:
    return size + count_packets(size) * PACKET_OVERHEAD


class _InTransit(NamedTuple):
    """A frame, or the end of the link, is in transit."""

    due: float
    frame: bytes | None
    is_near: bool
    """The frame has reached the receiver's line, where its turn is fixed, if this is True."""


class _Direction:
    """Carries the frames in one direction."""

    def __init__(self, network: "SimulatedNetwork", source: "SimulatedTransport", sink: "SimulatedTransport") -> None:
        self._network = network
        self.source = source
        self.sink = sink
        self._on_way: deque[_InTransit] = deque()
        self._arrived: deque[bytes] = deque()
        self._bytes = 0
        self._last = 0.0
        self._is_stalled = False
        self._timer: asyncio.TimerHandle | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self.is_shut = False
        """The sender accepts no more frames if this is True."""
        self.is_over = False
        """The receiver has seen the end, or wants no more frames, if this is True."""
        self.on_end: Callable[[], None] | None = None

    async def put(self, frame: bytes) -> None:
        while self._bytes >= WINDOW_BYTES and not self.is_shut:
            self._writer = asyncio.get_running_loop().create_future()
            await self._writer
        if self.is_shut:
            raise LinkError("link-closed", "the link is closed")
        self._bytes += len(frame)
        self._depart(frame, len(frame))

    async def get(self) -> bytes:
        while not self._arrived:
            if self.is_over:
                raise LinkError("link-closed", "the link is closed")
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        frame = self._arrived.popleft()
        self._release(len(frame))
        return frame

    def shut(self) -> None:
        """Close the sender's side; the receiver learns it after the frames in transit."""
        if not self.is_shut:
            self.is_shut = True
            _wake(self._writer)
            self._depart(None, 0)

    def end(self) -> None:
        """Close the receiver's side; frames that still arrive are dropped."""
        self.is_over = True
        self._arrived.clear()
        _wake(self._reader)

    def _release(self, size: int) -> None:
        self._bytes -= size
        if self._bytes < WINDOW_BYTES:
            _wake(self._writer)

    def _depart(self, frame: bytes | None, size: int) -> None:
        self._last = max(self._last, self._network.compute_arrival(self.source, self.sink, size))
        self._on_way.append(_InTransit(self._last, frame, False))
        if self._timer is None and not self._is_stalled:
            self._wait()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_at(self._on_way[0].due, self._arrive)

    def _arrive(self) -> None:
        self._timer = None
        network = self._network
        if network.conditions.is_cut(self.source.node_id, self.sink.node_id):
            self._is_stalled = True
            network.stalled.append(self)
            return
        now = asyncio.get_running_loop().time()
        while self._on_way and self._on_way[0].due <= now:
            item = self._on_way[0]
            if item.frame is not None and not item.is_near:
                ready = self.sink.line.take_down(now, len(item.frame))
                if ready - now > MIN_TIMER_S:
                    self._on_way[0] = _InTransit(ready, item.frame, True)
                    break
            self._on_way.popleft()
            self._land(now, item.frame)
        if self._on_way:
            self._wait()

    def _land(self, now: float, frame: bytes | None) -> None:
        if frame is None:
            self._finish()
        elif self.is_over:
            self._release(len(frame))
        else:
            if self._network.tap is not None:
                self._network.tap(now, self.source.node_id, self.sink.node_id, frame)
            self._arrived.append(frame)
            _wake(self._reader)

    def _finish(self) -> None:
        self.is_over = True
        _wake(self._reader)
        if self.on_end is not None:
            self.on_end()

    def resume(self, after_s: float) -> None:
        """Continue after a cut has healed: the frames that waited are sent again."""
        self._is_stalled = False
        at = asyncio.get_running_loop().time() + after_s
        self._on_way = deque(item._replace(due=max(at, item.due)) for item in self._on_way)
        self._last = max(self._last, at)
        if self._on_way and self._timer is None:
            self._wait()


def _wake(waiter: "asyncio.Future[None] | None") -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


class SimulatedLink:
    """One end of a link. It satisfies `inos.network.link.Link`."""

    def __init__(
        self, out: _Direction, into: _Direction, remote_id: NodeId, hello: bytes, address: str, is_outbound: bool
    ) -> None:
        self._out = out
        self._in = into
        # When the other side ends, both directions end, because no node reads what would still be sent.
        into.on_end = out.shut
        self.remote_id = remote_id
        self.remote_hello = hello
        self.remote_address = address
        self.is_outbound = is_outbound
        self.bytes_in = 0
        self.bytes_out = 0

    async def send(self, frame: bytes) -> None:
        if len(frame) > MAX_FRAME_BYTES:
            raise ValueError(f"a frame has at most {MAX_FRAME_BYTES} bytes, but this one has {len(frame)}")
        await self._out.put(frame)
        self.bytes_out += len(frame)

    async def receive(self) -> bytes:
        frame = await self._in.get()
        self.bytes_in += len(frame)
        return frame

    async def close(self) -> None:
        self._in.end()
        self._out.shut()


class SimulatedNetwork:
    """Connects all transports that can reach each other, by host and port.

    Args:
        rng: decides jitter and loss.
        tap: is called with each frame that arrives.
    """

    def __init__(self, conditions: Conditions, rng: Randomness, tap: Tap | None = None) -> None:
        self.conditions = conditions
        self.tap = tap
        self._rng = rng
        self.listeners: dict[tuple[str, int], SimulatedTransport] = {}
        self.stalled: list[_Direction] = []

    def make_transport(self, node_id: NodeId, host: str, port: int, line: Line) -> "SimulatedTransport":
        """Return a transport for one node; other nodes can reach it once it listens."""
        return SimulatedTransport(self, node_id, host, port, line)

    def heal(self) -> None:
        """Resume what was cut: what was stalled is sent again at random within a few seconds, as TCP would."""
        waiting, self.stalled = self.stalled, []
        for direction in waiting:
            direction.resume(RETRANSMIT_S * (1 + 9 * self._rng.random()))

    def compute_arrival(self, source: "SimulatedTransport", sink: "SimulatedTransport", size: int) -> float:
        """Return when `size` bytes sent now reach the receiver's line; the sender's line is occupied for as long as
        they need."""
        latency = self.compute_delay(source.node_id, sink.node_id)
        loss = self.conditions.get_loss(source.node_id, sink.node_id)
        if loss and self._rng.random() >= (1 - loss) ** count_packets(size):
            latency += max(RETRANSMIT_S, 2 * latency)
        return source.line.take_up(asyncio.get_running_loop().time(), size) + latency

    def compute_delay(self, a: NodeId, b: NodeId) -> float:
        """Return the delay in one direction, with up to a tenth of jitter."""
        return self.conditions.get_latency(a, b) * (1 + 0.1 * self._rng.random())


class SimulatedTransport:
    """Makes simulated links. It satisfies `inos.network.link.Transport`."""

    def __init__(self, network: SimulatedNetwork, node_id: NodeId, host: str, port: int, line: Line) -> None:
        self._network = network
        self.node_id = node_id
        self.line = line
        self._endpoint = (host, port)
        self._hello: HelloMaker | None = None
        self._handler: LinkHandler | None = None
        self._sessions: dict[asyncio.Task[None], None] = {}

    @property
    def port(self) -> int:
        return self._endpoint[1] if self._hello is not None else 0

    async def listen(self, hello: HelloMaker, handler: LinkHandler) -> None:
        if self._endpoint in self._network.listeners:
            raise NetworkError("port-in-use", f"something listens at {self._endpoint[0]}:{self._endpoint[1]} already")
        self._hello, self._handler = hello, handler
        self._network.listeners[self._endpoint] = self

    async def dial(self, address: PeerAddress, hello: HelloMaker) -> Link:
        other, other_hello, handler = await self._handshake(address, SETUP_TRIPS)
        there, back = _Direction(self._network, self, other), _Direction(self._network, other, self)
        near = SimulatedLink(there, back, other.node_id, other_hello(), f"{address.host}:{address.port}", True)
        far = SimulatedLink(
            back, there, self.node_id, hello(), f"{self._endpoint[0]}:{49_152 + len(other._sessions)}", False
        )
        other.accept(far, handler)
        return near

    async def verify_address(self, address: PeerAddress) -> None:
        await self._handshake(address, SETUP_TRIPS - 0.5)

    async def _handshake(
        self, address: PeerAddress, trips: float
    ) -> "tuple[SimulatedTransport, HelloMaker, LinkHandler]":
        """Wait for as long as a handshake takes, and return the transport that was reached."""
        network = self._network
        other = network.listeners.get((address.host, address.port))
        if other is None or network.conditions.is_cut(self.node_id, other.node_id):
            await asyncio.sleep(DIAL_S if other is not None else network.compute_delay(self.node_id, address.id))
            raise LinkError("cannot-dial", f"cannot reach {address}: no answer")
        await asyncio.sleep(2 * trips * network.compute_delay(self.node_id, other.node_id))
        if other._hello is None or other._handler is None or network.listeners.get(other._endpoint) is not other:
            raise LinkError("cannot-dial", f"cannot reach {address}: no node listens there")
        if other.node_id != address.id:
            raise HandshakeFailed(
                "wrong-peer", f"{address.host} answers as {other.node_id.hex()}, expected {address.id.hex()}"
            )
        return other, other._hello, other._handler

    def accept(self, link: SimulatedLink, handler: LinkHandler) -> None:
        """Give a link to the handler in a task of its own, as a server does with a connection."""

        async def run() -> None:
            await handler(link)

        task = asyncio.get_running_loop().create_task(run())
        self._sessions[task] = None
        task.add_done_callback(lambda done: self._sessions.pop(done, None))

    async def stop(self) -> None:
        if self._network.listeners.get(self._endpoint) is self:
            del self._network.listeners[self._endpoint]
        sessions = tuple(self._sessions)
        for task in sessions:
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
