"""The figures that the devnet shows of every node, read over RPC."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Protocol

from inos.node.process import RunningNode
from inos.primitives.errors import InosError


class Caller(Protocol):
    """The part of `inos.Client` that the monitor needs."""

    async def call(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """Make one JSON-RPC call."""


@dataclass(frozen=True)
class NodeFigures:
    """The figures of one node at one moment; `error` says why it did not answer."""

    name: str
    role: str
    rpc: str
    height: int = -1
    tip: str = ""
    peers: int = 0
    blocks_won: int = 0
    tickets_per_second: float = 0.0
    work: str = ""
    balance: str = "0"
    reputation: str = "0"
    error: str = ""


@dataclass(frozen=True)
class ChainFigures:
    """The chain as the first node sees it."""

    height: int = 0
    difficulty: int = 0
    paid_share: float = 0.0
    burned_share: float = 0.0
    price_per_tera: str = "0"
    blocks: int = 0
    final_height: int = 0


@dataclass(frozen=True)
class DevnetFigures:
    nodes: tuple[NodeFigures, ...]
    chain: ChainFigures = field(default_factory=ChainFigures)


@dataclass(frozen=True)
class WatchedNode:
    """A running node, a client for its RPC, and the address it mines for (None if it only follows)."""

    node: RunningNode
    client: Caller
    beneficiary: str | None


async def read_node(watched: WatchedNode) -> NodeFigures:
    """Return the figures of one node, or its error if it does not answer."""
    name, role = watched.node.name, "mines" if watched.beneficiary else "follows"
    try:
        head = await watched.client.call("chain_head")
        peers = await watched.client.call("net_peers")
        if watched.beneficiary is None:
            return NodeFigures(name, role, watched.node.rpc_url, head["height"], head["id"], len(peers["peers"]))
        miner = await watched.client.call("miner_status")
        account = await watched.client.call("state_getAccount", {"address": watched.beneficiary})
    except (InosError, OSError, TimeoutError) as error:
        return NodeFigures(name, role, watched.node.rpc_url, error=str(error))
    return NodeFigures(
        name=name,
        role=role,
        rpc=watched.node.rpc_url,
        height=head["height"],
        tip=head["id"],
        peers=len(peers["peers"]),
        blocks_won=miner["blocks_won"],
        tickets_per_second=miner["tickets_per_second"],
        work=miner["state"],
        balance=account["balance"],
        reputation=account["reputation"],
    )


async def read_chain(client: Caller) -> ChainFigures:
    """Return the figures of the whole chain up to the tip."""
    head = await client.call("chain_head")
    useful = await client.call("chain_usefulWork", {"window": max(1, head["height"])})
    return ChainFigures(
        height=head["height"],
        final_height=head["final_height"],
        difficulty=int(head["difficulty"]),
        paid_share=float(useful["paid_share"]),
        burned_share=float(useful["burned_share"]),
        price_per_tera=useful["price_per_tera"],
        blocks=useful["blocks"],
    )


async def read_figures(nodes: tuple[WatchedNode, ...]) -> DevnetFigures:
    """Return the figures of all nodes, read at once, and of the chain as the first node that answers sees it."""
    figures = await asyncio.gather(*(read_node(node) for node in nodes))
    for watched, shown in zip(nodes, figures, strict=True):
        if not shown.error:
            return DevnetFigures(tuple(figures), await read_chain(watched.client))
    return DevnetFigures(tuple(figures))


def are_tips_equal(figures: DevnetFigures) -> bool:
    """Return True if every node answered and all have the same tip."""
    return all(not node.error for node in figures.nodes) and len({node.tip for node in figures.nodes}) == 1
