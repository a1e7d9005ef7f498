"""node_*: what this process is, how it fares, and its end."""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Literal

from pydantic import Field

from rpc.method import Example, method
from rpc.ports import NodePort
from rpc.schemas import Hex32, Model, NoParams


class Version(Model):
    """Which software on which network."""

    name: Literal["inos"]
    version: str
    network: str
    chain_id: int
    genesis: Hex32
    protocol: Annotated[int, Field(description="Version of the protocol between nodes.")]
    node_id: Hex32
    hrp: Annotated[str, Field(description="Prefix of the network's addresses.")]


class CheckModel(Model):
    name: str
    ok: bool
    detail: str


class HealthModel(Model):
    """The node's checks of itself; degraded where one fails."""

    status: Literal["ok", "degraded"]
    checks: list[CheckModel]


class Stopping(Model):
    stopping: Literal[True]


def get_version() -> str:
    """The installed version of the software."""
    try:
        return version("inos")
    except PackageNotFoundError:
        return "0+unknown"


@method("node_version", examples=(Example("which network is this", {}),))
async def node_version(node: NodePort, params: NoParams) -> Version:
    """Software, network and identity of this node.

    `genesis` is the id of the first block: two nodes are on one network if and only if theirs are equal.
    """
    return Version(
        name="inos",
        version=get_version(),
        network=node.network.name,
        chain_id=node.params.chain_id,
        genesis=node.genesis_id.hex(),
        protocol=node.protocol_version,
        node_id=node.node_id.hex(),
        hrp=node.network.hrp,
    )


@method("node_health")
async def node_health(node: NodePort, params: NoParams) -> HealthModel:
    """Whether the node is well: "ok", or "degraded" with the checks that fail."""
    health = node.health()
    return HealthModel(
        status="ok" if health.is_ok else "degraded",
        checks=[CheckModel(name=check.name, ok=check.is_ok, detail=check.detail) for check in health.checks],
    )


@method("node_stop", is_protected=True)
async def node_stop(node: NodePort, params: NoParams) -> Stopping:
    """Stop the node in order. Answers at once; the process ends when everything is closed."""
    node.request_stop()
    return Stopping(stopping=True)
