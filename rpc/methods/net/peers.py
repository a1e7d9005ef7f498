"""net_*: the other nodes this one talks to."""

from typing import Annotated, Literal

from msgspec import structs
from pydantic import Field

from inos.primitives.errors import MatrixMissing
from inos.primitives.units import MatrixId
from inos.rpc.errors import make_not_found
from inos.rpc.method import Example, method
from inos.rpc.ports import NodePort
from inos.rpc.schemas import Count, HeightNumber, Hex32, Model, NoParams

MAX_PROVIDERS = 20


class PeerModel(Model):
    """One connected peer."""

    id: Hex32
    address: str
    direction: Literal["inbound", "outbound"]
    kind: Annotated[
        str,
        Field(description="static (named by the user), outbound (found), inbound, or short (for a few questions)."),
    ]
    group: Annotated[str, Field(description="Network group: what addresses of one operator have in common.")]
    height: HeightNumber
    connected_at_ms: int
    latency_ms: Annotated[int | None, Field(description="Of the last ping; null before the first.")]
    score: Annotated[int, Field(description="Penalty points; at the limit the peer is disconnected.")]
    bytes_received: Count
    bytes_sent: Count


class RoutingModel(Model):
    """The routing table and the records of who provides which matrix."""

    contacts: Annotated[int, Field(ge=0, description="Nodes in the routing table.")]
    buckets: Count
    records: Annotated[int, Field(ge=0, description="Matrices of other nodes this one keeps record of.")]
    provided: Annotated[int, Field(ge=0, description="Matrices this node tells others it has.")]


class BlockRelayModel(Model):
    """What came of new blocks since the start; blocks of a sync are not among them."""

    blocks: Annotated[Count, Field(description="Blocks put together from compact ones.")]
    bytes: Annotated[Count, Field(description="Their compact form, in bytes.")]
    duplicates: Annotated[Count, Field(description="Compact blocks that were here already.")]
    duplicate_bytes: Count
    requested: Annotated[Count, Field(description="Transactions of them that had to be requested.")]
    fallbacks: Annotated[Count, Field(description="Blocks that had to be fetched whole.")]


class Status(Model):
    """Where this node stands among others."""

    node_id: Hex32
    peers: Count
    listen_port: Count
    reachability: Annotated[
        Literal["unknown", "private", "public"],
        Field(description="public once somebody dialled this node; private where peers asked to dial back did not."),
    ]
    observed_host: Annotated[str, Field(description="Where most peers see this node; empty before they said.")]
    announced: Annotated[str, Field(description="ID@host:port as announced to others; empty where nothing is.")]
    discovery: Annotated[bool, Field(description="Whether peers are found by themselves.")]
    links: Annotated[dict[str, Count], Field(description="Links by kind.")]
    max_outbound: Count
    max_inbound: Count
    outbound_groups: Annotated[Count, Field(description="Network groups among the outbound links.")]
    known_new: Annotated[Count, Field(description="Addresses in the book that were never reached.")]
    known_tried: Annotated[Count, Field(description="Addresses in the book that were reached.")]
    is_stale: Annotated[bool, Field(description="Whether outbound peers are changed as the chain stands still.")]
    block_relay: BlockRelayModel
    routing: RoutingModel


class AddressModel(Model):
    """One address of the book. Times are milliseconds since 1970 UTC, null for never."""

    id: Hex32
    host: str
    port: Count
    group: str
    is_tried: Annotated[bool, Field(description="Whether it is among those reached.")]
    is_connected: bool
    seen_ms: int
    attempt_ms: int | None
    reached_ms: int | None
    attempts: Annotated[Count, Field(description="In vain, since it was last reached.")]


class AddressesParams(Model):
    limit: Annotated[int, Field(ge=1, le=1000, description="Most addresses in the answer.")] = 100


class AddressBookModel(Model):
    count: Annotated[Count, Field(description="Addresses in the whole book.")]
    addresses: Annotated[list[AddressModel], Field(description="Those seen last come first.")]


class BanModel(Model):
    """A node or a network group that is refused for a time."""

    kind: Literal["node", "group"]
    subject: Annotated[str, Field(description="A node's id, or a network group such as 20.1.0.0/16.")]
    until_ms: int
    since_ms: int
    reason: Annotated[str, Field(description="Code of the fault, or how many nodes of the group were banned.")]


class Bans(Model):
    count: Count
    bans: list[BanModel]


class UnbanParams(Model):
    subject: Annotated[str, Field(min_length=3, max_length=300, description='An id, a group, or "all".')]


class Lifted(Model):
    lifted: Annotated[Count, Field(description="Bans that were in force.")]


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
            kind=peer.kind,
            group=peer.group,
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


@method("net_status")
async def net_status(node: NodePort, params: NoParams) -> Status:
    """This node's place in the network: whether others can reach it, its links by kind, and whom it knows."""
    status, routing = structs.asdict(node.net_status()), structs.asdict(node.net_routing())
    return Status.model_validate(
        status | {"node_id": node.node_id.hex(), "peers": len(node.net_peers()), "routing": routing}
    )


@method("net_addresses", is_protected=True)
async def net_addresses(node: NodePort, params: AddressesParams) -> AddressBookModel:
    """The address book: every node this one has heard of."""
    found = node.net_addresses()
    connected = {peer.node_id for peer in node.net_peers()}
    addresses = [
        AddressModel(
            id=one.id.hex(),
            host=one.host,
            port=one.port,
            group=one.group,
            is_tried=one.is_tried,
            is_connected=one.id in connected,
            seen_ms=one.seen_ms,
            attempt_ms=one.attempt_ms or None,
            reached_ms=one.reached_ms or None,
            attempts=one.attempts,
        )
        for one in found[: params.limit]
    ]
    return AddressBookModel(count=len(found), addresses=addresses)


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


@method("net_bans", is_protected=True)
async def net_bans(node: NodePort, params: NoParams) -> Bans:
    """Nodes and network groups that this node refuses now, for how long, and why."""
    bans = [
        BanModel(
            kind="group" if ban.is_group else "node",
            subject=ban.subject,
            until_ms=ban.until_ms,
            since_ms=ban.since_ms,
            reason=ban.reason,
        )
        for ban in node.net_bans()
    ]
    return Bans(count=len(bans), bans=bans)


@method("net_unban", is_protected=True, examples=(Example("lift every ban", {"subject": "all"}),))
async def net_unban(node: NodePort, params: UnbanParams) -> Lifted:
    """Lift bans: of a node by its id or the first eight digits or more of it, of a group by its name, or all."""
    return Lifted(lifted=node.lift_bans(params.subject))


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
