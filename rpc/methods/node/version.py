"""node_version: which software this node runs on which network."""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Literal

from pydantic import Field

from inos.network.settings import PROTOCOL_VERSION
from inos.rpc.method import Example, method
from inos.rpc.models.values import Count, Hash, Model, NoParams
from inos.rpc.ports import NodePort


class NodeVersionModel(Model):
    """The node's software, network and identity."""

    name: Annotated[Literal["inos"], Field(description="The name of the software.")]
    version: Annotated[str, Field(description="The version of the software.")]
    network: Annotated[str, Field(description="The network's name.")]
    chain_id: Annotated[Count, Field(description="The id of the chain, which every transaction carries.")]
    genesis: Annotated[
        Hash,
        Field(description="The id of the genesis block. Two nodes are on one network if and only if theirs are equal."),
    ]
    protocol_version: Annotated[Count, Field(description="The version of the protocol between nodes.")]
    node_id: Annotated[Hash, Field(description="This node's id.")]
    hrp: Annotated[
        str, Field(description="The human-readable part of the network's bech32m addresses, which is their prefix.")
    ]


def get_version() -> str:
    """Return the installed version of the software."""
    try:
        return version("inos")
    except PackageNotFoundError:
        return "0+unknown"


@method("node_version", examples=(Example("which network is this", {}),))
async def node_version(node: NodePort, params: NoParams) -> NodeVersionModel:
    """Return the software, the network and the identity of this node."""
    return NodeVersionModel(
        name="inos",
        version=get_version(),
        network=node.network.name,
        chain_id=node.params.chain_id,
        genesis=node.genesis_id.hex(),
        protocol_version=PROTOCOL_VERSION,
        node_id=node.node_id.hex(),
        hrp=node.network.hrp,
    )
