"""net_peers: the connected peers."""

from typing import Annotated, Literal

from pydantic import Field

from inos.rpc.method import method
from inos.rpc.models.values import BlockHeight, Count, Hash, Model, NoParams, UnixMs
from inos.rpc.ports import NodePort


class PeerModel(Model):
    """A connected peer."""

    id: Annotated[Hash, Field(description="The peer's node id.")]
    address: Annotated[str, Field(description="Its host and port, as this node sees them.")]
    direction: Annotated[
        Literal["inbound", "outbound"], Field(description='"outbound" if this node opened the connection.')
    ]
    kind: Annotated[
        str,
        Field(
            description="static (configured by the user), outbound (chosen from the address book), inbound, feeler "
            "(tests whether an address can be reached), or short (for a few requests)."
        ),
    ]
    group: Annotated[str, Field(description="The network group, which addresses of one operator have in common.")]
    height: Annotated[BlockHeight, Field(description="The height of the peer's tip, as it last said.")]
    connected_at_ms: Annotated[UnixMs, Field(description="When the connection was opened.")]
    latency_ms: Annotated[
        Count | None, Field(description="The round-trip time of the last ping; null before the first.")
    ]
    score: Annotated[Count, Field(description="Penalty points for misbehaviour; at 100 the peer is banned.")]
    bytes_received: Annotated[Count, Field(description="Bytes received from the peer.")]
    bytes_sent: Annotated[Count, Field(description="Bytes sent to the peer.")]


class PeerListModel(Model):
    """The connected peers."""

    count: Annotated[Count, Field(description="The number of connected peers.")]
    peers: Annotated[list[PeerModel], Field(description="The peers.")]


@method("net_peers")
async def net_peers(node: NodePort, params: NoParams) -> PeerListModel:
    """List the connected peers."""
    peers = [
        PeerModel(
            id=peer.id.hex(),
            address=peer.address,
            direction="outbound" if peer.is_outbound else "inbound",
            kind=peer.kind.value,
            group=peer.group,
            height=peer.height,
            connected_at_ms=peer.since_ms,
            latency_ms=None if peer.latency_ms is None else round(peer.latency_ms),
            score=peer.score,
            bytes_received=peer.bytes_in,
            bytes_sent=peer.bytes_out,
        )
        for peer in node.p2p.peers()
    ]
    return PeerListModel(count=len(peers), peers=peers)
