"""net_*: the other nodes this one talks to."""

from typing import Annotated, Literal

from msgspec import structs
from pydantic import Field

from rpc.method import method
from rpc.ports import NodePort
from rpc.schemas import Count, HeightNumber, Hex32, Model, NoParams


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


class Status(Model):
    """Where this node stands among others."""

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
    """Whether others can reach this node, how many links it has of each kind, and how many addresses it knows."""
    status = node.net_status()
    return Status.model_validate(structs.asdict(status))


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
