"""The network as the node sees it: start, run, stop, and a list of peers."""

import random
from typing import Any

from msgspec import Struct

from network.identity import NodeIdentity
from network.link import Transport
from network.ports import Clock, NodePort, Randomness
from network.settings import NetworkSettings
from primitives.units import MatrixId, NodeId, TimeMs


class PeerInfo(Struct, frozen=True):
    """One connected peer, for people."""

    id: NodeId
    address: str
    is_outbound: bool
    user_agent: str
    height: int
    latency_ms: float | None
    bytes_in: int
    bytes_out: int
    since_ms: TimeMs


class NetworkService:
    """Everything between this node and others.

    `await start()` listens (so that a port in use is told at once), `await run()` works until
    `stop()` is called or it is cancelled. After `stop()` it cannot be started again.
    """

    def __init__(
        self,
        node: NodePort,
        settings: NetworkSettings,
        identity: NodeIdentity,
        *,
        clock: Clock | None = None,
        rng: Randomness | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._node = node
        self._settings = settings
        self._identity = identity
        self._clock = clock
        self._rng: Any = rng if rng is not None else random.SystemRandom()
        self._transport = transport

    @property
    def node_id(self) -> NodeId:
        return self._identity.node_id

    @property
    def listen_port(self) -> int:
        """The port others reach this node at; 0 before `start`."""
        return self._transport.port if self._transport is not None else 0

    def peers(self) -> list[PeerInfo]:
        """Connected peers, in the order they came."""
        return []

    async def start(self) -> None:
        """Listen.

        Raises:
            NetworkError: "port-in-use", "cannot-listen".
        """
        raise NotImplementedError

    async def run(self) -> None:
        """Dial, sync and relay until `stop`."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Close every link, then return; `run` ends. May be repeated."""

    async def fetch_matrix(self, id: MatrixId, timeout_s: float) -> None:
        """Have the matrix in the node's store within `timeout_s` seconds.

        Raises:
            MatrixMissing: nobody had it in time.
        """
        raise NotImplementedError
