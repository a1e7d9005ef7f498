"""net_*: the other nodes this one talks to."""

from typing import Annotated, Literal

from pydantic import Field

from rpc.method import method
from rpc.ports import NodePort
from rpc.schemas import Count, HeightNumber, Hex32, Model, NoParams


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
