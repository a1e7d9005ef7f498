"""node_health: the node's checks of itself, and the progress of its sync."""

from typing import Annotated, Literal

from pydantic import Field

from inos.network.sync.progress import SyncStatus
from inos.rpc.method import method
from inos.rpc.models.values import BlockHeight, Count, Model, NoParams
from inos.rpc.ports import NodePort


class HealthCheckModel(Model):
    """One of the node's checks of itself."""

    name: Annotated[str, Field(description="The check's name.")]
    ok: Annotated[bool, Field(description="True if it passes.")]
    detail: Annotated[str, Field(description="What the node found.")]
    code: Annotated[str, Field(description="The stable name of the cause if the check fails; otherwise empty.")]
    hint: Annotated[str, Field(description="What to do if the check fails; otherwise empty.")]


class SyncTimeSharesModel(Model):
    """What syncing blocks spent its time on in the last seconds; the parts add up to 1."""

    network: Annotated[float, Field(description="Waiting for peers.")]
    seals: Annotated[float, Field(description="Checking seals.")]
    signatures: Annotated[float, Field(description="Checking signatures.")]
    state: Annotated[float, Field(description="Executing transactions.")]
    disk: Annotated[float, Field(description="Writing to disk.")]


class SyncStatusModel(Model):
    """The progress of the node's sync."""

    phase: Annotated[
        Literal["finding_peers", "headers", "state", "blocks", "following", "stalled"],
        Field(description='What the node does now; "following" once it is at the tip of the chain.'),
    ]
    stall_reason: Annotated[str, Field(description='Why the sync makes no progress; empty unless "stalled".')]
    height: Annotated[BlockHeight, Field(description="The height of the connected tip.")]
    header_height: Annotated[BlockHeight, Field(description="The height of the best known header.")]
    target_height: Annotated[BlockHeight, Field(description="The height that remaining_s refers to.")]
    headers_per_s: Annotated[float, Field(description="Headers synced per second.")]
    blocks_per_s: Annotated[float, Field(description="Blocks synced per second.")]
    transactions_per_s: Annotated[float, Field(description="Transactions synced per second.")]
    remaining_s: Annotated[
        float | None, Field(description="The estimated seconds left; null if nothing is left or no rate is known.")
    ]
    bottleneck: Annotated[
        Literal["network", "seals", "signatures", "state", "disk"] | None,
        Field(description="What the sync spends most of its time on; null if no blocks are synced."),
    ]
    time_shares: Annotated[
        SyncTimeSharesModel | None, Field(description="What the sync spends its time on; null if no blocks are synced.")
    ]
    verifier_processes: Annotated[Count, Field(description="The number of processes that check seals now.")]
    summary: Annotated[str, Field(description="All of it in one line.")]


class HealthModel(Model):
    """The node's checks of itself, and the progress of its sync."""

    status: Annotated[Literal["ok", "degraded"], Field(description='"degraded" if a check fails.')]
    checks: Annotated[list[HealthCheckModel], Field(description="The checks.")]
    sync: Annotated[SyncStatusModel, Field(description="The progress of the sync.")]


@method("node_health")
async def node_health(node: NodePort, params: NoParams) -> HealthModel:
    """Return the node's checks of itself, and the progress of its sync."""
    health = node.health.check()
    return HealthModel(
        status="ok" if health.is_ok else "degraded",
        checks=[
            HealthCheckModel(name=check.name, ok=check.is_ok, detail=check.detail, code=check.code, hint=check.hint)
            for check in health.checks
        ],
        sync=_render_sync(node.p2p.sync.monitor.get_status()),
    )


def _render_sync(status: SyncStatus) -> SyncStatusModel:
    shares = {what.value: round(part, 3) for what, part in status.time_shares.items()} if status.time_shares else None
    return SyncStatusModel(
        phase=status.phase.value,
        stall_reason=status.stall_reason,
        height=status.height,
        header_height=status.header_height,
        target_height=status.target_height,
        headers_per_s=round(status.headers_per_s, 1),
        blocks_per_s=round(status.blocks_per_s, 1),
        transactions_per_s=round(status.transactions_per_s, 1),
        remaining_s=None if status.remaining_s is None else round(status.remaining_s, 1),
        bottleneck=None if status.bottleneck is None else status.bottleneck.value,
        time_shares=None if shares is None else SyncTimeSharesModel(**shares),
        verifier_processes=status.verifier_processes,
        summary=status.describe(),
    )
