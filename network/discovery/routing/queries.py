"""This module sends single requests to nodes over proven connections and checks their answers."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from msgspec import Struct

from inos.mesh.store import MatrixInfo
from inos.network.discovery.routing.endpoints import get_canonical_host, make_peer_address, may_share
from inos.network.discovery.routing.settings import RoutingSettings
from inos.network.errors import Misbehaviour, RequestFailed
from inos.network.identity import PeerAddress
from inos.network.peers.peer import Peer
from inos.network.wire.base import Reply, Request
from inos.network.wire.kademlia import Contact, FindNodes, FindProviders, Nodes, Provide, Provided, Providers
from inos.network.wire.matrices import GetMatrix, GetStrips, MatrixHead, Strips
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.matrices import compute_matrix_id
from inos.primitives.merkle import compute_root_from_path
from inos.primitives.randomness import Randomness
from inos.primitives.units import MatrixId, NodeId
from inos.work import InvalidMatrix
from inos.work.strips import check_shape

WRONG_CONTACT: Final = 10
"""A node that names a contact where another node lives gets these penalty points once in a lookup. They are few,
because an honest node has dialled the nodes that it names, but such a node may have taken a new id since."""


class Connections(Protocol):
    """Routing needs this part of the peer manager."""

    async def get_or_dial(self, address: PeerAddress, limit_s: float) -> Peer:
        """Return the connected peer `address.id`; dial it if it is not connected.

        Raises:
            LinkError: the node cannot be reached, or not in time.
            HandshakeFailed: "wrong-peer".
        """

    async def verify_address(self, address: PeerAddress) -> None:
        """Dial and run the handshake until `address.id` is proven; raises as `get_or_dial` does."""

    @property
    def peers(self) -> Mapping[NodeId, Peer]:
        """These are all connected peers."""

    def list_full(self) -> Iterable[Peer]:
        """Return the peers whose links serve more than a few requests."""


Penalise = Callable[[Peer, Misbehaviour], Awaitable[None]]
Make = Callable[[int], Request]
"""Makes a request with the given number."""


class Found(Struct, frozen=True):
    """One node gives this answer about a matrix."""

    providers: tuple[PeerAddress, ...]
    contacts: tuple[PeerAddress, ...]


class Queries:
    """Sends single requests to nodes."""

    def __init__(
        self, own_id: NodeId, settings: RoutingSettings, connections: Connections, penalise: Penalise, rng: Randomness
    ) -> None:
        self._own_id = own_id
        self._settings = settings
        self._connections = connections
        self._penalise = penalise
        self._rng = rng

    async def find_nodes(self, address: PeerAddress, target: bytes) -> tuple[PeerAddress, ...]:
        """Return the contacts that a node names.

        Raises:
            LinkError, RequestFailed: the node was not reached, or did not answer.
            Misbehaviour: the answer breaks a rule; the penalty is already applied.
        """
        peer, reply = await self._ask(address, Nodes, lambda number: FindNodes(number, target))
        return await self._read(peer, reply.contacts) if isinstance(reply, Nodes) else ()

    async def find_providers(self, address: PeerAddress, key: MatrixId) -> Found:
        """Return the records and contacts that a node names; raises as `find_nodes` does."""
        peer, reply = await self._ask(address, Providers, lambda number: FindProviders(number, key))
        if not isinstance(reply, Providers):
            return Found((), ())
        return Found(await self._read(peer, reply.providers), await self._read(peer, reply.contacts))

    async def provide(self, address: PeerAddress, keys: Sequence[MatrixId]) -> int:
        """Tell a node that this one has matrices; return for how many it keeps a record.

        It raises the errors of `find_nodes`.
        """
        peer, reply = await self._ask(address, Provided, lambda number: Provide(number, tuple(keys)))
        if not isinstance(reply, Provided):
            return 0
        if len(reply.kept_s) != len(keys):
            raise await self._blame(
                peer, Misbehaviour("wrong-answer", "the number of answers differs from the number of matrices", 20)
            )
        return sum(seconds > 0 for seconds in reply.kept_s)

    async def confirm(self, address: PeerAddress, key: MatrixId) -> MatrixInfo:
        """Check that a node has a matrix by its head, which other nodes know too, and by one strip chosen at random.

        Raises:
            LinkError, RequestFailed: the node does not have the matrix, or did not say so.
            Misbehaviour: the node lied; the penalty is already applied.
        """
        peer, head = await self._ask(address, MatrixHead, lambda number: GetMatrix(number, key))
        if not isinstance(head, MatrixHead):
            raise RequestFailed("not-found", "the provider does not have the matrix")
        info = MatrixInfo(head.dtype, head.rows, head.cols, head.root)
        try:
            check_shape(info.dtype, info.rows, info.cols)
        except InvalidMatrix as error:
            raise await self._blame(peer, Misbehaviour(error.code, error.message)) from error
        if compute_matrix_id(info.dtype, info.rows, info.cols, info.root) != key:
            raise await self._blame(peer, Misbehaviour("wrong-matrix", f"the head is not that of matrix {key.hex()}"))
        index = self._rng.getrandbits(62) % info.strips
        peer, strips = await self._ask(address, Strips, lambda number: GetStrips(number, key, index, 1))
        if not isinstance(strips, Strips):
            raise RequestFailed("not-found", "the provider does not have the matrix")
        if not _is_strip(info, index, strips):
            raise await self._blame(
                peer, Misbehaviour("bad-path", f"the data is not strip {index} of matrix {key.hex()}")
            )
        return info

    async def _ask(self, address: PeerAddress, kind: type[Reply], make: Make) -> tuple[Peer, Reply]:
        """Return the answer of a node and the peer that gave it.

        If both sides dial at the same time, one of the two links is closed, and the request is repeated over the other.
        """
        try:
            return await self._ask_once(address, kind, make)
        except RequestFailed as error:
            if error.code != "peer-gone":
                raise
        return await self._ask_once(address, kind, make)

    async def _ask_once(self, address: PeerAddress, kind: type[Reply], make: Make) -> tuple[Peer, Reply]:
        peer = await self._connections.get_or_dial(address, self._settings.query)
        with peer.requests.open(kind) as pending:
            await peer.send_request(pending, make(pending.request), self._settings.query)
            return peer, await pending.next(self._settings.query)

    async def _read(self, peer: Peer, contacts: Iterable[Contact]) -> tuple[PeerAddress, ...]:
        """Return the addresses worth dialling; the answering node may name nodes of the site from which it is
        connected."""
        place = make_peer_address(peer.id, peer.link.remote_address, 1)
        found = []
        for contact in contacts:
            if get_canonical_host(contact.host) != contact.host:
                raise await self._blame(peer, Misbehaviour("bad-contact", "a contact has no valid address", 20))
            if contact.id != self._own_id and place is not None and may_share(contact.host, place.host):
                found.append(PeerAddress(NodeId(contact.id), contact.host, contact.port))
        return tuple(found)

    async def _blame(self, peer: Peer, fault: Misbehaviour) -> Misbehaviour:
        await self._penalise(peer, fault)
        return fault


def _is_strip(info: MatrixInfo, index: int, reply: Strips) -> bool:
    if reply.first != index or len(reply.strips) != 1:
        return False
    leaf = compute_hash(Context.MATRIX_STRIP, reply.strips[0].data)
    try:
        root = compute_root_from_path(Context.MATRIX_NODE, leaf, index, info.strips, reply.strips[0].path)
    except ValueError:
        return False
    return root == info.root


def make_contacts(addresses: Iterable[PeerAddress], asker: Peer) -> tuple[Contact, ...]:
    """Return those of `addresses` that `asker` may be told: not its own, and none of a site that it is not on."""
    place = make_peer_address(asker.id, asker.link.remote_address, 1)
    if place is None:
        return ()
    return tuple(
        Contact(address.id, address.host, address.port)
        for address in addresses
        if address.id != asker.id and may_share(address.host, place.host)
    )
