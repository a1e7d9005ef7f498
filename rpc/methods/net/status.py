"""net_status: reachability, connections, block relay and routing."""

from typing import Annotated, Literal, cast

from msgspec import structs
from pydantic import Field

from inos.rpc.method import method
from inos.rpc.models.values import Count, Hash, Model, NoParams
from inos.rpc.ports import NodePort

Reachability = Literal["unknown", "private", "public"]


class BlockRelayModel(Model):
    """How new blocks arrived since the start; blocks of a sync are not counted."""

    blocks: Annotated[Count, Field(description="Blocks that were rebuilt from compact blocks.")]
    bytes: Annotated[Count, Field(description="Bytes of those compact blocks.")]
    duplicates: Annotated[Count, Field(description="Compact blocks of blocks that the node had already.")]
    duplicate_bytes: Annotated[Count, Field(description="Bytes of those duplicates.")]
    requested_transactions: Annotated[
        Count, Field(description="Transactions of compact blocks that had to be requested from a peer.")
    ]
    full_blocks: Annotated[Count, Field(description="Blocks that had to be requested whole.")]


class RoutingModel(Model):
    """The routing table, and the records of which node provides which matrix."""

    contacts: Annotated[Count, Field(description="Nodes in the routing table.")]
    buckets: Annotated[Count, Field(description="Buckets of the routing table that are in use.")]
    records: Annotated[Count, Field(description="Records that this node keeps of matrices which other nodes provide.")]
    provided: Annotated[Count, Field(description="Matrices that this node announces.")]


class NetStatusModel(Model):
    """This node's place in the network."""

    node_id: Annotated[Hash, Field(description="This node's id.")]
    peers: Annotated[Count, Field(description="The number of connected peers.")]
    listen_port: Annotated[Count, Field(description="The port on which peers are accepted; 0 if none.")]
    reachability: Annotated[
        Reachability,
        Field(
            description='"public" once a peer has dialled this node, "private" if peers that were asked to could not.'
        ),
    ]
    observed_host: Annotated[
        str, Field(description="This node's host as most peers see it; empty before they have said so.")
    ]
    announced: Annotated[
        str, Field(description="This node's announced endpoint, ID@host:port; empty if none is announced.")
    ]
    discovery: Annotated[bool, Field(description="True if the node looks for peers by itself.")]
    connections: Annotated[dict[str, Count], Field(description="The number of connections by kind.")]
    max_outbound: Annotated[Count, Field(description="The most outbound connections.")]
    max_inbound: Annotated[Count, Field(description="The most inbound connections.")]
    outbound_groups: Annotated[Count, Field(description="Network groups among the outbound connections.")]
    known_new: Annotated[Count, Field(description="Addresses in the address book that were never reached.")]
    known_tried: Annotated[Count, Field(description="Addresses in the address book that were reached.")]
    is_tip_stale: Annotated[
        bool, Field(description="True if no block came for so long that the node replaces outbound peers.")
    ]
    block_relay: Annotated[BlockRelayModel, Field(description="How new blocks arrived since the start.")]
    routing: Annotated[RoutingModel, Field(description="The routing table for matrices.")]


@method("net_status")
async def net_status(node: NodePort, params: NoParams) -> NetStatusModel:
    """Return whether other nodes can reach this one, its connections by kind, and the size of its address book."""
    status = node.p2p.get_status()
    relay = status.block_relay
    return NetStatusModel(
        node_id=node.node_id.hex(),
        peers=node.p2p.count_peers(),
        listen_port=status.listen_port,
        reachability=cast(Reachability, status.reachability),
        observed_host=status.observed_host,
        announced=status.announced,
        discovery=status.discovery,
        connections=status.links,
        max_outbound=status.max_outbound,
        max_inbound=status.max_inbound,
        outbound_groups=status.outbound_groups,
        known_new=status.known_new,
        known_tried=status.known_tried,
        is_tip_stale=status.is_stale,
        block_relay=BlockRelayModel(
            blocks=relay["blocks"],
            bytes=relay["bytes"],
            duplicates=relay["duplicates"],
            duplicate_bytes=relay["duplicate_bytes"],
            requested_transactions=relay["requested"],
            full_blocks=relay["fallbacks"],
        ),
        routing=RoutingModel(**structs.asdict(node.p2p.routing.get_status())),
    )
