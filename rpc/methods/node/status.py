"""node_*: what this process is, how it fares, and its end."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from inos.network.sync.progress import SyncStatus
from inos.rpc import errors
from inos.rpc.errors import RpcError
from inos.rpc.method import Example, method
from inos.rpc.ports import NodePort, SnapshotStatus
from inos.rpc.schemas import Count, HeightNumber, Hex32, Model, NoParams


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
    code: Annotated[str, Field(description="Which of its causes it is, where it fails; else empty.")]
    hint: Annotated[str, Field(description="What to do where it fails; else empty.")]


class SharesModel(Model):
    """What blocks spent their time on in the last seconds; the parts make 1."""

    network: float
    seals: float
    signatures: float
    state: float
    disk: float


class SyncModel(Model):
    """Where the node is on its way to the tip of the chain."""

    phase: Literal["finding_peers", "headers", "state", "blocks", "following", "stalled"]
    reason: Annotated[str, Field(description="Why it stalls; else empty.")]
    height: HeightNumber
    header_height: HeightNumber
    target_height: Annotated[HeightNumber, Field(description="What the remaining time is counted to.")]
    headers_per_s: float
    blocks_per_s: float
    transactions_per_s: float
    remaining_s: Annotated[float | None, Field(description="Null where nothing is left or no rate is known.")]
    bottleneck: Annotated[
        Literal["network", "seals", "signatures", "state", "disk"] | None,
        Field(description="What blocks wait for most; null where none are synced."),
    ]
    shares: SharesModel | None
    workers: Annotated[Count, Field(description="Processes that check seals now.")]
    text: Annotated[str, Field(description="All of it in one line.")]


class HealthModel(Model):
    """The node's checks of itself, degraded where one fails; and how far it has synced."""

    status: Literal["ok", "degraded"]
    checks: list[CheckModel]
    sync: SyncModel


class SnapshotParams(Model):
    path: Annotated[str, Field(min_length=1, max_length=4096, description="Absolute, of a folder that is not there.")]
    matrices: Annotated[bool, Field(description="Whether the matrices are copied too.")] = True


class SnapshotErrorModel(Model):
    code: str
    message: str
    hint: str


class SnapshotModel(Model):
    """The copy that was asked for last."""

    state: Literal["none", "running", "done", "failed"]
    path: str
    step: Annotated[str, Field(description="What is being copied: ledger or matrices; empty before and after.")]
    copied: Annotated[Count, Field(description="Bytes of this step so far.")]
    of: Annotated[Count, Field(description="Bytes of this step in all, about.")]
    bytes: Annotated[Count, Field(description="Of the whole copy, once it is done.")]
    matrices: Annotated[Count, Field(description="In the copy, once it is done.")]
    error: Annotated[SnapshotErrorModel | None, Field(description="Why it failed; else null.")]


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
    """Whether the node is well, "ok", or "degraded" with the checks that fail; and where its sync stands."""
    health = node.health()
    return HealthModel(
        status="ok" if health.is_ok else "degraded",
        checks=[
            CheckModel(name=check.name, ok=check.is_ok, detail=check.detail, code=check.code, hint=check.hint)
            for check in health.checks
        ],
        sync=_render_sync(node.get_sync_status()),
    )


def _render_sync(status: SyncStatus) -> SyncModel:
    return SyncModel(
        phase=status.phase.value,
        reason=status.reason,
        height=status.height,
        header_height=status.header_height,
        target_height=status.target_height,
        headers_per_s=round(status.headers_per_s, 1),
        blocks_per_s=round(status.blocks_per_s, 1),
        transactions_per_s=round(status.transactions_per_s, 1),
        remaining_s=None if status.remaining_s is None else round(status.remaining_s, 1),
        bottleneck=None if status.bottleneck is None else status.bottleneck.value,
        shares=SharesModel(**{what.value: round(part, 3) for what, part in status.shares.items()})
        if status.shares
        else None,
        workers=status.workers,
        text=status.describe(),
    )


@method("node_snapshot", is_protected=True)
async def node_snapshot(node: NodePort, params: SnapshotParams) -> SnapshotModel:
    """Begin to copy the node's data into a folder on its own machine, while it goes on; answers at once.

    Chain and state are those of one moment. The folder is a data directory that another node can be started on; it
    holds no keys. It appears under its name when it is whole: ask node_snapshotStatus.
    """
    path = Path(params.path)
    if not path.is_absolute():
        raise RpcError(errors.INVALID_PARAMS, "bad-path", f"{params.path!r} is not absolute", hint="begin it with /")
    if not node.snapshots.begin(path, params.matrices):
        busy = node.snapshots.get_status()
        hint = "wait until node_snapshotStatus says that it is done"
        raise RpcError(errors.REFUSED, "snapshot-running", f"a copy to {busy.path} is being made", hint=hint)
    return _render_snapshot(node.snapshots.get_status())


@method("node_snapshotStatus", is_protected=True)
async def node_snapshot_status(node: NodePort, params: NoParams) -> SnapshotModel:
    """How far the copy is that was asked for last."""
    return _render_snapshot(node.snapshots.get_status())


def _render_snapshot(status: SnapshotStatus) -> SnapshotModel:
    error = status.error
    return SnapshotModel(
        state=status.state,
        path=status.path,
        step=status.step,
        copied=status.copied,
        of=status.of,
        bytes=status.bytes,
        matrices=status.matrices,
        error=None if error is None else SnapshotErrorModel(code=error.code, message=error.message, hint=error.hint),
    )


@method("node_stop", is_protected=True)
async def node_stop(node: NodePort, params: NoParams) -> Stopping:
    """Stop the node in order. Answers at once; the process ends when everything is closed."""
    node.request_stop()
    return Stopping(stopping=True)
