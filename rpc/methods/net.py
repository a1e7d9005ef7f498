"""net_*: the other nodes this one talks to."""

from typing import Annotated, Literal

from pydantic import Field

from primitives.errors import MatrixMissing
from primitives.units import MatrixId
from rpc.errors import make_not_found
from rpc.method import Example, method
from rpc.ports import NodePort
from rpc.schemas import Count, HeightNumber, Hex32, Model, NoParams

MAX_PROVIDERS = 20


class PeerModel(Model):
    """One connected peer."""

    id: Hex32
    address: str
    direction: Literal["inbound", "outbound"]
    height: HeightNumber
    connected_at_ms: int
    latency_ms: Annotated[int | None, Field(description="Of the last ping; null before the first.")]
    score: Annotated[int, Field(description="Penalty points; at the limit the peer is disconnected.")]
    bytes_received: Count
    bytes_sent: Count


class Peers(Model):
    count: Count
    peers: list[PeerModel]


@method("net_peers")
async def net_peers(node: NodePort, params: NoParams) -> Peers:
    """The peers connected now."""
    peers = [
        PeerModel(
            id=peer.node_id.hex(),
            address=peer.address,
            direction="inbound" if peer.is_inbound else "outbound",
            height=peer.height,
            connected_at_ms=peer.connected_at,
            latency_ms=None if peer.latency_ms < 0 else peer.latency_ms,
            score=peer.score,
            bytes_received=peer.bytes_received,
            bytes_sent=peer.bytes_sent,
        )
        for peer in node.net_peers()
    ]
    return Peers(count=len(peers), peers=peers)


class RoutingModel(Model):
    """The routing table and the records of who provides which matrix."""

    contacts: Annotated[int, Field(ge=0, description="Nodes in the routing table.")]
    buckets: Count
    records: Annotated[int, Field(ge=0, description="Matrices of other nodes this one keeps record of.")]
    provided: Annotated[int, Field(ge=0, description="Matrices this node tells others it has.")]


class NetStatus(Model):
    """How this node stands among others."""

    node_id: Hex32
    peers: Count
    routing: RoutingModel


class FindParams(Model):
    id: Hex32
    limit: Annotated[int, Field(ge=1, le=MAX_PROVIDERS, description="Stop at so many.")] = 3


class ProviderModel(Model):
    """A node that has the matrix."""

    id: Hex32
    host: str
    port: Annotated[int, Field(ge=1, le=65_535)]


class Found(Model):
    count: Count
    providers: list[ProviderModel]


class ProvideParams(Model):
    id: Hex32


class Told(Model):
    kept_by: Annotated[int, Field(ge=0, description="Nodes that keep record of it.")]


@method("net_status")
async def net_status(node: NodePort, params: NoParams) -> NetStatus:
    """This node's place in the network."""
    routing = node.net_routing()
    return NetStatus(
        node_id=node.node_id.hex(),
        peers=len(node.net_peers()),
        routing=RoutingModel(
            contacts=routing.contacts,
            buckets=routing.buckets,
            records=routing.records,
            provided=routing.provided,
        ),
    )


@method("net_findProviders", timeout_s=90.0, examples=(Example("who has this matrix", {"id": "00" * 32}),))
async def net_find_providers(node: NodePort, params: FindParams) -> Found:
    """Other nodes that have a matrix: looked up, reached, and asked for a strip of it just now."""
    found = await node.find_providers(MatrixId(bytes.fromhex(params.id)), params.limit)
    providers = [ProviderModel(id=each.node_id.hex(), host=each.host, port=each.port) for each in found]
    return Found(count=len(providers), providers=providers)


@method("net_provide", timeout_s=90.0, is_protected=True)
async def net_provide(node: NodePort, params: ProvideParams) -> Told:
    """Tell the nodes nearest to a stored matrix that this one has it. Stored matrices are told of anyway, in turn."""
    try:
        return Told(kept_by=await node.provide_matrix(MatrixId(bytes.fromhex(params.id))))
    except MatrixMissing as error:
        raise make_not_found("matrix", params.id) from error
